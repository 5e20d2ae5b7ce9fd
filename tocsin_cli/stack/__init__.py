"""A deployed stack seen from outside: its target, its incidents, its subscriptions."""
