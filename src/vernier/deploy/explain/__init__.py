"""Which parts of an image speak for an answer."""
