"""The settings of `tocsin.toml`: services, intervals, routes."""
