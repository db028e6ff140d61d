"""One person, one contact: pairs that may be the same, merging them and taking it back."""
