"""How splits are commonly named."""

SPLIT_NAMES = {"": "", "train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}
"""Names of splits in any letter case, and what they stand for."""
