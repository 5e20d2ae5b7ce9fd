"""What DESIGN-level promises cost: each figure is a ratio, or a count, measured in one run on one machine."""
