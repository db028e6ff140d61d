"""Canned answers: texts agents insert with `/`."""
