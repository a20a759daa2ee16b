"""What each side does, as the report says it."""

METHODS = """\
## What each does

Every measurement is a process of its own. float32 and each tool's own defaults unless said; batch 32 and 224 x 224
pixels for photos; SGD with lr 0.01 and momentum 0.9. Three steps are run before anything is timed.

- **step**: one batch that stays on the device, random for the peers, photos for Vernier. PyTorch: timm's model, NCHW,
  plain loop. Keras: `fit` on one repeated batch. Vernier: `vernier benchmark train` with train.speed=auto; its search
  is not timed. Random weights, 5 classes.
- **pipeline**: from files, or from Vernier's store on disk, to normalised float batches.

  | operation | torchvision (PIL, v1) and timm | Keras |
  |---|---|---|
  | crop to 224, area 0.08 to 1, ratio 3/4 to 4/3 | RandomResizedCrop | random boxes, crop_and_resize |
  | flip, p 0.5 | RandomHorizontalFlip | RandomFlip |
  | up to 15 degrees, bilinear | RandomRotation(15) | RandomRotation(15 / 360) |
  | perspective 0.2, p 0.5, bilinear | RandomPerspective(0.2) | RandomPerspective(0.5, 0.2) |
  | brightness, contrast, saturation 0.2 | ColorJitter | RandomColorJitter |
  | normalise, ImageNet's mean and deviation | ToTensor, Normalize | Normalization |

  Vernier's list is `configs/heavy.yaml`. timm's loader makes its own crop, flip, jitter and normalisation; rotation and
  perspective are torchvision's.

  Keras resizes each photo to 256 x 256 as it reads it (`image_dataset_from_directory`'s default) and crops from that.
  32x32: crop with padding 4, flip, normalise, batch 512; torchvision from decoded arrays in memory through PIL, as its
  CIFAR10 data set does; Vernier from its store. DataLoaders have 2 workers.
- **epoch**: a whole epoch after a warm-up, validation and start-up excluded, the start of the loader's workers
  included. Vernier: the second epoch of a training of ten, decoded images from its store. Keras: images cached in
  memory before (`cache()`), augmented in the tf.data map. timm: loader without prefetcher, its optimizer and schedule
  factories. Lightning: defaults, logger and checkpoint included. Ultralytics: a MobileNetV2 by its YAML, crop, flip
  and colour jitter only (it has no rotation or perspective for classification), with its moving average of the
  weights; timed from its fourth step on.
- **transfer**: wall time of the whole process, start, decoding, validation after each epoch and (Vernier) report
  included, nothing cached from before. The head of a frozen MobileNetV2, AdamW, crop of area 0.5 to 1 and flip. Keras
  has random weights (the time does not depend on them) and `cache()` on its images.
- **accuracy**: wall time from the start of the process to the end of the first epoch with that accuracy on the
  validation set. Fine-tuning: all weights, AdamW, lr 3e-4; the head alone: AdamW, lr 3e-3. No cache from before.
- **overhead**: a step of digits_cnn, 8 x 8 pixels, batch 64, 1150 images, one thread: Vernier in a real training with
  train.speed=off, against a bare loop with the same module. quickstart: wall time of `vernier quickstart`.
- **waiting**: the share of the step that `vernier benchmark train --end-to-end` waits for its loader, heavy list.
"""
