"""Batches copied to a GPU while it works on the one before."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from vernier.data.loader import Batch


def on_device(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """The batches, with images, targets and weights on the device.

    On a GPU each batch is copied on a stream of its own, from pinned memory, while the one before is trained on. A
    batch is asked for one step ahead. On a CPU there is nothing to overlap: batches come through as they are.
    """
    return _copied_ahead(batches, device) if device.type == "cuda" else iter(batches)


def _copied_ahead(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    coming: tuple[Batch, torch.cuda.Event] | None = None
    for batch in batches:
        copied = _copy(batch, stream, device)
        if coming is not None:
            yield _arrived(*coming)
        coming = copied
    if coming is not None:
        yield _arrived(*coming)


def _copy(batch: Batch, stream: torch.cuda.Stream, device: torch.device) -> tuple[Batch, torch.cuda.Event]:
    with torch.cuda.stream(stream):
        copied = replace(
            batch,
            images=_upload(batch.images, device),
            targets=_upload(batch.targets, device),
            weights=_upload(batch.weights, device),
        )
    return copied, stream.record_event()


def _upload(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What is on the device already was put there by the training stream, so nothing has to wait for it."""
    if tensor.device.type == device.type:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _arrived(batch: Batch, event: torch.cuda.Event) -> Batch:
    """The batch, safe to use on the current stream."""
    current = torch.cuda.current_stream(batch.images.device)
    current.wait_event(event)
    for tensor in (batch.images, batch.targets, batch.weights):
        # The allocator must not hand the memory to the copying stream while this one still reads it.
        tensor.record_stream(current)
    return batch
