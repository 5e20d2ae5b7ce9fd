"""From what AWS delivers to log events, alarm changes and deployments."""
