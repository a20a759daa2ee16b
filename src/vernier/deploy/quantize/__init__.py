"""From float networks to networks of 8-bit integers."""
