"""Files of proofs: photos and signatures, fetched in the background and kept beside the store."""
