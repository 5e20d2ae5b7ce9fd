"""Unknown errors over time: which are news, and which are known."""
