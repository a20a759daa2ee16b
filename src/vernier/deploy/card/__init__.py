"""The page that describes a bundle."""
