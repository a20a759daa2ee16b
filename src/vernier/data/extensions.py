"""Names of image files."""

EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "png", "bmp", "gif", "webp", "tif", "tiff", "npy"})
"""Of image files, in any letter case."""
