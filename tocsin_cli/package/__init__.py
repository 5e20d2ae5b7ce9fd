"""The Lambda package: building it and looking at what is in it."""
