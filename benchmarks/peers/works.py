"""What is measured: each piece of work with those who do it."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

STEP_MODELS = ("mobilenetv2_100", "resnet18", "resnet50", "efficientnet_b0", "mobilenetv3_small_100")
KERAS_MODELS = ("mobilenetv2_100", "resnet50", "efficientnet_b0")
FINE_TUNED = "mobilenetv2_100"
PARTS = ("step", "pipeline", "epoch", "transfer", "accuracy", "overhead", "waiting")
PEERS = ("pytorch", "timm", "lightning", "keras", "ultralytics")


@dataclass(frozen=True)
class Contestant:
    """One who does a piece of work.

    Attributes:
        name: As the table has it; starts with the tool.
        script: The measuring script, `peer_<script>.py`.
        job: What the script is told, beside what the whole work says.
    """

    name: str
    script: str
    job: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """Something that several tools do, measured by `measure`: images_per_second or seconds."""

    part: str
    name: str
    measure: str
    job: dict[str, Any]
    contestants: tuple[Contestant, ...]

    @property
    def key(self) -> str:
        return f"{self.part}/{self.name}"


def make_works(options: Namespace) -> list[Work]:
    """The work of the chosen parts and peers."""
    makers = {
        "step": _step,
        "pipeline": _pipeline,
        "epoch": _epoch,
        "transfer": _transfer,
        "accuracy": _accuracy,
        "overhead": _overhead,
        "waiting": _waiting,
    }
    return [work for part in options.parts for work in makers[part](options)]


def _chosen(options: Namespace, *peers: str) -> tuple[Contestant, ...]:
    return tuple(Contestant(peer, peer) for peer in peers if peer in options.peers)


def _photos(options: Namespace, **more: Any) -> dict[str, Any]:
    return {"data": str(options.flowers), "image_size": 224, "batch_size": 32, "seconds": options.seconds, **more}


def _step(options: Namespace) -> Iterator[Work]:
    for model in options.models:
        peers = ("pytorch", "keras") if model in KERAS_MODELS else ("pytorch",)
        contestants = (Contestant("vernier", "vernier"), *_chosen(options, *peers))
        yield Work("step", model, "images_per_second", _photos(options, model=model), contestants)


def _pipeline(options: Namespace) -> Iterator[Work]:
    decoding = Contestant("vernier, decoding", "vernier", {"store": "off"})
    stored = Contestant("vernier, store", "vernier", {"store": "disk"})
    heavy = (decoding, stored, *_chosen(options, "pytorch", "timm", "keras"))
    yield Work("pipeline", "heavy list", "images_per_second", _photos(options, list="heavy"), heavy)
    small = {"data": str(options.cifar10), "image_size": 32, "batch_size": 512, "seconds": options.seconds}
    small |= {"list": "small", "work": str(options.work)}
    yield Work("pipeline", "32x32", "images_per_second", small, (stored, *_chosen(options, "pytorch")))


def _epoch(options: Namespace) -> Iterator[Work]:
    job = _photos(options, list="heavy", model=FINE_TUNED, data=str(options.epoch_data), images=options.epoch_count)
    contestants = (Contestant("vernier", "vernier"), *_chosen(options, *PEERS))
    yield Work("epoch", FINE_TUNED, "images_per_second", job, contestants)


def _transfer(options: Namespace) -> Iterator[Work]:
    few = min(options.transfer_epochs, options.epochs)
    job = _photos(options, weights=str(options.weights), views=options.feature_views, epochs=few, of=options.epochs)
    cached = {"epochs": options.epochs, "cache_features": "true"}
    contestants = (
        Contestant("vernier, cached", "vernier", cached),
        Contestant("vernier, not cached", "vernier", {"cache_features": "false"}),
        *_chosen(options, "keras"),
    )
    yield Work("transfer", f"{options.epochs} epochs", "seconds", job, contestants)


def _accuracy(options: Namespace) -> Iterator[Work]:
    job = _photos(options, weights=str(options.weights), target=options.target, model=FINE_TUNED, lr=3e-4, epochs=5)
    contestants = (
        Contestant("vernier, fine-tuning", "vernier", {"config": "finetune.yaml"}),
        Contestant("vernier, head", "vernier", {"config": "head.yaml", "lr": 3e-3, "epochs": 10}),
        *_chosen(options, "pytorch"),
    )
    yield Work("accuracy", f"val {options.target:.0%}", "seconds", job, contestants)


def _overhead(options: Namespace) -> Iterator[Work]:
    contestants = (Contestant("vernier", "vernier"), Contestant("bare loop", "bare"))
    # Vernier's training split of the digits has 1150 images.
    yield Work(
        "overhead", "step of digits_cnn", "seconds", {"epochs": 42, "batch_size": 64, "images": 1150}, contestants
    )
    quickstart = Contestant("vernier", "vernier", {"part": "quickstart"})
    yield Work("overhead", "quickstart", "seconds", {}, (quickstart,))


def _waiting(options: Namespace) -> Iterator[Work]:
    job = _photos(options, model=FINE_TUNED)
    yield Work("waiting", FINE_TUNED, "images_per_second", job, (Contestant("vernier", "vernier"),))
