"""Mail by the operator's own mail server: settings, templates, a queue in the store, and its sending by the engine."""
