"""Drivers, batches and proofs: what the driver platform tells, joined with shipments, vehicles and fuel."""
