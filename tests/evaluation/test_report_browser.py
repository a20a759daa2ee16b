from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser, missing_programs, open_browser
from report_runs import Scored, scored_at_random, scored_digits, write_run

from vernier.evaluation.report import write_report
from vernier.evaluation.report.build import render_page
from vernier.evaluation.report.run_data import read_run
from vernier.evaluation.report.sections import make_page

pytestmark = pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {', '.join(missing_programs())}")

COLUMN = "return [...document.querySelectorAll('#per-class tbody tr')].map(row => row.cells[arguments[0]].textContent)"
HEADER = "#per-class thead th:nth-child({}) button"

# Contrast of each text with what lies behind it (WCAG 2.2, relative luminance); the texts below `arguments[0]`.
LOW_CONTRAST = """
const parse = (colour) => { const v = colour.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
const behind = (element) => {
  if (element === null) return parse(getComputedStyle(document.body).backgroundColor).slice(0, 3);
  return over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement));
};
const luminance = (rgb) => rgb.map(c => c / 255)
  .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const bad = [];
for (const element of document.body.querySelectorAll("*")) {
  const texts = [...element.childNodes].filter(n => n.nodeType === 3 && n.textContent.trim());
  if (!texts.length || !element.checkVisibility() || element.closest("script, title")) continue;
  const style = getComputedStyle(element);
  const under = behind(element);
  const ink = over(parse(element.closest("svg") ? style.fill : style.color), under);
  const [low, high] = [luminance(ink), luminance(under)].sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < arguments[0]) bad.push(`${element.tagName} ${texts[0].textContent.trim()}: ${ratio.toFixed(2)}`);
}
return bad;
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("reports")
    digits, many = scored_digits(), scored_at_random(40, 400)
    long = replace(
        digits.renamed([f"{'unbroken' * 12}{name}" for name in digits.class_names]),
        paths=tuple(f"{'directory/' * 12}{'x' * 90}{path}" for path in digits.paths),
    )
    command = "vernier train " + "x" * 300
    return {
        "digits": html_only(write_run(root / "digits", digits), digits),
        "many": write_report(write_run(root / "many", many, split="test"), many.picture),
        "long": html_only(write_run(root / "long", long, command=command), long),
        "nothing held out": html_only(write_run(root / "nothing", digits, split=None, epochs=1), digits),
    }


def html_only(run: Path, scored: Scored) -> Path:
    """The report without its two plots, which take longest."""
    page = run / "report.html"
    page.write_text(render_page(make_page(read_run(run), scored.picture), ""), encoding="utf-8")
    return page


@pytest.fixture(autouse=True)
def plain_window(browser):
    browser.resize(1200)
    browser.emulate()
    yield
    assert browser.console() == []


@pytest.fixture
def open_page(browser, pages):
    return lambda name: browser.open(pages[name])


@pytest.mark.parametrize("name", ["digits", "many"])
def test_every_picture_loads(browser, open_page, name):
    open_page(name)
    widths = browser.run("return [...document.images].map(image => image.naturalWidth)")
    assert len(widths) >= 24
    assert min(widths) > 0


def test_a_click_sorts_by_number_and_a_second_one_turns_it_round(browser, open_page):
    open_page("digits")
    before = browser.run(COLUMN, 4)
    numbers = sorted(map(float, before))
    assert list(map(float, before)) != numbers
    browser.click(HEADER.format(5))
    assert list(map(float, browser.run(COLUMN, 4))) == numbers
    assert (
        browser.run("return document.querySelector('#per-class [aria-sort]').getAttribute('aria-sort')") == "ascending"
    )
    browser.click(HEADER.format(5))
    assert list(map(float, browser.run(COLUMN, 4))) == numbers[::-1]
    browser.click(HEADER.format(1))
    assert browser.run(COLUMN, 0) == [str(digit) for digit in range(10)]
    assert browser.run("return document.querySelectorAll('#per-class [aria-sort]').length") == 1


def test_the_largest_of_many_counts_is_not_sorted_as_text(browser, open_page):
    open_page("digits")
    browser.run("document.querySelectorAll('#counts tbody td:nth-child(2)')[0].dataset.value = 1000")
    browser.click("#counts thead th:nth-child(2) button")
    values = browser.run(
        "return [...document.querySelectorAll('#counts tbody td:nth-child(2)')].map(c => +c.dataset.value)"
    )
    assert values == sorted(values)
    assert values[-1] == 1000
    assert browser.run("return document.querySelector('#counts tfoot td').textContent") == "1,440"


def test_missing_values_stay_last_both_ways(browser, open_page):
    open_page("digits")
    browser.run(
        "const cell = document.querySelector('#per-class tbody td:nth-child(5)');"
        "cell.dataset.value = 'nan'; cell.textContent = '–'"
    )
    for _ in range(2):
        browser.click(HEADER.format(5))
        assert browser.run(COLUMN, 4)[-1] == "–"


def test_the_keyboard_sorts_too(browser, open_page):
    open_page("digits")
    browser.run("document.querySelector(arguments[0]).focus()", HEADER.format(3))
    browser.press(" ")
    values = list(map(float, browser.run(COLUMN, 2)))
    assert values == sorted(values)


@pytest.mark.parametrize("name", ["digits", "many", "long", "nothing held out"])
def test_a_phone_does_not_scroll_sideways(browser, open_page, name):
    open_page(name)
    browser.resize(360)
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
    assert browser.run("return document.documentElement.clientWidth") == 360
    assert browser.run("return document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_in_both_schemes(browser, open_page, scheme):
    open_page("digits")
    browser.emulate(scheme)
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
    background = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(background) < 60) == (scheme == "dark")
    assert browser.run(LOW_CONTRAST, 4.5) == []
    assert len(browser.run(LOW_CONTRAST, 22)) > 100


def test_print_shows_whole_tables(browser, open_page):
    open_page("many")
    boxes = "[...document.querySelectorAll('.scroll')]"
    clipped = f"return {boxes}.filter(box => getComputedStyle(box).overflowY !== 'visible').length"
    assert browser.run(clipped) > 0
    browser.emulate(media="print")
    assert browser.run(clipped) == 0
