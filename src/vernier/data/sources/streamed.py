"""Shards behind a URL, whose images are fetched while they are trained on."""

from dataclasses import replace

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.shards.images import ShardImages
from vernier.data.shards.remote_set import open_remote_set
from vernier.data.source import Source
from vernier.data.sources.shards import source_from_shards


def list_streamed(url: str, data: DataConfig, key: str) -> Source:
    """The images in the shards behind a URL, in the order in which they lie there.

    Whoever reads them one after the other then needs one shard at a time. No image is read here.

    Args:
        url: See `open_remote_set`.
        data: Which splits and classes to use, and how to read.
        key: The config key that named it, for messages.

    Raises:
        DataError: see `open_remote_set` and `source_from_shards`.
    """
    shards, reader = open_remote_set(url, data, key)
    source = source_from_shards(shards, reader, data)
    images = source.images
    assert isinstance(images, ShardImages)
    order = np.lexsort((images.offsets, images.shards))
    ordered = ShardImages(
        reader,
        [images.keys[place] for place in order],
        images.shards[order],
        images.offsets[order],
        images.lengths[order],
        images.channels,
        data.max_pixels,
        data.value_range,
    )
    split = tuple(source.split[place] for place in order)
    return replace(source, images=ordered, targets=source.targets[order], split=split)
