"""What an operator watches: how long work waits, what was sent, whether this process may take part."""
