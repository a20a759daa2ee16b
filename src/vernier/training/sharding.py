"""Weights, gradients and optimizer state that lie in shards, one a process: torch's FSDP2 (Zhao et al. 2023).

A block's weights are put together while it computes. Checkpoints and bundles hold whole tensors under plain names, so
they do not depend on how many processes wrote them. Every function here that needs whole tensors is called by all
processes, because each of them has a part.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from vernier.errors import ConfigError, ConfigProblem
from vernier.optim.clipping import gradients_of


def shard(model: nn.Module, device: torch.device, processes: int, *, reshard_after_forward: bool = True) -> None:
    """Move a model to the devices of all processes, in place; each keeps its shard of every parameter.

    Args:
        model: With the same weights in all processes.
        device: Of this process.
        reshard_after_forward: Drop a block's whole weights until the backward pass needs them again.

    Raises:
        ConfigError: parameters that can't be cut.
    """
    _check(model)
    mesh = init_device_mesh(device.type, (processes,))
    # torch cuts weights along their first axis and wants them to lie in its order.
    model.to(memory_format=torch.contiguous_format)
    for part in (*blocks(model), model):
        fully_shard(part, mesh=mesh, reshard_after_forward=reshard_after_forward)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """What is put together at a time: the members of the outermost sequences; the rest goes with the whole model."""
    for child in module.children():
        is_member = isinstance(module, nn.Sequential) and not isinstance(child, nn.Sequential)
        if is_member and any(True for _ in child.parameters()):
            yield child
        else:
            yield from blocks(child)


def _check(model: nn.Module) -> None:
    names: dict[nn.Parameter, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.ndim == 0:
            raise _refusal(f"{name} is a single number, which can't be cut into shards")
        if names.setdefault(parameter, name) != name:
            raise _refusal(f"{name} is {names[parameter]} too, and a shard belongs to one layer")


def _refusal(what: str) -> ConfigError:
    return ConfigError([ConfigProblem("train.strategy", f"fsdp can't train this network: {what}; use ddp")])


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` has been here."""
    return isinstance(model, FSDPModule)


@contextmanager
def gradients_not_yet_exchanged(model: nn.Module) -> Iterator[None]:
    """Gradients that are added within stay in this process, because more are to come."""
    assert isinstance(model, FSDPModule)
    model.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        model.set_requires_gradient_sync(True)


def clip_sharded_norm_(parameters: Iterable[Tensor], max_norm: float) -> None:
    """Scale all gradients by one factor so that the L2 norm of all shards of all processes is at most `max_norm`."""
    gradients = [_own_shard(gradient) for gradient in gradients_of(parameters)]
    if not gradients:
        return
    squares = torch.stack(torch._foreach_norm(gradients, 2, torch.float32)).square().sum()
    torch.distributed.all_reduce(squares)
    torch._foreach_mul_(gradients, max_norm / squares.sqrt().clamp(min=max_norm))


def _own_shard(tensor: Tensor) -> Tensor:
    """The part of this process; what is done to it in place is done to the whole."""
    assert isinstance(tensor, DTensor)
    return tensor.to_local()


def skeleton_of(model: nn.Module) -> nn.Module:
    """A copy without weights, to be made before a model is sharded."""
    return copy.deepcopy(model).to("meta")


def whole_model(model: nn.Module, skeleton: nn.Module) -> nn.Module:
    """A model on the CPU with all weights of a sharded one."""
    whole = copy.deepcopy(skeleton)
    whole.load_state_dict(model_state(model), assign=True)
    return whole


def model_state(model: nn.Module) -> dict[str, Any]:
    """The state of a model, in whole tensors."""
    if not is_sharded(model):
        return model.state_dict()
    _reshard(model)
    return {name: _gathered(value) for name, value in model.state_dict().items()}


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state of an optimizer, in whole tensors."""
    state = optimizer.state_dict()
    if not _has_shards(optimizer):
        return state
    by_parameter = {
        index: {name: _gathered(value) for name, value in values.items()} for index, values in state["state"].items()
    }
    return {**state, "state": by_parameter}


def _gathered(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


def load_model_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """The inverse of `model_state`."""
    if is_sharded(model):
        _reshard(model)
        own = model.state_dict()
        state = {name: _like(own[name], value) for name, value in state.items()}
    model.load_state_dict(state)


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """The inverse of `optimizer_state`, settings of parameter groups included."""
    if _has_shards(optimizer):
        parameters = _parameters(optimizer)
        by_parameter = {
            index: {name: _like(parameters[index], value) for name, value in values.items()}
            for index, values in state["state"].items()
        }
        state = {**state, "state": by_parameter}
    optimizer.load_state_dict(dict(state))


def _has_shards(optimizer: torch.optim.Optimizer) -> bool:
    return any(isinstance(parameter, DTensor) for parameter in _parameters(optimizer))


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """In the order in which the optimizer's state counts them."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _like(tensor: Tensor, value: Any) -> Any:
    """This process's shard of a whole tensor, if `tensor` is one and has its shape; anything else as it is."""
    if not (isinstance(tensor, DTensor) and isinstance(value, Tensor)) or value.shape != tensor.shape:
        return value
    # Every process has read the whole: nobody has to send it.
    whole = value.to(tensor.device)
    return distribute_tensor(whole, tensor.device_mesh, tensor.placements, src_data_rank=None)


def _reshard(model: nn.Module) -> None:
    """Drop whole weights that an evaluation has left behind."""
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


@final
class Evaluated(nn.Module):
    """A sharded model for use under `torch.inference_mode`, whose tensors could not be trained with afterwards."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs)."""
        with torch.inference_mode(mode=False), torch.no_grad():
            outputs: Tensor = self.model(images.clone())
            return outputs
