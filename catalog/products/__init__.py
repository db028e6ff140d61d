"""Products, known to WhatsApp by their retailer id."""
