"""Honest small peers for the demo and the tests: a sensor bus, and what the package runs as its simulator."""
