"""Our addresses on WhatsApp: business accounts (WABA) and their numbers."""
