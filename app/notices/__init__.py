"""What other systems are told of what happened here: messages for the integrations of the type ``webhook_sender``."""
