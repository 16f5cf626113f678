"""The page Deliveries: the board, proofs, one journey on one screen, gaps in custody, and its papers."""
