"""Who the people are: staff, contacts and their accounts on each channel."""
