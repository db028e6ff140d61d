"""What is said, promised and done about it."""
