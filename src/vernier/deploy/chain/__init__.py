"""Several verbs in a row on one model."""
