"""One module per sub-command: its options, and one call."""
