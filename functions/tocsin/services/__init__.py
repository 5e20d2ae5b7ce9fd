"""The use cases: each is what one handler, or one step of it, does from beginning to end."""
