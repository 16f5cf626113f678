"""The page Sync: what waits for the peers, what they refused, what both sides changed, and how the streams go."""
