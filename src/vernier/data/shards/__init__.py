"""Shards: files that hold many encoded images each, TFRecord or tar, here or behind a URL."""
