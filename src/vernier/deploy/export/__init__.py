"""Writing models for other programs."""
