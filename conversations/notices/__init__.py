"""What staff should know: mentions in notes."""
