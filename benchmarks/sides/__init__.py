"""Processes that do one thing at the word of a program: JSON lines in, JSON lines out."""
