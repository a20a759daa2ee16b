import base64
import hashlib
import json
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_runs import TEST_NOTES, Scored, scored_at_random, scored_digits, write_csv, write_run

from vernier.errors import RunError
from vernier.evaluation.report import write_report
from vernier.evaluation.report.build import render_page
from vernier.evaluation.report.run_data import read_run
from vernier.evaluation.report.sections import make_page

VOID = {"meta", "link", "img", "br", "hr", "input"}
SVG_LEAVES = {"line", "circle", "rect", "polyline", "text", "title"}
NASTY = ("<b>x</b>", 'qu"ote', "a&amp;b", "$x_1^2$", "🌷", "it's", "{{7*7}}", "a|b", "</script>", "w" * 120)


class Document(HTMLParser):
    """A strict reading of a page: every tag closed in order, and what the tests ask about."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG_LEAVES, f"<{tag}/> does not close in HTML"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", " ".join(data.split())))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text_of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    @property
    def text(self) -> str:
        return " ".join(text for tag, text in self.texts if tag not in ("style", "script"))


def report(run: Path, scored: Scored) -> Document:
    return Document(render_page(make_page(read_run(run), scored.picture), "data:image/png;base64,"))


@pytest.fixture
def digits() -> Scored:
    return scored_digits()


@pytest.fixture(params=["val", "test", None])
def any_report(request, tmp_path: Path, digits: Scored) -> str:
    run = write_run(tmp_path / "run", digits, split=request.param)
    return render_page(make_page(read_run(run), digits.picture), "")


def test_the_page_is_one_well_formed_file_that_asks_for_nothing_else(any_report):
    document = Document(any_report)
    assert any_report.startswith("<!DOCTYPE html>")
    assert document.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in document.all("meta")
    for _, attributes in document.elements:
        for name in ("src", "href", "srcset", "poster", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "url(" not in any_report
    assert "@import" not in any_report
    assert not re.search(r"https?://", any_report)


def test_ids_are_unique_and_every_reference_to_one_is_met(any_report):
    attributes = [attributes for _, attributes in Document(any_report).elements]
    ids = Counter(a["id"] for a in attributes if "id" in a)
    assert set(ids.values()) == {1}
    assert {a["aria-labelledby"] for a in attributes if "aria-labelledby" in a} <= set(ids)


def test_headings_captions_scopes_and_alternatives_are_there(any_report):
    document = Document(any_report)
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert len(document.all("caption")) == len(document.all("table")) > 0
    assert all(a.get("scope") in ("row", "col") for a in document.all("th"))
    assert all(a.get("alt") for a in document.all("img"))
    assert all(a["role"] == "img" and a["aria-label"] for a in document.all("svg"))


def test_the_title_is_the_result_in_words(tmp_path, digits):
    document = report(write_run(tmp_path / "run", digits), digits)
    right = int((digits.predictions == digits.targets).sum())
    expected = f"{100 * right / 360:.1f} % of 360 validation images right"
    assert document.text_of("h1") == [expected]
    assert document.text_of("title")[0] == f"digits: {expected}"


def test_a_share_just_below_all_is_not_called_100_percent(tmp_path):
    scored = scored_at_random(2, 3000)
    probabilities = np.eye(2)[scored.targets] * 0.8 + 0.1
    probabilities[7] = probabilities[7, ::-1]
    scored = replace(scored, probabilities=probabilities)
    headline = report(write_run(tmp_path / "run", scored, split="test"), scored).text_of("h1")[0]
    assert headline == "99.97 % of 3,000 test images right"
    measures = {"n": 400_000, "accuracy": 399_999 / 400_000, "loss": 0.1}
    headline = report(write_run(tmp_path / "run", scored, split="test", test=measures), scored).text_of("h1")[0]
    assert headline == "99.99 % of 400,000 test images right"


def test_the_validation_numbers_are_called_optimistic_and_the_test_set_untouched(tmp_path, digits):
    text = report(write_run(tmp_path / "val", digits), digits).text
    assert TEST_NOTES["val"] in text
    assert text.count("optimistic") == 1
    text = report(write_run(tmp_path / "test", digits, split="test"), digits).text
    assert TEST_NOTES["test"] in text
    assert "chosen by validation accuracy, so the validation numbers are optimistic" in text
    assert "of 360 test images" in text


def test_a_run_without_validation_set_says_so(tmp_path, digits):
    run = write_run(tmp_path / "run", digits, split=None)
    document = Document(write_report(run, digits.picture).read_text(encoding="utf-8"))
    assert "There was no validation set" in document.text
    assert document.text_of("h1") == ["Trained for 6 epochs, not measured on any held-out image"]
    assert not {"Metrics", "Worst errors", "Confusion matrix"} & set(document.text_of("h2"))
    assert not (run / "confusion_matrix.png").exists()


def test_a_run_stopped_before_its_first_epoch_still_has_a_report(tmp_path, digits):
    changes = {"status": "stopped", "best": None, "final": None, "epochs": 0}
    run = write_run(tmp_path / "run", digits, split="val", **changes)
    for name in ("predictions_val.csv", "per_class.csv", "confusion_matrix.csv"):
        (run / name).unlink()
    header = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()[0]
    (run / "metrics.csv").write_text(header + "\n", encoding="utf-8")
    text = Document(write_report(run, digits.picture).read_text(encoding="utf-8")).text
    assert "The training was stopped after 0 epochs" in text
    assert "No validation was finished" in text
    assert "No epoch has ended yet." in text


def test_counts_metrics_and_identity_are_shown(tmp_path, digits):
    data = {"source": "digits", "content_hash": "9f86d081884c7d65", "skipped": {"hidden": 2, "odd": 0}, "unreadable": 1}
    result = {"stopped_early": "val_accuracy has not improved on 0.9 for 3 epochs", "data": data}
    document = report(write_run(tmp_path / "run", digits, **result), digits)
    for expected in (
        "resnet20_cifar (vernier)",
        "271,824, all trained",
        "multiclass, 10 classes",
        "2 hidden, 1 unreadable",
        "val_accuracy has not improved on 0.9 for 3 epochs",
        "9f86d081884c7d65",
        "vernier train data=digits model=resnet20_cifar train.epochs=6",
        "2.15.0",
    ):
        assert expected in document.text
    cells = document.text_of("td")
    assert cells.count(f"{int((digits.targets == 3).sum())}") >= 2
    assert {"1,440", "360"} <= set(cells)
    assert "Macro F1" in document.text_of("th")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=3, max_size=3, unique=True)
)
def test_any_text_arrives_as_text(tmp_path, names):
    scored = scored_at_random(3, 12).renamed(names)
    document = report(write_run(tmp_path / "run", scored, name=names[0], epochs=1), scored)
    shown = all_text(document)
    assert all(" ".join(name.split()) in shown for name in names if name.split())


def all_text(document: Document) -> str:
    return "\n".join(text for _, text in document.texts)


def test_markup_in_names_and_paths_stays_text(tmp_path, digits):
    paths = tuple(f'a "b" <i>&amp;/{path}' for path in digits.paths)
    scored = replace(digits.renamed(NASTY), paths=paths)
    run = write_run(tmp_path / "run", scored, name="<script>alert(1)</script>", command="vernier train 'a<b'")
    document = report(run, scored)
    assert len(document.all("script")) == 1
    assert not document.all("b")
    assert not document.all("i")
    assert set(NASTY) <= set(document.text_of("th"))
    assert 'a "b" <i>&amp;/val/' in document.text
    assert any(a["alt"].startswith('a "b" <i>&amp;/val/') for a in document.all("img"))


def test_a_path_that_is_not_utf8_is_asked_for_as_it_is_and_shown_with_a_mark(tmp_path, digits):
    raw = b"caf\xe9.jpg".decode(errors="surrogateescape")
    run = write_run(tmp_path / "run", digits)
    line = f"path,target,prediction,confidence,loss\n{raw},1,2,0.9,3.0\n"
    (run / "predictions_val.csv").write_bytes(line.encode(errors="surrogateescape"))
    asked = []
    html = render_page(make_page(read_run(run), lambda path: asked.append(path)), "")
    assert asked == [raw]
    assert "caf\N{REPLACEMENT CHARACTER}.jpg" in html.encode().decode()


def test_the_same_run_gives_the_same_bytes(tmp_path, digits):
    def hashes(name: str) -> list[str]:
        run = write_run(tmp_path / name, digits)
        write_report(run, digits.picture)
        files = ("report.html", "curves.png", "confusion_matrix.png")
        return [hashlib.sha256((run / file).read_bytes()).hexdigest() for file in files]

    first = hashes("one")
    assert first == hashes("two")
    assert first == hashes("one")


def test_the_worst_errors_come_first_with_path_labels_and_picture(tmp_path, digits):
    document = report(write_run(tmp_path / "run", digits, worst=5), digits)
    losses = -np.log(digits.probabilities[np.arange(360), digits.targets] + 1e-12)
    wrong = [i for i in range(360) if digits.predictions[i] != digits.targets[i]]
    expected = sorted(wrong, key=lambda i: (-losses[i], digits.paths[i]))[:5]
    assert [a["alt"].split(":")[0] for a in document.all("img")] == [digits.paths[i] for i in expected]
    assert all(a["class"] == "pixelated" and a["width"] == "8" for a in document.all("img"))
    assert f"{len(wrong)} of 360 validation images are wrong; here are the 5 with the highest loss" in document.text


def test_errors_come_from_the_test_set_when_there_is_one(tmp_path, digits):
    run = write_run(tmp_path / "run", digits, split="test")
    other = write_run(tmp_path / "other", digits.renamed("abcdefghij"))
    (run / "predictions_val.csv").write_bytes((other / "predictions_val.csv").read_bytes())
    assert "of 360 test images are wrong" in report(run, digits).text


def test_a_run_without_errors_says_so(tmp_path, digits):
    perfect = replace(digits, probabilities=np.eye(10)[digits.targets] * 0.9 + 0.01)
    document = report(write_run(tmp_path / "run", perfect), perfect)
    assert "There are none: all of 360 validation images are right." in document.text
    assert document.text_of("h1") == ["100.0 % of 360 validation images right"]


def test_a_picture_that_can_not_be_had_leaves_a_placeholder(tmp_path, digits):
    run = write_run(tmp_path / "run", digits, worst=3)
    document = Document(render_page(make_page(read_run(run), lambda path: None), ""))
    assert document.text_of("div") == ["picture not available"] * 3
    assert not document.all("img")


def test_many_classes_get_the_picture_and_a_list_of_the_largest_confusions(tmp_path):
    scored = scored_at_random(31, 620)
    path = write_report(write_run(tmp_path / "run", scored, worst=0), scored.picture)
    document = Document(path.read_text(encoding="utf-8"))
    (picture,) = document.all("img")
    content = base64.b64decode(picture["src"].removeprefix("data:image/png;base64,"))
    assert content == (tmp_path / "run" / "confusion_matrix.png").read_bytes()
    assert "The largest confusions" in document.text_of("caption")
    assert "pictures are switched off by evaluate.worst=0" in document.text
    few = scored_at_random(30, 600)
    document = report(write_run(tmp_path / "few", few, worst=0), few)
    assert not document.all("img")
    assert [a["class"] for a in document.all("table") if "class" in a] == ["heat long"]


def test_24_pictures_stay_below_a_megabyte(tmp_path):
    scored = scored_at_random(100, 400)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (400, 300, 3), dtype=np.uint8)
    run = write_run(tmp_path / "run", scored, split="test")
    path = write_report(run, lambda _: noise)
    assert len(Document(path.read_text(encoding="utf-8")).all("img")) == 25
    assert path.stat().st_size < 1_000_000


def test_multilabel_shows_its_metric_instead_of_a_share_of_right_images(tmp_path, digits):
    measures = {"n": 360, "loss": 0.1, "exact_match": 0.5, "macro_f1": 0.81234}
    best = {"epoch": 5, "monitor": "macro_f1", "val": measures}
    run = write_run(tmp_path / "run", digits, task="multilabel", best=best)
    rows = [["a.jpg", "cat|dog", "cat|dog", 0.9, 0.1, 1, 1], ["b.jpg", "", "dog", 0.6, 0.8, 0, 1]]
    write_csv(run / "predictions_val.csv", ["path", "target", "prediction", "confidence", "loss", "p_a", "p_b"], rows)
    (run / "confusion_matrix.csv").unlink()
    document = report(run, digits)
    assert document.text_of("h1") == ["Macro F1 0.8123 on 360 validation images"]
    assert "1 of 2 validation images is wrong" in document.text
    assert "no label" in document.text


def test_undefined_values_are_dashes(tmp_path, digits):
    run = write_run(tmp_path / "run", digits)
    write_csv(
        run / "per_class.csv", ["split", "class", "n", "precision", "recall", "f1"], [["val", "0", 0, "", "nan", 0.0]]
    )
    document = report(run, digits)
    assert [a["data-value"] for a in document.all("td") if a.get("data-value") == "nan"] == ["nan"] * 4
    assert document.text_of("td").count("–") == 4


def test_a_loss_that_is_no_number_leaves_a_gap_in_the_curves(tmp_path, digits):
    run = write_run(tmp_path / "run", digits)
    rows = [[1, 10, 0.1, math.nan, 0.2, "", ""], [2, 20, 0.1, math.inf, 0.3, 1.5, 0.4]]
    header = ["epoch", "step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    write_csv(run / "metrics.csv", header, rows)
    document = report(run, digits)
    points = " ".join(a["points"] for a in document.all("polyline"))
    assert "nan" not in points
    assert "inf" not in points


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("result.json", None, "result.json: not readable"),
        ("result.json", "{", "result.json: "),
        ("metrics.csv", None, "metrics.csv: not readable"),
        ("metrics.csv", "epoch,lr\n1\n", "metrics.csv: damaged: a row has 1 cells where the header has 2"),
        ("metrics.csv", "epoch,lr\n1,fast\n", "metrics.csv: damaged: could not convert"),
        ("config.yaml", None, "config.yaml: not readable"),
        ("config.yaml", "evaluate: {worst: -1}", "config.yaml: not a resolved config"),
        ("per_class.csv", "split,class\nval,a\n", "per_class.csv: damaged"),
    ],
)
def test_a_damaged_run_is_an_error_that_names_the_file(tmp_path, digits, file, content, message):
    run = write_run(tmp_path / "run", digits)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=re.escape(message)):
        write_report(run, digits.picture)
    assert not (run / "report.html").exists()


def test_a_missing_key_of_the_result_is_named(tmp_path, digits):
    run = write_run(tmp_path / "run", digits)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    del result["model"]["parameters"]
    (run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(RunError, match=r"model\.parameters: Field required"):
        write_report(run, digits.picture)
