"""What is changed here for others to accept: the outbox, its sending, conflicts, and which store may send."""
