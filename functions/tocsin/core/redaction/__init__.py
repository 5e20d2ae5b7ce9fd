"""Hiding secrets and personal data in log text."""
