"""What `vernier --help` and `vernier VERB --help` print."""

HELP = """\
usage: vernier VERB ...

  quickstart                           train on the bundled digits, evaluate, write a report
  train [SCENARIO] [CONFIG.yaml] [key=value ...]
                                       train; data=DIR is enough
  resume RUN [key=value ...]           go on with an interrupted or finished run
  evaluate BUNDLE|RUN [data=DIR]       measure a model on a data set
  predict BUNDLE|RUN|MODEL.onnx IMAGE|DIR ...
                                       classify images; --watch for those to come
  compare A B [data=DIR]               two models on the same images: is one better?
  benchmark train|pipeline [CONFIG.yaml] [key=value ...]
                                       images per second of training steps or of the input pipeline
  find batch_size|lr [CONFIG.yaml] [key=value ...]
                                       the largest batch that fits the memory; a learning rate that trains
  plot-schedule [CONFIG.yaml] [key=value ...]
                                       the learning rate of every step, before one is trained
  check DIR|CONFIG.yaml|RUN            what is wrong in a data set, before the first step
  preview [CONFIG.yaml] [key=value ...]
                                       a picture of what an augmentation list does
  convert SOURCE OUT                   a data set as TFRecord files, tar shards or a decoded store
  export BUNDLE|RUN                    a model as an ONNX or .pt2 file, preprocessing inside
  quantize BUNDLE|RUN|MODEL.onnx       a model of 8-bit integers, compared with the float one
  footprint BUNDLE|RUN|MODEL.onnx      flash, RAM and operations on a device; does it fit a board?
  chain LETTERS CONFIG.yaml            t train, e evaluate, q quantize, b benchmark, in this order
  calibrate BUNDLE|RUN                 temperature and the confidence from which an answer counts
  card BUNDLE|RUN                      a page that describes a model and how to load it
  models [PATTERN] | show NAME         names for model=NAME, with what they cost; the layers of one
  config [CONFIG.yaml] [key=value ...] show a config with its defaults; --schema prints the JSON Schema

`key=value` and `--key value` are the same. `vernier VERB --help` tells more. `--json` prints one JSON object on
standard output and nothing else there. Exit status: 0 done; 1 done, but something in the input failed; 2 an error
that you can mend; 130 or 143 stopped by a signal, resumable."""

VERB_HELP = {
    "quickstart": """\
usage: vernier quickstart [key=value ...] [--json]

Trains a small network on scikit-learn's digits (1797 pictures of real handwriting, no download), evaluates it on
the held-out test split and writes a report.""",
    "train": """\
usage: vernier train [SCENARIO] [CONFIG.yaml] [key=value ...] [--json]
       vernier train --help [SECTION]

  vernier train data=photos                      class folders; photos/train, photos/val, photos/test when there
  vernier train data=photos model=resnet18 train.epochs=20 optimizer.lr=0.01
  vernier train recipe.yaml --data.batch_size 64
  vernier train my_pkg.my_scenario:Class scenario.alpha=0.3    your own images, network, loss, measures

The same command again resumes an interrupted training. run.new=true starts afresh.

All keys with their defaults follow, by section; `vernier train --help SECTION` tells all about the keys of one,
such as `vernier train --help optimizer`. docs/config-reference.md is the same on a page.""",
    "resume": """\
usage: vernier resume RUN [key=value ...] [--json]

Goes on with an interrupted run, or with a finished one for more epochs: vernier resume RUN train.epochs=30""",
    "evaluate": """\
usage: vernier evaluate BUNDLE|RUN|MODEL.onnx [data=DIR] [key=value ...] [--split train|val|test|all]
                        [--output DIR] [--trust] [--json]

  vernier evaluate runs/flowers/2026-01-01_10-00-00
  vernier evaluate other.onnx data=photos 'data.class_names=[cat,dog]' 'augment.eval=[Resize,Rescale]'

Measures a model on class folders or any other source. Without `data`, a run and what is in RUN/export are measured on
the run's own data. ONNX files of other programs need their classes and preprocessing, as in the second line.
--output writes predictions, per-class figures and the confusion matrix there. --trust imports your own code when
the model, or what a run is measured by, is made by it.""",
    "predict": """\
usage: vernier predict BUNDLE|RUN|MODEL.onnx IMAGE|DIR|PATTERN|@LIST ... [options]
       vernier predict BUNDLE|RUN|MODEL.onnx -                        paths on standard input, a line each
       vernier predict BUNDLE|RUN|MODEL.onnx DIR ... --watch [--interval S]

Classifies images, any number of them. Files that can't be read are listed at the end, with exit status 1.

  --csv F, --jsonl F, --parquet F   a row an image, instead of the table on the screen; F.part until all is done
  --top-k N                         the N most probable classes; --probabilities: those of all classes in the files
  --annotate DIR                    pictures with class and confidence, under the names that the images have
  --explain DIR                     pictures of what the answer rests on (Grad-CAM); not of ONNX files
  --explain-class NAME, --explain-layer NAME
                                    of another class than the predicted one; at another layer than the last with a map
  --reject C                        below confidence C the prediction is `unknown`; the model's own C else, 0 for never
  --levels A B                      a column `level`: low below confidence A, medium below B, else high
  --watch                           goes on with images that come into DIR until Ctrl-C; rows are appended.
                                    --interval S: looks every S seconds (default 1)
  --batch-size N, --threads N, --device D, --trust (import your own code when the model is made by it), --json

An ONNX file from elsewhere has to be described: data.class_names=[cat,dog] augment.eval=[...]""",
    "compare": """\
usage: vernier compare A B [data=DIR] [key=value ...] [--split test|val|train|all] [--trust] [--json]

  vernier compare runs/a/2026-01-01_10-00-00 runs/b/2026-01-01_11-00-00
  vernier compare first.csv second.csv
  vernier compare BUNDLE BUNDLE data=photos

Compares what two models say of the same images: the difference of accuracy and macro F1 with its 95 % interval
(paired bootstrap), and McNemar's test. A and B are runs, directories that `vernier evaluate --output` wrote, or
files of predictions; with `data`, bundles too, which are measured on it first.""",
    "benchmark": """\
usage: vernier benchmark train|pipeline [CONFIG.yaml] [key=value ...] [--seconds S] [--end-to-end] [--json]
       vernier benchmark RUN|BUNDLE|FILE.onnx ... [--batch-sizes 1,32] [--threads 1,2] [--seconds S] [--compile]
                        [--image-size H,W] [--trust] [--json]

train: optimizer steps on a batch that lies on the device; --end-to-end takes batches from the loader, tells how much
of the time the steps wait for them, and compares.
pipeline: from file or store to the normalised float batch that the first layer receives.
Both print images per second, step times, ms of each stage and the memory peak. --seconds (default 10) bounds it all,
warm-up included, once the data set is open and the speed settings are chosen (train.speed=off does without).

RUN, BUNDLE: ms a call of the network in torch, in onnxruntime, and in 8 bits after `vernier quantize`, in turns, for
each number of images and threads; --compile adds torch.compile, which takes a minute. Files: as they are, beside each
other. --seconds (default 2) is for each of them in each setting. Energy is shown where the system counts it.""",
    "find": """\
usage: vernier find batch_size|lr [CONFIG.yaml] [key=value ...] [--json]

batch_size: the largest power of two of images a step that fits the memory, with a margin, by real steps of the model.
lr: a learning rate by a range test: real steps while it grows until the loss diverges, then a short training with it.
Nothing is kept but what is printed: put it on the command line, or write data.batch_size=auto, optimizer.lr=auto.""",
    "plot-schedule": """\
usage: vernier plot-schedule [CONFIG.yaml] [key=value ...] [--output FILE.png] [--csv FILE] [--images N]
                             [--steps-per-epoch N] [--json]

  vernier plot-schedule recipe.yaml --csv schedule.csv
  vernier plot-schedule schedule=one_cycle optimizer.lr=0.1 train.epochs=30 --steps-per-epoch 196

Draws the learning rate (and momentum, where the schedule changes it) to a picture, schedule.png here when --output
does not name another, and to the terminal. --csv writes epoch,step,lr, a row for every optimizer step; both count
from 1. A run's config.yaml is a config too. The data is opened to count its training images, and not decoded;
--images says how many there are, --steps-per-epoch how many optimizer steps an epoch has: then no data is needed.""",
    "export": """\
usage: vernier export BUNDLE|RUN [key=value ...] [--format onnx|pt2] [--output FILE] [--which best|final]
                      [--parity N|all|0] [data=DIR] [--trust] [--json]

  vernier export runs/photos/2026-01-01_10-00-00
  vernier export BUNDLE --output cats.onnx export.layout=nchw data=photos
  vernier export RUN --format pt2 export.image_size=[480,640]

Writes a model for other programs: uint8 images in, probabilities out, classes and preprocessing in the metadata;
export.raw=true writes the network alone. The file is RUN/export/best.onnx when --output names no other. It is run on
256 validation images (--parity N: on N; all: on all; 0: on none) and compared with the bundle; where a probability is
further off than export.tolerance, the file is not kept, with exit status 1. Without data the images are random.
--trust imports your own code when the model, or the run's scenario, is made by it. `vernier train --help export` tells
of all keys, docs/export.md of the rest.""",
    "quantize": """\
usage: vernier quantize BUNDLE|RUN|MODEL.onnx [key=value ...] [--max-drop P] [--split test|val] [--layers]
                        [--output FILE.onnx] [--trust] [--json]

  vernier quantize runs/flowers/2026-01-01_10-00-00 --max-drop 1
  vernier quantize RUN quantize.mode=auto
  vernier quantize BUNDLE data=photos quantize.granularity=per_tensor

Makes a model of 8-bit integers, RUN/export/best_int8.onnx, by ranges from training images, and measures it beside the
float one on the test images, else the validation images: accuracy, agreement, loss, calibration, size, latency, RAM
and flash. Without `data` a run is calibrated and measured on its own data.
--max-drop P: more than P points of accuracy lost is exit status 1; the file is then named .failed.onnx, and the layers
that lose most are told. --layers tells the noise of all layers. quantize.mode=auto searches granularity, calibration
and layers left in float for the smallest model that loses at most P (1 when not given). --trust imports your own code
when the model is made by it. docs/quantization.md tells what to do when too much is lost.""",
    "footprint": """\
usage: vernier footprint BUNDLE|RUN|MODEL.onnx|CONFIG.yaml|model=NAME [key=value ...] [--board NAME]
                         [--precision int8|float32] [--classes N] [--layers] [--picture FILE.png] [--csv FILE]
                         [--no-st-tool] [--trust] [--json]
       vernier footprint --boards [--json]

  vernier footprint RUN --board STM32H747I-DISCO
  vernier footprint best_int8.onnx --layers --picture memory.png
  vernier footprint model=mobilenet_v2 model.alpha=0.35 data.image_size=128 --classes 5

Flash (weights and biases), RAM (activations, under a stated plan) and multiplications of a network, without a board and
without an account. A float network is counted in 8-bit integers, as a device would run it, unless --precision float32
says otherwise; a quantized graph is counted as it is. Preprocessing is left to the host. A network by name needs no
training; --classes is 1000 when there is no data.
--board adds what ST's runtime takes and the time for an image, as estimates, and ends with exit status 1 when the
network does not fit; --boards lists the boards. When stedgeai or stm32ai is on PATH or in STEDGEAI_CORE_DIR it is
called and its figures are put beside, unless --no-st-tool is given.""",
    "chain": """\
usage: vernier chain LETTERS CONFIG.yaml|RUN|BUNDLE|MODEL.onnx [key=value ...] [--max-drop POINTS] [--output DIR]
                     [--trust] [--json]

  vernier chain tqeb recipe.yaml data=photos      train, quantize, evaluate the int8 model, benchmark
  vernier chain eqeb RUN                          evaluate the float model, quantize, evaluate and benchmark int8

t trains, e evaluates, q quantizes, b benchmarks, in the order of the letters; after q the steps see the int8 model.
The same command goes on where it was left and does again only what depends on something that changed. It ends with
one table of the models: chain.json and chain.html in the run. Exit status 1 when int8 loses more than --max-drop.""",
    "calibrate": """\
usage: vernier calibrate BUNDLE|RUN [data=DIR] [key=value ...] [--precision P] [--confident] [--split val|train|all]
                         [--classes] [--dry-run] [--trust] [--json]

  vernier calibrate runs/flowers/2026-01-01_10-00-00
  vernier calibrate BUNDLE data=photos --precision 0.99 --classes

Fits the temperature that logits are divided by, so that confidence is how often answers are right (Guo et al. 2017),
and chooses the reject threshold: the lowest confidence from which on a share P of the answers (default 0.95) is right.
The bundle keeps both; evaluate, predict and export use them. Without `data`, a run's own validation images are taken.
--confident asks P of the lower end of the share's 95 % interval. --classes prints for each class against all others
the AUC and the threshold of the best geometric mean. --dry-run changes nothing. Exit status 1: no threshold reaches
P. Test images are refused.""",
    "card": """\
usage: vernier card BUNDLE|RUN [--output FILE.md] [--json]

Writes README.md into the bundle: what it answers, the data, measures with their 95 % intervals, calibration, how images
are prepared, limits, a few lines to load it in Python, onnxruntime and C, and what it was made of. It says what the
bundle and its run know and nothing else. A README.md that is no card is left alone.""",
    "models": """\
usage: vernier models [PATTERN] [--classes N] [--input-size H W [C]] [--provider zoo|timm|torchvision] [--json]
       vernier models show NAME [--classes N] [--input-size H W [C]] [--frozen SPEC] [key=value ...] [--json]

Names for model=NAME: Vernier's own zoo, then timm and torchvision, with parameters (BatchNorm's running means and
variances included), how many of them train, multiply-accumulates for one image, the size of that image, and whether
there are published weights (model.pretrained=true). Without wildcards a PATTERN may stand anywhere in the name. For
1000 classes and each network's own image unless told otherwise; for other images every network that matches is built,
which takes about 0.3 s each, and those that can't take them have no figures. Nothing found is exit status 1.

  vernier models                       everything
  vernier models 'resnet1*' --classes 10
  vernier models mobilenet --input-size 128 128 1

show: the layers that have parameters, with the index that model.frozen=SPEC counts by. NAME may be a bundle or a run.

  vernier models show resnet18 --frozen '(0:-1)' model.width_divisor=2""",
    "check": """\
usage: vernier check DIR|CONFIG.yaml|RUN [key=value ...] [--near N] [--html FILE] [--fix LIST.csv] [--json]

Looks at every image before the first step: files that can't be read or are not read, duplicates and near duplicates,
images in two splits or with two labels, classes that are small or missing, sizes, channels, and images that are blank,
dark, bright, blurred or grey among colour. Takes anything that `data=` takes; a run is checked with its own split.

  vernier check photos                               a line for each check, the worst cases below
  vernier check photos --html check.html             with pictures
  vernier check photos --fix clean.csv               without what can't be read, copies, and images with two labels
  vernier train data=clean.csv data.root=photos

--near N: bits of 64 in which the hashes of near duplicates may differ (default 8; 0 to 16). --fix deletes nothing and
overwrites nothing; of copies it keeps the one in test, else val, else train. Exit status 1 when a check fails.

usage: vernier check RUN|CONFIG.yaml --labels [key=value ...] [--folds K] [--epochs N] [--output DIR]
                     [--fix LIST.csv [--drop N]] [--json]

--labels looks for wrong labels: it trains the run's network K times (default 5), each time without a part of the images
that are not test, and lists the labels that these networks contradict, the most suspicious first, with pictures, in
RUN/label_check. --epochs N is train.epochs=N. The same command goes on after an interruption. --fix writes a list
without the suspects, or with --drop N without the N most suspicious images.""",
    "preview": """\
usage: vernier preview [CONFIG.yaml] [key=value ...] [--output FILE.png] [--images N] [--epoch N] [--json]

  vernier preview recipe.yaml data=photos
  vernier preview data=photos 'augment.train=[RandomResizedCrop,{name: Posterize, bits: 3}]' --images 6

Writes a picture (preview.png) of N training images, a row each: as they are, after each operation of augment.train
alone, and after the whole list as epoch N (counted from 1) draws it. Prints the stages that the list compiles to.""",
    "convert": """\
usage: vernier convert SOURCE OUT [--format tfrecord|webdataset|store] [options] [key=value ...] [--json]

  vernier convert photos sets/photos --split_percentages 0.7 0.2 0.1
  vernier convert photos sets/small --format webdataset --preprocessing CENTER_CROP_THEN_SCALE --image_size 256 256
  vernier train data=sets/photos

Writes a data set in fewer, larger files. SOURCE is anything that data=SOURCE takes; OUT is a directory that is not
there yet, and appears when all is written.

  --format F                  tfrecord (default), webdataset (tar shards), or store (decoded pixels, memory-mapped)
  --preprocessing P           NO (default) keeps every file as it is; CENTER_CROP_THEN_SCALE scales the largest square
                              in the middle, SQUARE_MARGIN_THEN_SCALE the image on a black square
  --image_size H W            what it scales to; 224 224 by default
  --split_names A B ...       train validation test by default
  --split_percentages P ...   their shares, which make 1: a stratified draw. Without it splits of the source are kept;
                              where it has none: 0.8 0.1 0.1
  --shard_size N              images in a file at most, 1000 by default; --num_shards N: files of each split
  --name NAME                 of the set, by default the source's; --description TEXT
  --seed N                    of the draw and of the order in the files, 0 by default
  --quality N                 of JPEG files that are scaled, 95 by default
  --check quick|full          quick finds files that are no images or are cut short; full decodes every one
  --annotations FILE          labels from a CSV file: image file, label; --delimiter ';' --header 1
  --add                       add splits of other names to the set in OUT; nothing is ever overwritten

The same command again does nothing. Images that can't be read are left out and listed, with exit status 1.""",
    "config": """\
usage: vernier config [CONFIG.yaml] [key=value ...] [--json]
       vernier config --schema

Shows a config with all defaults, or the JSON Schema that editors complete and check YAML files by.""",
}
