"""Demo data: an invented insurance broker with staff, numbers and conversations of every kind and state."""
