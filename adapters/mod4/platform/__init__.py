"""The platform's schema as the reference describes it, its repair, and the role that the console needs."""
