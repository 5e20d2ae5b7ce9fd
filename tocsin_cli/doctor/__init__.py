"""The checks of `tocsin doctor`, one module per part of the path."""
