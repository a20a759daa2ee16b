"""`data`: where images come from, how they are split, stored and batched."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Anything, Auto, Count, Number, Seed, Text

Task = Literal["multiclass", "binary", "multilabel"]


class SplitConfig(Section):
    """How samples without a split of their own are divided. Drawn once, stratified, saved as a file."""

    val: Annotated[Number, Field(ge=0, lt=1)] = 0.2
    """Share of what is not test that becomes the validation set; 0 trains without one."""
    test: Annotated[Number, Field(ge=0, lt=1)] | None = None
    """Share of all samples that becomes the test set; none by default."""
    seed: Seed = 0
    """Seed of the draw. It is apart from `seed`, so that runs with other seeds share one split."""
    file: Text | None = None
    """A `split.csv` (path,label,split) of an earlier run to take the split from."""


class DataConfig(Section):
    """Where images come from, how they are split, stored and batched."""

    source: Text | None = None
    """A directory of class folders, a CSV file, or a built-in name: digits, mnist, cifar10, cifar100.
    A built-in name wins over a directory of that name; write `./cifar10` for the directory."""
    root: Text | None = None
    """Where a built-in source lies or is downloaded to."""
    train: Text | None = None
    """Directory of the training images, when it is apart from the others."""
    val: Text | None = None
    """Directory of the validation images."""
    test: Text | None = None
    """Directory of the test images."""
    train_split: Text | None = None
    """Name of the split to train on, when the source names its splits otherwise than `train`."""
    val_split: Text | None = None
    """Name of the split to validate on; `none` for no validation set."""
    class_names: tuple[Text, ...] | None = None
    """Classes to use and their order; all classes in alphabetical order when not given."""
    task: Task | Auto = "auto"
    """multiclass (softmax), binary (one logit, the second class is positive) or multilabel (sigmoids).
    auto: multilabel when the source has several labels a sample, else multiclass."""
    channels: Literal[1, 3] | Auto = "auto"
    """1 for grey, 3 for colour. auto: what a built-in source has; 3 for files."""
    batch_size: Count | Auto = 32
    """Images a step, over all devices together. auto: the largest power of two that fits the memory."""
    eval_batch_size: Count | Auto = "auto"
    """Images at once in evaluation. auto: `batch_size`."""
    sampler: Literal["shuffle", "balanced", "square_root"] = "shuffle"
    """shuffle: every image once an epoch. balanced: each class equally often; square_root: in proportion to the root
    of its number of images. Both draw as many images an epoch as there are, rare classes' images more than once."""
    imbalance: Literal["off", "auto"] = "off"
    """auto: choose a sampler or class weights by the classes' numbers of images, and say why."""
    threads: Annotated[int, Field(ge=0, strict=True)] | Auto = "auto"
    """Threads that decode and augment; 0 does it in the training thread. Does not change any result."""
    store: Literal["auto", "disk", "memory", "off"] = "auto"
    """Where decoded images are kept: memory-mapped on disk (shared by runs), in memory, or not at all."""
    store_scale: Literal[1, 2, 4, 8] | Auto = "auto"
    """JPEG photos are decoded for training at most this many times smaller, each as far as its size allows, which
    costs less; evaluation always decodes in full. auto: the most that leaves every crop of `augment.train` at least
    one pixel for each of its result's."""
    store_dir: Text | Auto = "auto"
    """Directory of decoded stores. auto: `$VERNIER_CACHE`, else `$XDG_CACHE_HOME/vernier`, else
    `~/.cache/vernier`."""
    on_bad_image: Literal["error", "skip"] = "error"
    """What to do with images that can't be read: stop and list them all, or list them and go on without."""
    max_pixels: Count = 178_956_970
    """Images with more pixels are refused before they are decoded (decompression bombs)."""
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of a source."""
    split: SplitConfig = SplitConfig()
