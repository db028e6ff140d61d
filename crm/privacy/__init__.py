"""What the law gives people: a copy of their data, erasure, restriction; and how long data is kept."""
