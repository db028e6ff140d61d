"""The people who work here: users, teams, roles, API tokens."""
