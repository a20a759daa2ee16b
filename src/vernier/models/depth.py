"""Networks of another depth.

A ResNet's depth is its number of weighted layers: the stem, the convolutions of its blocks (two in a basic block,
three in a bottleneck, shortcuts not counted) and the head (He et al. 2016, table 1). MobileNetV2's is its number of
inverted residual blocks.
"""

import re
from collections.abc import Mapping
from typing import Any

from vernier.errors import ModelError
from vernier.models.architecture import Provider
from vernier.models.zoo.resnet_cifar import DEPTHS as RESNET_CIFAR_DEPTHS
from vernier.models.zoo.wide_resnet import DEPTHS as WIDE_RESNET_DEPTHS

_Blocks = tuple[int, ...]
"""Blocks of each stage."""

_BASIC: Mapping[int, _Blocks] = {
    10: (1, 1, 1, 1),
    12: (1, 1, 2, 1),
    14: (1, 2, 2, 1),
    16: (2, 2, 2, 1),
    18: (2, 2, 2, 2),
    20: (2, 2, 3, 2),
    22: (2, 3, 3, 2),
    24: (2, 3, 4, 2),
    26: (3, 3, 4, 2),
    28: (3, 3, 4, 3),
    30: (3, 4, 4, 3),
    32: (3, 4, 5, 3),
    34: (3, 4, 6, 3),
}
"""10, 18 and 34 are published; the others grow from one to the next, a block at a time."""

_BOTTLENECK: Mapping[int, _Blocks] = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    38: (2, 3, 5, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
"""All published: 38 by Ramachandran et al. 2019 ("Stand-Alone Self-Attention"), 14, 26 and 200 as timm has them."""

_INVERTED_RESIDUALS: Mapping[int, _Blocks] = {
    7: (1, 1, 1, 1, 1, 1, 1),
    8: (1, 2, 1, 1, 1, 1, 1),
    9: (1, 2, 2, 1, 1, 1, 1),
    10: (1, 2, 2, 2, 1, 1, 1),
    11: (1, 2, 2, 2, 2, 1, 1),
    12: (1, 2, 2, 2, 2, 2, 1),
    13: (1, 2, 3, 2, 2, 2, 1),
    14: (1, 2, 3, 3, 2, 2, 1),
    15: (1, 2, 3, 3, 3, 2, 1),
    16: (1, 2, 3, 3, 3, 3, 1),
    17: (1, 2, 3, 4, 3, 3, 1),
}
"""17 is published; each stage grows to its published length, a block at a time, in turn."""

_MOBILENET_V2 = ((1, 16, 1), (6, 24, 2), (6, 32, 2), (6, 64, 2), (6, 96, 1), (6, 160, 2), (6, 320, 1))
"""Expansion, output channels and stride of each stage (Sandler et al. 2018, table 2)."""

_RESNET = re.compile(r"(?:wide_|se)?resnex?t(?:aa|blur)?(\d+)")
_ZOO = {
    "resnet_cifar": RESNET_CIFAR_DEPTHS,
    "st_resnet": RESNET_CIFAR_DEPTHS,
    "wide_resnet": WIDE_RESNET_DEPTHS,
}


def depth_arguments(provider: Provider, name: str, depth: int) -> dict[str, Any]:
    """Arguments that give a network of `provider` another number of layers.

    Args:
        provider: Who builds it, with these keyword arguments beside all others.
        name: A name of the provider, for timm with or without a tag.
        depth: `model.depth`; for the zoo it is handed on as it is.

    Raises:
        ModelError: its family comes in one depth only, or not in this one.
    """
    match provider:
        case "zoo" if name in _ZOO:
            return {"depth": depth}
        case "timm" if stages := _timm_stages(name):
            return {"layers": _blocks(stages, name, provider, depth)}
        case "torchvision" if name == "mobilenet_v2":
            repeats = _blocks(_INVERTED_RESIDUALS, name, provider, depth)
            rows = zip(_MOBILENET_V2, repeats, strict=True)
            return {"inverted_residual_setting": [[t, channels, n, s] for (t, channels, s), n in rows]}
        case _:
            raise ModelError(
                f"model.depth={depth}: {name} ({provider}) comes in one depth only; {_remedy(provider, name)}"
            )


def depths(provider: Provider, name: str) -> tuple[int, ...]:
    """The depths to choose from, ascending; empty if the network comes in one only.

    Args:
        provider: Who builds it.
        name: A name of the provider, for timm with or without a tag.
    """
    match provider:
        case "zoo":
            return _ZOO.get(name, ())
        case "timm":
            return tuple(_timm_stages(name))
        case "torchvision" if name == "mobilenet_v2":
            return tuple(_INVERTED_RESIDUALS)
        case _:
            return ()


def _timm_stages(name: str) -> Mapping[int, _Blocks]:
    """The block tables of a ResNet's kind of block; none for any other network."""
    import timm

    network = name.partition(".")[0]
    match = _RESNET.match(network)
    if match is None or not timm.models.is_model_in_modules(network, ["resnet"]):
        return {}
    own_depth = int(match[1])
    if own_depth in (10, 18, 34):
        return _BASIC
    return _BOTTLENECK if own_depth in _BOTTLENECK else {}


def _blocks(stages: Mapping[int, _Blocks], name: str, provider: Provider, depth: int) -> list[int]:
    if depth not in stages:
        allowed = ", ".join(map(str, stages))
        raise ModelError(f"model.depth={depth}: {name} ({provider}) comes in depths {allowed}; set one of them")
    return list(stages[depth])


def _remedy(provider: Provider, name: str) -> str:
    if provider == "timm" and name.startswith("mobilenetv2"):
        return (
            f"set model.name=mobilenet_v2 with model.provider=torchvision, which comes in "
            f"{', '.join(map(str, _INVERTED_RESIDUALS))}, or leave model.depth out"
        )
    if provider == "torchvision" and (others := depths("timm", name)):
        return (
            f"timm's network of this name comes in {', '.join(map(str, others))}: set model.provider=timm, "
            "or leave model.depth out"
        )
    return "leave model.depth out"
