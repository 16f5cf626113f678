"""Secrets, redaction and the record of acts."""
