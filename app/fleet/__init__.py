"""The fleet: trackers, vehicles, their positions and what is said about them."""
