"""Names of networks as other systems spell them, and names close to a misspelt one."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

_SUGGESTIONS = 5

SPELLINGS: Mapping[str, str] = {
    # UpStride
    "MobileNetV2": "mobilenetv2_100",
    "MobileNetV3Large": "mobilenetv3_large_100",
    "MobileNetV3Small": "mobilenetv3_small_100",
    "SqueezeNet": "squeezenet1_1",
    # Basegun
    **{f"EffB{size}": f"efficientnet_b{size}" for size in range(8)},
    "Res18": "resnet18",
    "Dense169": "densenet169",
    "Dense201": "densenet201",
    # STM32's zoo
    "fdmobilenet": "fd_mobilenet",
    "st_fdmobilenet": "st_fd_mobilenet_v1",
    "st_efficientnet_lc": "st_efficientnet_lc_v1",
    "stmnist": "st_mnist",
    "custom": "st_custom",
    # Keras
    "ResNet50V2": "resnetv2_50",
    "ResNet101V2": "resnetv2_101",
    "ResNet152V2": "resnetv2_152",
    **{
        f"EfficientNetV2{size}": f"tf_efficientnetv2_{size.lower()}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")
    },
}
"""From other systems' names to ours, where they differ by more than case, `_`, `-` and a final `NCHW`."""

LEFT_OUT: Mapping[str, tuple[str, str]] = {
    "AlexNetQ": ("UpStride's AlexNet with BatchNorm", "alexnet"),
    "AlexNetToy": ("UpStride's smaller AlexNet", "alexnet with model.width_divisor"),
    "MobileNetV2Cifar10": ("UpStride's MobileNetV2 with other strides", "mobilenetv2_100"),
    "MobileNetV2Cifar10_2": ("UpStride's MobileNetV2 with other strides", "mobilenetv2_100"),
    "MobileNetV3LargeCIFAR": ("UpStride's MobileNetV3 with other strides", "mobilenetv3_large_100"),
    "MobileNetV3SmallCIFAR": ("UpStride's MobileNetV3 with other strides", "mobilenetv3_small_100"),
    "PdartsCIFAR": ("P-DARTS", "nasnet_cifar"),
    "PdartsImageNet": ("P-DARTS", "nasnet_mobile"),
    **dict.fromkeys(
        (
            "ShallowComplexNet",
            "DeepComplexNet",
            *(f"{kind}ComplexNet{made}" for kind in ("WS", "DN", "IB") for made in ("TF", "UpStride")),
        ),
        ("one of UpStride's complex networks", "resnet20_cifar with model.algebra=complex"),
    ),
    **dict.fromkeys(
        ("SimpleHyper", "ResNetHyper", "MobileNetV2Cifar10Hyper"),
        ("one of UpStride's hypercomplex networks", "resnet20_cifar with model.algebra=quaternion"),
    ),
    **dict.fromkeys(
        ("FBNet_MobileNetV2Imagenet", "FBNet_MobileNetV2CIFAR", "FBNet_MobileNetV2CIFARUP"),
        ("a search space of UpStride", "fbnetc_100"),
    ),
    "st_resnet_8_hybrid": ("STM32's ResNet with binary weights", "st_resnet8"),
    "glc24_multimodal_ensemble": ("Malpolon's network of several inputs", "resnet18"),
}
"""Names that other systems have and nobody has here: what they are, and what comes nearest."""


def squash(name: str) -> str:
    """A name without case, `_`, `-` and a final `NCHW`."""
    return name.lower().replace("_", "").replace("-", "").removesuffix("nchw")


_BY_SQUASHED = {squash(spelling): name for spelling, name in SPELLINGS.items()}
_LEFT_OUT_BY_SQUASHED = {squash(spelling): reason for spelling, reason in LEFT_OUT.items()}


def translate(name: str, names: Iterable[str]) -> str | None:
    """The first of `names` that a spelling stands for, None where it stands for none."""
    known = list(names)
    word = squash(name)
    if _BY_SQUASHED.get(word) in known:
        return _BY_SQUASHED[word]
    return next((candidate for candidate in known if squash(candidate) == word), None)


def left_out(name: str) -> tuple[str, str] | None:
    """What a name of another system is that nobody has here, and what comes nearest; None for any other."""
    return _LEFT_OUT_BY_SQUASHED.get(squash(name))


def nearest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to five of `names`, and of other systems' spellings, that `name` may be a misspelling of."""
    spelt = {squash(candidate): candidate for candidate in (*SPELLINGS, *names)}
    return tuple(spelt[match] for match in get_close_matches(squash(name), spelt, n=_SUGGESTIONS))
