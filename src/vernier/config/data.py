"""`data`: where images come from, how they are split, stored and batched."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.operations.base import Range
from vernier.config.types import Anything, Auto, Count, DurationField, Flag, Number, Seed, Text

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
    group: Text | None = None
    """Keeps images that belong together on one side: a regular expression that is searched for in their paths and whose
    first group is what they share, such as `(.*)_frame\\d+`. A column of a list is named by `data.columns.group`
    instead."""
    folds: Annotated[int, Field(ge=2, strict=True)] | None = None
    """Divide what is not test into so many equal parts, validate on one of them (`fold`) and train on the rest, in
    place of `val`. A function of the images' paths and labels and of `seed`."""
    fold: Annotated[int, Field(ge=0, strict=True)] = 0
    """Which of the `folds` validates, from 0."""
    method: Literal["stratified", "device_zoo"] = "stratified"
    """device_zoo: the split that the STM32 model zoo draws from class folders (its `validation_split` is `val`, its
    `dataset.seed` is `seed`), for comparisons with it; not stratified."""


class ColumnsConfig(Section):
    """What the columns of a CSV, TSV or Parquet file are called."""

    path: Text = "path"
    """Column of the images' paths."""
    label: Text = "label"
    """Column of the label; several labels of one image are joined by `|`."""
    labels: tuple[Text, ...] | None = None
    """Columns of 0 and 1, one a label, for multilabel. When not given and there is no column `label`: all others."""
    split: Text | None = "split"
    """Column of the split: train, val or test. It may be absent while it has its default name."""
    weight: Text | None = None
    """Column of a number from 0 on that the loss of an image is multiplied by in training; metrics are not weighted."""
    group: Text | None = None
    """Column that says which images belong together: a group is never divided between splits."""
    delimiter: Text | None = None
    """One character between the columns of a CSV file, or `tab`; by default a comma, in .tsv files a tab."""


class RecordsConfig(Section):
    """What the features of TFRecord examples and the members of tar shards are called."""

    image: Text = "image"
    """Feature of the image file's bytes."""
    label: Text = "label"
    """Feature of the label: a number (its place in the class names) or its name."""
    key: Text = "key"
    """Feature of a name for each image, such as its path; without it, file and number stand in."""
    check: Flag = True
    """Whether the checksum of every record is compared when a set is opened for the first time."""


class StreamConfig(Section):
    """How shards are read from a URL."""

    retries: Annotated[int, Field(ge=0, strict=True)] = 5
    """How often a request that failed is tried again, waiting twice as long each time, from half a second on."""
    timeout: DurationField = Duration(30, "s")
    """How long a server may say nothing."""
    window: Count = 4
    """Shards that are open at once; images are shuffled among them."""
    cache: Literal["disk", "memory"] = "disk"
    """Where a shard is kept while it is open."""


class DataConfig(Section):
    """Where images come from, how they are split, stored and batched."""

    source: Text | None = None
    """A directory of class folders, of TFRecord files or tar shards, or made by `vernier convert`; a URL of such a
    directory; a CSV, Parquet or list file; `tfds:NAME`, `hf:NAME` or `torchvision:NAME`; or a built-in name: digits,
    mnist, emnist, cifar10, cifar100, svhn. A built-in name wins over a directory of that name; write `./cifar10` for
    the directory."""
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
    channels: Count | Auto = "auto"
    """1 for grey, 3 for colour, 4 with transparency, more for other sensors (TIFF and .npy files). auto: what a
    built-in source has; 3 for files. `data.color_mode` (grayscale, rgb, rgba) is another name for 1, 3 and 4."""
    channel_names: tuple[Text, ...] | None = None
    """What the channels are called, in their order. Operations on colour apply to red, green and blue, or to grey. By
    default grey; red, green, blue; or red, green, blue, alpha; other numbers of channels have no names."""
    value_range: Range | None = None
    """The values that become 0 and 255 in images of more than 8 bits; values beyond are clipped. By default their
    type's whole range."""
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
    lists: tuple[Text, ...] | None = None
    """List files instead of `source`: on each line a path, then its label after a tab or the last space; without a
    label that of its folder. With `val` or `test` they are what is trained on."""
    list_ratios: tuple[Annotated[Number, Field(gt=0)], ...] | None = None
    """How much of an epoch is drawn from each of the `lists`, in any unit; in proportion to their lengths by default.
    An epoch has as many images as the lists together."""
    columns: ColumnsConfig = ColumnsConfig()
    records: RecordsConfig = RecordsConfig()
    stream: StreamConfig = StreamConfig()
    kwargs: dict[str, Anything] = Field(default_factory=dict)
    """Further arguments of a source."""
    split: SplitConfig = SplitConfig()
