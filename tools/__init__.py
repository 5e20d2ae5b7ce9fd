"""What writes pages of this repository from the code. Never shipped."""
