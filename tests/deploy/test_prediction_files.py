import csv
import io
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.deploy.answering import Answering
from vernier.deploy.prediction_columns import Columns
from vernier.deploy.prediction_files import AppendedFile, CsvFormat, JsonLinesFormat, WrittenFile
from vernier.deploy.prediction_parquet import ParquetFile
from vernier.deploy.prediction_sink import deliver
from vernier.deploy.predictions import Failure
from vernier.errors import RunError
from vernier.models.task import make_task

CLASSES = ("a", 'b, "c"', "ü\n")
ANSWERING = Answering(make_task("multiclass", CLASSES), top_k=2, reject=0.6, levels=(0.5, 0.9))
COLUMNS = Columns.of(ANSWERING, probabilities=True)
PLAIN = Columns.of(Answering(make_task("multiclass", CLASSES)), probabilities=False)


FILE_NAMES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0")),
    st.binary().map(os.fsdecode).filter(lambda name: not {"\r", "\0"} & set(name)),
)
"""Text, and bytes that are none: the system gives these as lone surrogates."""


def _rows(count=3):
    values = np.random.default_rng(0).dirichlet([0.3] * 3, count).astype(np.float32)
    return list(ANSWERING.answers([f"{number}.jpg" for number in range(count)], values))


def _ends_by(error, blocks):
    yield from blocks
    raise error


@given(
    st.lists(
        st.tuples(
            FILE_NAMES,
            st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3),
        ),
        max_size=4,
    )
)
def test_csv_and_json_lines_give_back_what_was_written(pairs):
    shares = np.array([values for _, values in pairs], np.float32).reshape(-1, 3)
    rows = list(ANSWERING.answers([path for path, _ in pairs], shares))
    text = CsvFormat(COLUMNS)
    read = list(csv.reader(io.StringIO((text.head + text.encode(rows)).decode(errors="surrogateescape"), newline="")))
    assert read[0] == COLUMNS.names
    assert len(read) == 1 + len(rows)
    lines = JsonLinesFormat(COLUMNS).encode(rows).decode().splitlines()
    for row, cells, line in zip(rows, read[1:], lines, strict=True):
        found, values = dict(zip(COLUMNS.names, cells, strict=True)), json.loads(line)
        assert found["path"] == values["path"] == row.path
        assert found["rejected"] == str(values["rejected"]).lower() == str(row.confidence < np.float32(0.6)).lower()
        assert found["prediction"] == ("unknown" if row.rejected else row.guess)
        assert found["guess"] == values["guess"] == row.guess
        assert found["level"] == values["level"] == row.level
        assert [np.float32(cell) for cell in cells[-3:]] == row.probabilities.tolist()
        assert values["probabilities"] == {name: float(found[f"p_{name}"]) for name in CLASSES}


def test_without_wishes_there_are_three_columns():
    assert PLAIN.names == ["path", "prediction", "confidence"]
    assert PLAIN.to_json(_rows(1)[0]).keys() == {"path", "prediction", "confidence", "top"}


def test_a_file_has_its_name_when_all_is_written(tmp_path):
    file = tmp_path / "out.csv"
    sizes = []

    def told(block) -> None:
        assert not file.exists()
        sizes.append((tmp_path / "out.csv.part").stat().st_size)

    rows = _rows(4)
    blocks = ([*rows[at : at + 2], Failure("x.jpg", "is empty")] for at in (0, 2))
    deliver(blocks, [lambda: WrittenFile(file, CsvFormat(COLUMNS))], told)
    assert sizes == sorted(set(sizes))
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == CsvFormat(COLUMNS).head + CsvFormat(COLUMNS).encode(rows)


def test_what_was_done_is_kept_and_told(tmp_path):
    file = tmp_path / "out.jsonl"
    file.write_text("from before")
    with pytest.raises(KeyboardInterrupt) as caught:
        deliver(_ends_by(KeyboardInterrupt(), [_rows(2)]), [lambda: WrittenFile(file, JsonLinesFormat(PLAIN))], len)
    assert caught.value.__notes__ == [f"what was done is in {file}.part"]
    assert file.read_text() == "from before"
    assert (tmp_path / "out.jsonl.part").read_bytes() == JsonLinesFormat(PLAIN).encode(_rows(2))


def test_nothing_is_left_of_work_without_rows(tmp_path):
    openers = [lambda: WrittenFile(tmp_path / "a.csv", CsvFormat(PLAIN))]
    with pytest.raises(ValueError, match="no images"):
        deliver(_ends_by(ValueError("no images"), []), openers, len)
    with pytest.raises(RunError, match=r"absent/b\.csv: not written: No such file or directory"):
        deliver(
            _ends_by(None, []), [*openers, lambda: WrittenFile(tmp_path / "absent" / "b.csv", CsvFormat(PLAIN))], len
        )
    assert list(tmp_path.iterdir()) == []


def test_rows_are_appended_under_the_head_that_is_there(tmp_path):
    file, rows = tmp_path / "out.csv", _rows(3)
    for part in (rows[:1], rows[1:]):
        sink = AppendedFile(file, CsvFormat(PLAIN))
        sink.write(part)
        assert file.read_bytes().endswith(CsvFormat(PLAIN).encode(part))
        sink.finish()
    assert file.read_bytes() == CsvFormat(PLAIN).head + CsvFormat(PLAIN).encode(rows)
    with pytest.raises(RunError, match="has other columns than path,prediction,confidence,guess"):
        AppendedFile(file, CsvFormat(COLUMNS))


def test_parquet_holds_the_same_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = _rows(10_000)
    blocks = (rows[at : at + 999] for at in range(0, len(rows), 999))
    deliver(blocks, [lambda: ParquetFile(tmp_path / "out.parquet", COLUMNS)], len)
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == COLUMNS.names
    assert table["path"].to_pylist() == [row.path for row in rows]
    assert table["rejected"].to_pylist() == [row.rejected for row in rows]
    assert table["confidence"].to_pylist() == [float(row.confidence) for row in rows]
    assert table["p_a"].to_pylist() == [float(row.probabilities[0]) for row in rows]
    with pytest.raises(KeyboardInterrupt):
        deliver(_ends_by(KeyboardInterrupt(), [rows[:5]]), [lambda: ParquetFile(tmp_path / "b.parquet", PLAIN)], len)
    assert parquet.read_table(tmp_path / "b.parquet.part").num_rows == 5
    assert not (tmp_path / "b.parquet").exists()


def test_numbers_have_no_more_digits_than_they_need():
    (row,) = ANSWERING.answers(["a"], np.array([[0.1, 0.2, 0.7]], np.float32))
    assert CsvFormat(COLUMNS).encode([row]).endswith(b",0.1,0.2,0.7\n")
    assert COLUMNS.to_json(row)["confidence"] == 0.7
