import builtins
import io
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.data.sources.restricted_pickle import load_restricted, loads_restricted
from vernier.errors import DataError

ARRAYS = [
    np.arange(12, dtype=np.uint8).reshape(3, 4),
    np.arange(6, dtype=">i4").reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    np.array([True, False]),
    np.zeros((0, 5), np.int64),
    np.array(3.5),
]


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def python2_array(array: np.ndarray) -> bytes:
    """The array as cPickle of Python 2 with NumPy 1 writes it, protocol 2, without the frame of a pickle."""
    raw = array.tobytes()
    shape = b"".join(b"J" + struct.pack("<i", side) for side in array.shape)
    code = array.dtype.str[1:].encode()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03("
        b"K\x01(" + shape + b"t"
        b"cnumpy\ndtype\nq\x04U" + bytes([len(code)]) + code + b"K\x00K\x01\x87Rq\x05"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + struct.pack("<I", len(raw)) + raw + b"tb"
    )


def python2_text(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
@pytest.mark.parametrize("package", ["numpy.core", "numpy._core"])
def test_arrays_of_every_protocol_come_back(protocol, array, package):
    data = pickle.dumps({"data": array}, protocol=protocol)
    old, new = b"numpy._core", package.encode()
    if protocol >= 4:
        for module in (b".multiarray", b".numeric"):
            before = b"\x8c" + bytes([len(old + module)]) + old + module
            data = data.replace(before, b"\x8c" + bytes([len(new + module)]) + new + module)
        data = data[:2] + data[11:] if data[2:3] == b"\x95" else data  # the frame's length has changed
    else:
        data = data.replace(b"c" + old, b"c" + new)
    read = loads_restricted(data, "x")["data"]
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert np.array_equal(read, array)


def test_python_2_pickle():
    array = np.arange(24, dtype=np.uint8).reshape(2, 12)
    data = b"\x80\x02}(" + python2_text("data") + python2_array(array) + python2_text("labels") + b"](K\x03K\x07eu."
    read = loads_restricted(data, "x")
    assert read[b"labels"] == [3, 7]
    assert np.array_equal(read[b"data"], array)
    oracle = pickle.loads(data, encoding="bytes")
    assert np.array_equal(oracle[b"data"], array)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(value, protocol):
    assert loads_restricted(pickle.dumps(value, protocol=protocol), "x") == value


def test_numpy_scalars_are_numbers():
    data = pickle.dumps([np.int64(3), np.float32(0.5)], protocol=2)
    assert loads_restricted(data, "x") == [3, 0.5]


def test_one_array_in_two_places():
    array = np.arange(3)
    read = loads_restricted(pickle.dumps([array, array]), "x")
    assert np.array_equal(read[0], read[1])


HOSTILE = {
    "os.system": pickle.dumps(Calls(os.system, "echo ran")),
    "eval": pickle.dumps(Calls(eval, "1 + 1")),
    "getattr": pickle.dumps(Calls(builtins.getattr, [], "append")),
    "old protocol": b"cos\nsystem\n(S'echo ran'\ntR.",
    "inst": b"(S'echo ran'\nios\nsystem\n.",
    "object": pickle.dumps(Calls("x".join, ["y"])),
    "new object": pickle.dumps(io.BytesIO(), protocol=2),
    "numpy.load": b"cnumpy\nload\n(S'/etc/passwd'\ntR.",
    "module attribute": b"\x80\x04\x8c\x05numpy\x8c\x0andarray.tofile\x93.",
    "ndarray called": b"cnumpy\nndarray\n((I99\ntR.",
    "huge ndarray": b"cnumpy\nndarray\n((I99999999999\ntI0\ntR.",
    "other encoding": b"c_codecs\nencode\n(Vabc\nVzlib\ntR.",
    "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".",
    "huge bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    "huge memo": b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".",
    "persistent": b"Pid\n.",
    "extension": b"\x80\x02\x82\x01.",
    "self": b"\x80\x02]q\x00h\x00a.",
    "function": b"cnumpy\ndtype\n.",
    "function given state": b"cnumpy\ndtype\n}(S'a'\nI1\nsb.",
    "unhashable key": b"\x80\x02}]Ns.",
    "empty": b"",
    "cut": pickle.dumps(np.arange(100))[:-20],
    "no pickle": b"<html>Not found</html>",
    "deep tuples": b"\x80\x02)" + b"\x85" * 200_000 + b"}h\x00.",
    "deep lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "doubling": b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(40)) + b".",
}


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "doubling"])
def test_hostile_or_damaged_pickles_are_refused(name, capfd):
    with pytest.raises(DataError, match=r"batch: refused as a pickle of plain arrays: .*Nothing in it was run"):
        loads_restricted(HOSTILE[name], "batch")
    assert capfd.readouterr().out == ""


def test_shared_lists_take_time_for_each_list_not_each_reference():
    value = loads_restricted(HOSTILE["doubling"], "batch")
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 40


def test_encoding_can_not_multiply_the_content():
    text = "V" + "a" * 1000 + "\np0\n0"
    call = "c_codecs\nencode\n(g0\nVlatin1\ntR0"
    with pytest.raises(DataError, match="more text than it holds"):
        loads_restricted((text + call * 100 + "N.").encode(), "batch")


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}, []], dtype=object),
        np.array(["text"]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array(["2020-01-01"], dtype="M8[D]"),
    ],
    ids=["object", "text", "structured", "date"],
)
def test_only_arrays_of_numbers(array):
    with pytest.raises(DataError, match="batch: refused"):
        loads_restricted(pickle.dumps(array, protocol=2), "batch")


def test_array_has_to_fill_its_shape():
    data = b"\x80\x02" + python2_array(np.zeros((2, 3), np.uint8)).replace(b"J\x03\0\0\0", b"J\x04\0\0\0") + b"."
    with pytest.raises(DataError, match=r"6 bytes for an array of shape \(2, 4\)"):
        loads_restricted(data, "batch")


def test_state_of_one_pickle_does_not_reach_the_next():
    with pytest.raises(DataError):
        loads_restricted(HOSTILE["function given state"], "batch")
    array = np.arange(3)
    assert np.array_equal(loads_restricted(pickle.dumps(array), "x"), array)


def test_file_is_named(tmp_path):
    path = tmp_path / "data_batch_1"
    with pytest.raises(DataError, match=r"data_batch_1: can't be read: No such file"):
        load_restricted(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="data_batch_1: refused"):
        load_restricted(path)
