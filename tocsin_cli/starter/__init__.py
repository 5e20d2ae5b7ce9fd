"""What `tocsin init` writes, and what it finds in an account to offer."""
