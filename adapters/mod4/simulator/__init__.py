"""A platform on loopback for the demo and the tests: a real PostgreSQL with its schema, people, work and phones."""

from __future__ import annotations

from adapters.mod4.simulator.peer import Platform, make_platform, running, simulate
from adapters.mod4.simulator.server import Server

__all__ = ["Platform", "Server", "make_platform", "running", "simulate"]
