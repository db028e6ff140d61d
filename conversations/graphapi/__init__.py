"""Meta's Graph API as a plain library: no Django."""
