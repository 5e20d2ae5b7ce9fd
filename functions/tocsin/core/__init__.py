"""The pure core: takes values and a ``now``, does no I/O, reads no clock and no environment."""
