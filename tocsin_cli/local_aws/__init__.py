"""The embedded cloud and a stack deployed on it."""
