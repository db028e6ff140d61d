"""What people type into a search field: names, parts of them, numbers; and what is too short for an index."""

TERMS = ("maria", "garcia", "mar", "hugo nieto", "pascual", "34600", "600999", "zzz", "ana lopez ruiz", "+34600123456")
SHORT = ("ma", "zq", "9")
