"""Lines that must appear: seeing them, and noticing that they do not."""
