"""Who did what to which thing: one append-only log, written by one function."""
