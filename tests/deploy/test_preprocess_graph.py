from typing import get_args

import numpy as np
import onnx
import pytest
from graph_sessions import GraphOf, preprocessing_model
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.config.augment import CentralCrop, Normalize, Rescale, Resize
from vernier.config.operations.base import ResizeKernel

KERNELS = get_args(ResizeKernel)
SIZES = [(1, 1), (1, 40), (40, 1), (2, 3), (19, 23), (24, 20), (23, 200), (300, 31), (97, 64)]
LEVELS = 5e-4
"""Of 255: what sums of float32 in another order may differ by; the worst seen is 2e-4."""

CHAINS = {
    "fit": [Resize(size=(19, 23))],
    "crop": [Resize(size=(19, 23), mode="crop")],
    "letterbox": [Resize(size=(19, 23), mode="letterbox")],
    "shortest": [Resize(size=22, mode="shortest"), CentralCrop(size=(19, 23))],
    "longest": [Resize(size=(22, 20), mode="longest"), CentralCrop(size=(19, 23))],
    "crop of pixels": [CentralCrop(size=(19, 23))],
    "fraction first": [CentralCrop(fraction=0.7), Resize(size=(19, 23))],
    "crops around": [CentralCrop(size=50), CentralCrop(fraction=0.8), Resize(size=30), CentralCrop(size=(19, 23))],
    "two resizes": [Resize(size=40, mode="shortest"), CentralCrop(fraction=0.9), Resize(size=(19, 23), mode="longest")],
}
"""Each ends in 19 x 23, but for the last, which a crop completes."""


def _compile(*operations, channels=3, fill=0, interpolation="bilinear") -> Preprocessing:
    return compile_preprocessing(operations, channels=channels, fill=fill, interpolation=interpolation)


def _random(height: int, width: int, channels: int = 3) -> np.ndarray:
    generator = np.random.default_rng(height * 1000 + width)
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


def _assert_same(graph: GraphOf, preprocessing: Preprocessing, image: np.ndarray) -> None:
    atol = LEVELS * np.abs(preprocessing.scale).max()
    np.testing.assert_allclose(graph(image), preprocessing(image), rtol=1e-6, atol=atol, err_msg=str(image.shape))


FEW = [("letterbox", kernel) for kernel in KERNELS] + [(chain, "bicubic") for chain in CHAINS if chain != "letterbox"]
ALL = [pytest.param(chain, kernel, marks=pytest.mark.slow) for chain in CHAINS for kernel in KERNELS]


@pytest.mark.parametrize(("chain", "kernel"), [*FEW, *ALL])
def test_any_size_is_preprocessed_as_by_numpy(chain, kernel):
    preprocessing = _compile(*CHAINS[chain], CentralCrop(size=(19, 23)), fill=114, interpolation=kernel)
    graph = GraphOf(preprocessing)
    for size in SIZES:
        _assert_same(graph, preprocessing, _random(*size))


@pytest.mark.parametrize("kernel", ["bilinear", "area", "lanczos3"])
def test_without_antialias(kernel):
    preprocessing = _compile(Resize(size=(19, 23), antialias=False, interpolation=kernel))
    graph = GraphOf(preprocessing)
    for size in SIZES:
        _assert_same(graph, preprocessing, _random(*size))


@pytest.mark.parametrize(("layout", "chain"), [("nhwc", chain) for chain in CHAINS] + [("nchw", "letterbox")])
def test_one_size_is_preprocessed_as_by_numpy(chain, layout):
    preprocessing = _compile(*CHAINS[chain], CentralCrop(size=(19, 23)), fill=9, interpolation="bicubic")
    for size in [(1, 1), (19, 23), (300, 31)]:
        _assert_same(GraphOf(preprocessing, layout=layout, image_size=size), preprocessing, _random(*size))


def test_huge_images():
    preprocessing = _compile(Resize(size=64, mode="shortest"), CentralCrop(size=56), interpolation="bicubic")
    dynamic = GraphOf(preprocessing)
    for size in [(2100, 1500), (30, 9000)]:
        _assert_same(dynamic, preprocessing, _random(*size))
        _assert_same(GraphOf(preprocessing, image_size=size), preprocessing, _random(*size))


def test_large_images_of_one_size_need_no_whole_matrix():
    preprocessing = _compile(Resize(size=64))
    assert preprocessing_model(preprocessing, image_size=(3000, 4000)).ByteSize() < 64 * 7000 * 4 / 3


RESIZE = st.builds(
    Resize,
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    mode=st.sampled_from(["fit", "shortest", "crop", "longest", "letterbox"]),
    interpolation=st.sampled_from([None, *KERNELS]),
    antialias=st.booleans(),
)
CROP = st.one_of(
    st.builds(CentralCrop, size=st.tuples(st.integers(1, 50), st.integers(1, 50))),
    st.builds(CentralCrop, fraction=st.floats(0.1, 1)),
)
LENGTH = st.one_of(st.integers(1, 9), st.integers(1, 300))


@given(
    st.lists(st.one_of(RESIZE, CROP), max_size=4),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([0, 37]),
    st.sampled_from(["nhwc", "nchw"]),
    st.lists(st.tuples(LENGTH, LENGTH), min_size=1, max_size=3),
)
@settings(max_examples=20, deadline=None)
def test_any_chain(operations, channels, fill, layout, sizes):
    preprocessing = _compile(
        *operations, CentralCrop(size=(9, 7)), Rescale(scale=0.5, offset=3), channels=channels, fill=fill
    )
    graph = GraphOf(preprocessing, layout=layout)
    for size in sizes:
        _assert_same(graph, preprocessing, _random(*size, channels))
    _assert_same(
        GraphOf(preprocessing, layout=layout, image_size=sizes[0]), preprocessing, _random(*sizes[0], channels)
    )


@pytest.mark.parametrize("image_size", [None, (40, 30)])
def test_a_batch_is_its_images(image_size):
    preprocessing = _compile(Resize(size=(20, 16), mode="letterbox"), Normalize(mean=(0.4, 0.5, 0.6), std=0.2), fill=5)
    images = np.stack([_random(40, 30), _random(40, 30)[::-1]])
    expected = np.stack([preprocessing(image) for image in images])
    np.testing.assert_allclose(GraphOf(preprocessing, image_size=image_size).batch(images), expected, atol=2e-5)


@pytest.mark.parametrize("opset", [13, 18, 24])
def test_every_opset(opset):
    preprocessing = _compile(Resize(size=30, mode="shortest"), CentralCrop(size=24), interpolation="lanczos3", fill=1)
    onnx.checker.check_model(preprocessing_model(preprocessing, opset=opset), full_check=True)
    _assert_same(GraphOf(preprocessing, opset=opset), preprocessing, _random(60, 45))


def test_an_image_of_the_right_size_stays_exactly_as_it_is():
    image = _random(32, 48)
    for kernel in KERNELS:
        result = GraphOf(_compile(Resize(size=(32, 48), mode="letterbox"), interpolation=kernel))(image)
        np.testing.assert_array_equal(result, image.transpose(2, 0, 1).astype(np.float32))


def test_the_graph_is_small_and_its_names_are_its_own():
    preprocessing = _compile(Resize(size=256, mode="shortest"), CentralCrop(size=224), fill=3)
    model = preprocessing_model(preprocessing)
    names = [name for node in model.graph.node for name in (node.name, *node.output)]
    assert {name for name in names if not name.startswith("preprocess/")} == {"input"}
    assert len(model.graph.node) < 250
    read = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} < read
    assert {node.output[0] for node in model.graph.node} <= read | {"input"}
    assert {node.domain for node in model.graph.node} == {""}
    assert not {node.op_type for node in model.graph.node} & {"Resize", "Loop", "Scan", "If"}
