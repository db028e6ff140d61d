"""What each person allowed: an append-only ledger, the words that stop messages, whom never to write to."""
