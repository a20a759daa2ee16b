"""The callbacks of a training, in the order in which their hooks are called."""

from collections.abc import Iterator

from vernier.config.schedule import ReduceOnPlateauConfig
from vernier.track.csv_tracker import CSVTracker
from vernier.track.mlflow_tracker import MLflowTracker
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.track.tracker import Tracker
from vernier.training.callbacks.callback import Callback
from vernier.training.callbacks.checkpoints import Checkpoints
from vernier.training.callbacks.custom import make_custom_callbacks
from vernier.training.callbacks.early_stopping import make_early_stopping
from vernier.training.callbacks.ema import make_ema
from vernier.training.callbacks.extended_validation import ExtendedValidation
from vernier.training.callbacks.keep_best import KeepBest
from vernier.training.callbacks.per_class_records import PerClassRecords
from vernier.training.callbacks.plateau import ReduceOnPlateau
from vernier.training.callbacks.profiler import Profiler
from vernier.training.callbacks.records import Records
from vernier.training.callbacks.tensorboard import tensorboard_callbacks
from vernier.training.callbacks.time_limit import TimeLimit
from vernier.training.run_directory import RunDirectory
from vernier.training.setup import Setup
from vernier.training.state import TrainState


def make_callbacks(setup: Setup, run: RunDirectory, state: TrainState) -> tuple[Callback, ...]:
    """All of them.

    Measures of more sets come first, because the best model may go by them; then what is recorded and kept; the
    averages of the weights last, because they stand in the model until then.
    """
    return tuple(_callbacks(setup, run, state))


def _callbacks(setup: Setup, run: RunDirectory, state: TrainState) -> Iterator[Callback]:
    config = setup.config
    if config.evaluate.extended is not None:
        yield ExtendedValidation(config.evaluate.extended)
    if setup.group.rank == 0:
        yield from _records(setup, run, state)
    yield KeepBest()
    stopping = make_early_stopping(config)
    if stopping is not None:
        yield stopping
    if isinstance(config.schedule, ReduceOnPlateauConfig):
        yield ReduceOnPlateau(config.schedule)
    yield from make_custom_callbacks(config.callbacks.custom)
    yield Checkpoints()
    if config.train.max_time is not None:
        yield TimeLimit(config.train.max_time)
    if config.train.profile:
        yield Profiler()
    ema = make_ema(config)
    if ema is not None:
        yield ema


def _records(setup: Setup, run: RunDirectory, state: TrainState) -> Iterator[Callback]:
    """What writes, in the first process; the trackers close last."""
    tensorboard = TensorBoardTracker(run.events(setup.config.run), state.step)
    yield from tensorboard_callbacks(setup.config.track.tensorboard, tensorboard)
    if setup.config.evaluate.per_class:
        yield PerClassRecords(run.path, tensorboard)
    yield Records((CSVTracker(run.path, state.epoch, state.step), tensorboard, *_mlflow(setup, run)))


def _mlflow(setup: Setup, run: RunDirectory) -> tuple[Tracker, ...]:
    mlflow = setup.config.track.mlflow
    return () if mlflow is None else (MLflowTracker(run.path, mlflow),)
