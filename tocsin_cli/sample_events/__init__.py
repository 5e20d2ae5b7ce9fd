"""The sample events of `events/`, made by code."""
