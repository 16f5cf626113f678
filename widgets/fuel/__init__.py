"""Fuel: levels of all vehicles, the chart of one, its events and what a dispatcher decides about them."""
