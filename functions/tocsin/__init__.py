"""Tocsin: from a CloudWatch log line to a grouped Slack alert with its runbook."""

__version__ = "0.1.0"
