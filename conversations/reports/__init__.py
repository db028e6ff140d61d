"""What managers see of the whole: the dashboard's figures, and the sets of rows that its cards count."""
