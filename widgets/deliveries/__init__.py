"""The page of deliveries: the board of batches, one batch, and proofs."""
