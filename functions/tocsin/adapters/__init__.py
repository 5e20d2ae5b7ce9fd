"""Thin adapters: the only modules that speak to AWS and to Slack."""
