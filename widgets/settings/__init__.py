"""The page of settings: what this user prefers, what this depot keeps, and where everything lives."""
