"""How messages look: the channel page, one message as HTML, the terminal."""
