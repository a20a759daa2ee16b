"""Vernier trains image classifiers from one typed config."""

__version__ = "0.1.0"
