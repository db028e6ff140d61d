"""Django's SQLite backend with one first-come-first-served write lock per process."""
