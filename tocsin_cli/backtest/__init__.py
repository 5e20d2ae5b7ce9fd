"""What log lines of the past would have made: reading them, and reporting."""
