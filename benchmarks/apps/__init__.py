"""What the product is measured against: bare ASGI, usual Django, channels-redis, and a fast Graph side."""
