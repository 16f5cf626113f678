"""Integrations: one package per outside system, and the contract that they share."""
