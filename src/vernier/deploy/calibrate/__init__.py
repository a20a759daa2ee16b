"""Temperature and reject threshold of a trained model."""
