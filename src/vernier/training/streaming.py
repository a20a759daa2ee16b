"""What a training needs whose images lie in shards behind URLs."""

import numpy as np

from vernier.config.root import Config
from vernier.data.images import Images
from vernier.data.shards.stream_order import StreamOrder
from vernier.data.store import Store
from vernier.data.stream_store import StreamStore, streamed
from vernier.errors import ConfigError, ConfigProblem


def check_streaming(config: Config, store: Store) -> None:
    """Refuse what would need every shard all the time, if images are streamed.

    Raises:
        ConfigError: all of it.
    """
    if not isinstance(store, StreamStore):
        return
    problems = []
    if config.data.sampler != "shuffle":
        message = (
            f"{config.data.sampler} draws images from all shards at once, and they are streamed; weigh classes with "
            "loss.class_weights, or set data.store=disk, which keeps all images here"
        )
        problems.append(ConfigProblem("data.sampler", message))
    if config.augment.mix is not None and _processes(config) > 1:
        message = (
            f"mixes images of all {_processes(config)} processes, each of which would stream every shard; use one "
            "process, or set data.store=disk, which keeps all images here"
        )
        problems.append(ConfigProblem("augment.mix", message))
    if problems:
        raise ConfigError(problems)


def make_stream_order(config: Config, images: Images, positions: np.ndarray) -> StreamOrder | None:
    """The order of training images in shards behind URLs, wherever they are kept; None for other images.

    Args:
        config: Resolved.
        images: The source's.
        positions: int64 (count,), those to train on.
    """
    stream = streamed(images)
    if stream is None:
        return None
    return StreamOrder(stream[0].shards[positions], config.data.stream.window, _processes(config), config.seed)


def _processes(config: Config) -> int:
    return config.train.device_count * config.train.num_nodes
