"""The feed of a training's images, and how its batches are mixed."""

import torch

from vernier.augment.buffers import Recycler, pinned
from vernier.augment.mix import Mixer, mixed_batches
from vernier.augment.plan import Plan
from vernier.config.settled import settled
from vernier.data.device_feed import device_room, make_device_feed
from vernier.data.feed import Feed, make_feed
from vernier.data.progressive_feed import ProgressiveFeed
from vernier.data.repeats_feed import RepeatsFeed
from vernier.data.views_feed import ViewsFeed
from vernier.training.parts import Parts


def make_training_feed(parts: Parts, device: torch.device) -> Feed:
    """Augmented images; with `augment.progressive` of another size in each portion of the epochs."""
    progressive = parts.config.augment.progressive
    if progressive is None:
        return _views(parts, parts.plan, device, 1)
    plans = parts.plans
    feeds = [_views(parts, plan, device, len(plans)) for plan in plans]
    return ProgressiveFeed(feeds, progressive.ends(parts.steps.epochs_begun))


def make_mixer(parts: Parts, device: torch.device) -> Mixer | None:
    """What `augment.mix` asks for, if anything."""
    mix, order = parts.config.augment.mix, parts.order
    if mix is None:
        return None
    batches = order.batches_per_epoch
    last = mixed_batches(mix, parts.steps.total_batches, batches)
    allocate = pinned if device.type == "cuda" else Recycler().take
    return Mixer(mix, parts.config.seed, last, batches, allocate)


def _views(parts: Parts, plan: Plan, device: torch.device, feeds: int) -> Feed:
    """With train.feature_views the same few views of each image over and over."""
    feed = drawing_repeats(parts, _augmented(parts, plan, device, feeds))
    views = settled(parts.config.train.feature_views)
    return ViewsFeed(feed, views) if views else feed


def drawing_repeats(parts: Parts, feed: Feed) -> Feed:
    """The feed for a training whose sampler may draw an image several times an epoch."""
    return feed if parts.order.sampler is None else RepeatsFeed(feed)


def _augmented(parts: Parts, plan: Plan, device: torch.device, feeds: int) -> Feed:
    """A plan's images. `feeds`: that share the room on the device."""
    store = parts.dataset.train_store
    if parts.config.augment.backend == "torch":
        return make_device_feed(store, plan, device, limit=device_room(device) // feeds)
    return make_feed(store, plan, settled(parts.config.data.threads), pin_memory=device.type == "cuda")
