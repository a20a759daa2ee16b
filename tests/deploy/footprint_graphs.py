"""Graphs for the tests of footprints, and ST's published networks out of our own zoo."""

import numpy as np
import onnx
import torchvision
from onnx import TensorProto, helper, numpy_helper

from vernier.models.zoo.fd_mobilenet import fd_mobilenet, st_fd_mobilenet_v1
from vernier.models.zoo.mobilenet_v1 import mobilenet_v1
from vernier.models.zoo.st_efficientnet_lc import st_efficientnet_lc_v1
from vernier.models.zoo.st_mnist import st_mnist
from vernier.models.zoo.st_resnet import st_resnet8, st_resnet32


def graph(nodes, inputs, outputs, **constants):
    """A model of opset 18; inputs and outputs are names with shapes, constants arrays."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    return model


def node(kind, inputs, outputs, **attributes):
    """Inputs and outputs are words in one string."""
    return helper.make_node(kind, inputs.split(), outputs.split(), name=outputs.split()[0], **attributes)


def kernel(*shape):
    """Weights of some shape, none of them zero."""
    return np.linspace(-1, 1.1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def mobilenet_v2(classes, alpha):
    return torchvision.models.mobilenet_v2(num_classes=classes, width_mult=alpha)


def squeezenet(classes):
    return torchvision.models.squeezenet1_1(num_classes=classes)


PUBLISHED_NETWORKS = {
    "mobilenet v1 0.25": lambda classes, channels: mobilenet_v1(classes, alpha=0.25, in_channels=channels),
    "mobilenet v1 0.5": lambda classes, channels: mobilenet_v1(classes, alpha=0.5, in_channels=channels),
    "mobilenet v1 1.0": lambda classes, channels: mobilenet_v1(classes, in_channels=channels),
    "mobilenet v2 0.35": lambda classes, channels: mobilenet_v2(classes, 0.35),
    "mobilenet v2 1.0": lambda classes, channels: mobilenet_v2(classes, 1.0),
    "mobilenet v2 1.4": lambda classes, channels: mobilenet_v2(classes, 1.4),
    "fdmobilenet 0.25": lambda classes, channels: fd_mobilenet(classes, alpha=0.25),
    "st_fdmobilenet v1": lambda classes, channels: st_fd_mobilenet_v1(classes),
    "squeezenet v1.1": lambda classes, channels: squeezenet(classes),
    "st_efficientnet_lc v1": lambda classes, channels: st_efficientnet_lc_v1(classes),
    "resnet v1 8": lambda classes, channels: st_resnet8(classes),
    "resnet v1 32": lambda classes, channels: st_resnet32(classes),
    "stmnist": lambda classes, channels: st_mnist(classes, in_channels=channels),
}


def build_published(name):
    """A published row's network in eval mode with values as after a training, its channels and its size."""
    network, image, classes = name.split(", ")
    size, channels = int(image.split()[0]), 1 if image.endswith("grey") else 3
    return PUBLISHED_NETWORKS[network](int(classes.split()[0]), channels).eval(), channels, size
