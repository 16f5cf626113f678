"""The Integrations page: what can be added, what is configured and how it is, and everything about one of them."""
