"""A platform on loopback for the demo and the tests: a real PostgreSQL with its schema, people, work and phones."""
