"""Signatures: reading and validating the rules."""
