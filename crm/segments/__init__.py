"""Groups of contacts by a rule: a tree compiled to one query."""
