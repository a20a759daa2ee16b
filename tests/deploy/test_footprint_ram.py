"""Lifetimes, offsets and line buffers, against small graphs by hand and a memory that is really written to."""

import numpy as np
import pytest
from footprint_graphs import graph, kernel, node
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.deploy.footprint.allocation import Part, arena_bytes, place
from vernier.deploy.footprint.graph import read_network
from vernier.deploy.footprint.overlay import find_overlay, least_lead
from vernier.deploy.footprint.ram import plan_line_buffers, plan_separate

SHAPE = (1, 4, 6, 5)
SIZE = 4 * 6 * 5


def plans(nodes, shape=SHAPE, output=SHAPE, **constants):
    network = read_network(graph(nodes, {"input": shape}, {"logits": output}, **constants), "int8")
    return network, plan_separate(network), plan_line_buffers(network)


def point(source, target):
    """A convolution that mixes channels and keeps the size."""
    return node("Conv", f"{source} w", target, kernel_shape=[1, 1])


def test_activation_functions_and_views_take_no_memory():
    nodes = [
        point("input", "a"),
        node("Sigmoid", "a", "b"),
        node("Identity", "b", "c"),
        node("HardSwish", "c", "logits"),
    ]
    _, separate, _ = plans(nodes, w=kernel(4, 4, 1, 1))
    assert separate.live_bytes == (2 * SIZE, SIZE, SIZE, SIZE)
    assert len(separate.placements) == 2


def test_an_activation_that_is_read_again_is_not_written_over():
    nodes = [point("input", "a"), node("Sigmoid", "a", "b"), node("Mul", "b a", "logits")]
    _, separate, _ = plans(nodes, w=kernel(4, 4, 1, 1))
    assert separate.live_bytes == (2 * SIZE, 2 * SIZE, 2 * SIZE)


def test_a_residual_connection_keeps_its_input_until_it_is_added():
    nodes = [point("input", "a"), point("a", "b"), point("b", "c"), node("Add", "c a", "logits")]
    _, separate, _ = plans(nodes, w=kernel(4, 4, 1, 1))
    assert separate.live_bytes == (2 * SIZE, 2 * SIZE, 3 * SIZE, 2 * SIZE)
    assert separate.bytes == 3 * SIZE


def test_a_gate_of_another_size_is_no_place_for_the_result():
    nodes = [node("GlobalAveragePool", "input", "gate"), node("Mul", "gate input", "logits")]
    _, separate, _ = plans(nodes)
    assert separate.live_bytes == (SIZE + 4, SIZE + 4)


def test_a_view_keeps_what_it_looks_at():
    nodes = [
        point("input", "a"),
        node("Flatten", "a", "flat"),
        point("a", "b"),
        node("Flatten", "b", "other"),
        node("Add", "flat other", "logits"),
    ]
    _, separate, _ = plans(nodes, output=(1, SIZE), w=kernel(4, 4, 1, 1))
    assert separate.live_bytes == (2 * SIZE, SIZE, 2 * SIZE, 2 * SIZE, 2 * SIZE)


def test_all_parts_of_a_concatenation_live_beside_it():
    nodes = [point("input", "a"), point("input", "b"), node("Concat", "a b", "logits", axis=1)]
    _, separate, _ = plans(nodes, output=(1, 8, 6, 5), w=kernel(4, 4, 1, 1))
    assert separate.live_bytes == (2 * SIZE, 3 * SIZE, 4 * SIZE)


def test_an_output_lives_to_the_end():
    nodes = [point("input", "logits"), point("logits", "a"), node("GlobalAveragePool", "a", "b")]
    _, separate, _ = plans(nodes, w=kernel(4, 4, 1, 1))
    assert separate.live_bytes == (2 * SIZE, 2 * SIZE, 2 * SIZE + 4)


@given(
    st.integers(1, 9),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(1, 20),
)
def test_no_row_is_overwritten_that_is_still_needed(rows_out, row_in, row_out, stride, padding, rows_in):
    lead = least_lead(rows_out, row_in, row_out, stride, padding, rows_in)
    assert lead >= 0
    assert _is_safe(lead, rows_out, row_in, row_out, stride, padding, rows_in)
    assert lead == 0 or not _is_safe(lead - 1, rows_out, row_in, row_out, stride, padding, rows_in)


def _is_safe(lead, rows_out, row_in, row_out, stride, padding, rows_in):
    """Go through all rows and look at single addresses; the input begins at 0."""
    for row in range(rows_out):
        written = range(-lead + row * row_out, -lead + (row + 1) * row_out)
        needed = {line for later in range(row + 1, rows_out) for line in range(later * stride - padding, rows_in)}
        addresses = {line * row_in + byte for line in needed if line >= 0 for byte in range(row_in)}
        if addresses & set(written):
            return False
    return True


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 1, 1, 1]},
        {"pads": [0, 0, 1, 1], "strides": [2, 2]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"dilations": [2, 2], "pads": [2, 2, 2, 2]},
        {},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [2, 4, 9])
def test_a_convolution_in_one_memory_gives_what_it_should(attributes, channels):
    rows, columns = _output_size(attributes)
    nodes = [node("Conv", "input w", "logits", kernel_shape=[3, 3], **attributes)]
    weights = kernel(channels, 4, 3, 3)
    network, separate, buffered = plans(nodes, (1, 4, 9, 7), (1, channels, rows, columns), w=weights)
    offsets = {placement.name: placement.offset for placement in buffered.placements}
    images = np.random.default_rng(0).normal(size=(9, 7, 4))
    expected = _convolve(images, weights, network.operators[0].attributes, range(rows), columns)
    memory = np.full(buffered.bytes, np.nan)
    memory[offsets["input"] : offsets["input"] + images.size] = images.ravel()
    line = offsets["a row of logits"]
    step = columns * channels
    for row in range(rows):
        seen = memory[offsets["input"] : offsets["input"] + images.size].reshape(images.shape)
        memory[line : line + step] = _convolve(seen, weights, network.operators[0].attributes, [row], columns).ravel()
        start = offsets["logits"] + row * step
        memory[start : start + step] = memory[line : line + step]
    found = memory[offsets["logits"] : offsets["logits"] + expected.size].reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)
    assert buffered.bytes < separate.bytes


def _output_size(attributes):
    if "auto_pad" in attributes:
        return 5, 4
    pads, stride = attributes.get("pads", [0, 0, 0, 0]), attributes.get("strides", [1])[0]
    reach = 2 * attributes.get("dilations", [1])[0] + 1
    return tuple((size + pads[axis] + pads[axis + 2] - reach) // stride + 1 for axis, size in enumerate((9, 7)))


def _convolve(image, weights, attributes, rows, columns):
    """Some rows of a convolution, reading nothing but the rows in their windows."""
    stride, dilation = attributes.get("strides", [1])[0], attributes.get("dilations", [1])[0]
    top, left = attributes.get("pads", [0, 0])[:2]
    if attributes.get("auto_pad"):
        top, left = _same(9, stride, attributes["auto_pad"]), _same(7, stride, attributes["auto_pad"])
    out = np.zeros((len(rows), columns, len(weights)))
    for number, row in enumerate(rows):
        for column in range(columns):
            for down in range(3):
                for right in range(3):
                    y, x = row * stride - top + down * dilation, column * stride - left + right * dilation
                    if 0 <= y < 9 and 0 <= x < 7:
                        out[number, column] += weights[:, :, down, right] @ image[y, x]
    return out


def _same(size, stride, kind):
    missing = (-(-size // stride) - 1) * stride + 3 - size
    return missing // 2 if kind == b"SAME_UPPER" else missing - missing // 2


def test_line_buffers_are_left_alone_where_they_save_nothing():
    nodes = [node("GlobalAveragePool", "input", "a"), point("a", "logits")]
    _, separate, buffered = plans(nodes, output=(1, 4, 1, 1), w=kernel(4, 4, 1, 1))
    assert buffered.live_bytes == separate.live_bytes
    assert all("row" not in placement.name for placement in buffered.placements)


def test_an_input_that_is_needed_again_is_not_written_over_by_lines():
    nodes = [point("input", "a"), node("Add", "a input", "logits")]
    _, separate, buffered = plans(nodes, w=kernel(4, 4, 1, 1))
    assert buffered.bytes == separate.bytes == 2 * SIZE


def test_a_chain_keeps_its_distances():
    nodes = [point("input", "a"), point("a", "b"), point("b", "logits")]
    network, _, buffered = plans(nodes, w=kernel(4, 4, 1, 1))
    offsets = {placement.name: placement.offset for placement in buffered.placements}
    lead = find_overlay(network.operators[1], network).lead
    assert offsets["a"] - offsets["b"] == lead
    assert buffered.peak_bytes == SIZE + SIZE // 6 + lead


@st.composite
def blocks(draw):
    names = iter(range(100))
    made = []
    for _ in range(draw(st.integers(1, 12))):
        parts, time, start = [], draw(st.integers(0, 8)), 0
        for _ in range(draw(st.integers(1, 3))):
            end = time + draw(st.integers(0, 3))
            parts.append(Part(str(next(names)), draw(st.integers(1, 30)), time, end, start))
            time, start = end + 1, start + draw(st.integers(-9, 9))
        made.append(tuple(parts))
    return made


@settings(max_examples=25, deadline=None)
@given(blocks())
def test_nothing_lies_over_anything_that_is_needed(given_blocks):
    placed = {placement.name: placement for placement in place(given_blocks, enough=60)}
    parts = [part for block in given_blocks for part in block]
    assert set(placed) == {part.name for part in parts}
    assert min(placement.offset for placement in placed.values()) >= 0
    for block in given_blocks:
        assert len({placed[part.name].offset - part.start for part in block}) == 1
    for time in range(24):
        now = [placed[part.name] for part in parts if part.first <= time <= part.last]
        taken = [byte for placement in now for byte in range(placement.offset, placement.offset + placement.bytes)]
        assert len(taken) == len(set(taken))
        assert len(taken) <= arena_bytes(placed.values())
