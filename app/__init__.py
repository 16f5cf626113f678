"""What the console does without a window: engine, store, fleet, security, command line. No Qt in here."""
