"""Ranges of activations: against all values at once, however the images are split into batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

onnx = pytest.importorskip("onnx")

from vernier.config.quantize import QuantizeConfig  # noqa: E402
from vernier.deploy.quantize.histogram import BINS, LEVELS, count_values, entropy_bins, percentile_range  # noqa: E402
from vernier.deploy.quantize.processor import choose_reduce_range, overflows  # noqa: E402
from vernier.deploy.quantize.ranges import measure_ranges  # noqa: E402
from vernier.errors import DataError, ModelError  # noqa: E402

METHODS = ["minmax", "moving_average", "entropy", "percentile"]


def doubling(batch: int | str = "N"):
    """logits = 2 * input, of 2 x 4 x 4 images."""
    shape = [batch, 2, 4, 4]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Mul", ["input", "two"], ["logits"], "double")],
        "doubling",
        [info("input", onnx.TensorProto.FLOAT, shape)],
        [info("logits", onnx.TensorProto.FLOAT, shape)],
        [onnx.numpy_helper.from_array(np.float32(2), "two")],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)


def images(n: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((n, 2, 4, 4)) * generator.uniform(0.2, 3, (n, 1, 1, 1)) + 0.3).astype(np.float32)


def measured(values: np.ndarray, method: str, sizes=(3,), network=None, percentile: float = 98.0):
    chosen = QuantizeConfig(method=method, percentile=percentile)

    def batches():
        start = 0
        for number in range(len(values)):
            size = sizes[number % len(sizes)]
            if start < len(values):
                yield values[start : start + size]
            start += size

    return measure_ranges(network or doubling(), ["input", "logits"], batches, chosen)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.sampled_from(METHODS))
def test_batches_do_not_change_ranges(sizes, method):
    values = images(11)
    assert measured(values, method, sizes) == measured(values, method, (11,))


def test_minmax_and_moving_average_are_those_of_numpy():
    values = images(7)
    extremes = measured(values, "minmax")
    assert extremes.images == 7
    assert extremes.of_tensors["input"] == (values.min(), values.max())
    assert extremes.of_tensors["logits"] == (2 * values.min(), 2 * values.max())
    flat = values.reshape(7, -1).astype(np.float64)
    expected = (flat.min(axis=1).mean(), flat.max(axis=1).mean())
    assert measured(values, "moving_average").of_tensors["input"] == pytest.approx(expected, rel=1e-12)


def test_percentiles_are_those_of_all_values_to_a_bin():
    values = images(40)
    low, high = measured(values, "percentile").of_tensors["input"]
    width = (values.max() - values.min()) / BINS
    assert (values < low).mean() <= 0.01 < (values < low + 1.01 * width).mean()
    assert (values > high).mean() <= 0.01 < (values > high - 1.01 * width).mean()


def test_all_values_lie_in_the_100th_percentile():
    values = images(9)
    found, expected = measured(values, "percentile", percentile=100), measured(values, "minmax")
    assert found.of_tensors["logits"] == pytest.approx(expected.of_tensors["logits"])


@pytest.mark.parametrize("method", METHODS)
def test_ranges_hold_zero(method):
    low, high = measured(np.abs(images(5)) + 1, method).of_tensors["input"]
    assert low == 0 < high
    low, high = measured(-np.abs(images(5)) - 1, method).of_tensors["input"]
    assert low < 0 == high


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_that_never_changes(method):
    assert measured(np.zeros((2, 2, 4, 4), np.float32), method).of_tensors["input"] == (0, 0)


def test_a_network_for_batches_of_one_size():
    values = images(5)
    assert measured(values, "minmax", network=doubling(4)).of_tensors == measured(values, "minmax").of_tensors


def test_no_images():
    with pytest.raises(DataError, match=r"quantize\.calibration"):
        measured(images(0), "minmax")


def test_infinite_values():
    values = images(2)
    values[1, 0, 0, 0] = 3e38
    with pytest.raises(ModelError, match="not finite in logits"):
        measured(values, "minmax")


def divergence(counts: np.ndarray, kept: int) -> float:
    """As the method is described: saturate, spread each level over its bins that are not empty, compare."""
    reference = [float(count) for count in counts[:kept]]
    reference[-1] += float(counts[kept:].sum())
    levels = [0.0] * kept
    for level in range(LEVELS):
        bins = range(level * kept // LEVELS, (level + 1) * kept // LEVELS)
        used = [place for place in bins if counts[place] > 0]
        for place in used:
            levels[place] = sum(float(counts[each]) for each in bins) / len(used)
    return float(entropy(reference, levels)) if sum(levels) else np.inf


@pytest.mark.parametrize(("tail", "saturates"), [(0, False), (3, True), (40, False)])
def test_entropy_keeps_what_loses_least(tail, saturates):
    generator = np.random.default_rng(tail)
    values = np.abs(np.concatenate([generator.standard_normal(4000), np.full(tail, 12.0)])).astype(np.float32)
    counts = count_values(values, 0, float(values.max()))
    trimmed = counts.copy()
    trimmed[0] = trimmed[1]
    kept = entropy_bins(counts)
    least = min(divergence(trimmed, each) for each in range(LEVELS, BINS + 1, 64))
    assert divergence(trimmed, kept) <= least
    assert (kept < 0.6 * BINS) == saturates


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=200).filter(lambda v: max(v) - min(v) > 1e-3))
def test_counts_are_those_of_numpy(values):
    array = np.array(values, np.float32)
    low, high = float(array.min()), float(array.max())
    counts = count_values(array, low, high)
    assert counts.sum() == len(values)
    direct = np.histogram(array.astype(np.float64), BINS, (low, high))[0]
    # A value on an edge may fall to either side in float32.
    assert np.abs(np.cumsum(counts) - np.cumsum(direct)).max() <= np.unique(array, return_counts=True)[1].sum() // 2 + 1
    assert percentile_range(counts, low, high, 100) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("machine", "text", "expected"),
    [
        ("x86_64", "flags\t\t: fpu avx2 avx512_vnni", (False, "the processor has avx512_vnni")),
        ("AMD64", "flags : avx2 avx_vnni", (False, "the processor has avx_vnni")),
        ("x86_64", "flags : fpu avx2", (True, "the processor has no VNNI instructions")),
        ("x86_64", "", (False, "what the processor can do is unknown")),
        ("aarch64", "Features : fp asimd", (False, "aarch64 processors add 8-bit products without overflow")),
    ],
)
def test_seven_bits_only_where_sums_overflow(machine, text, expected):
    assert overflows(machine, text) == expected


def test_seven_bits_on_request():
    assert choose_reduce_range(True) == (True, "as asked for")
    assert choose_reduce_range(False) == (False, "as asked for")
