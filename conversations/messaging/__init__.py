"""Threads: conversations and their messages, in and out."""
