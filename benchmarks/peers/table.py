"""Results as Markdown."""

import statistics
from collections.abc import Iterator, Sequence

from rounds import Results
from works import Work


def ratio(results: Results, work: str, faster: str, slower: str, measure: str = "images_per_second") -> float | None:
    """How many times as fast one is as another, by their medians; None where either is missing."""
    ours, theirs = results.of(work, faster, measure), results.of(work, slower, measure)
    if not ours or not theirs:
        return None
    return speed(statistics.median(ours), measure) / speed(statistics.median(theirs), measure)


def round_ratios(results: Results, work: str, faster: str, slower: str, measure: str) -> list[float]:
    """The same for each round by itself."""
    ours, theirs = results.of(work, faster, measure), results.of(work, slower, measure)
    return [speed(a, measure) / speed(b, measure) for a, b in zip(ours, theirs, strict=False)]


def speed(value: float, measure: str) -> float:
    """More is faster."""
    return 1 / value if measure == "seconds" else value


def results_table(works: Sequence[Work], results: Results) -> str:
    """One row for each contestant of each piece of work."""
    head = [
        "| work | who | measure | median | spread (min to max) | n | Vernier's speed / theirs (by round) |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = (row for work in works for row in _rows(work, results))
    return "\n".join([*head, *rows])


def _rows(work: Work, results: Results) -> Iterator[str]:
    own = [contestant.name for contestant in work.contestants if contestant.name.startswith("vernier")]
    for contestant in work.contestants:
        values = results.of(work.key, contestant.name, work.measure)
        if not values:
            continue
        spread = f"{_number(min(values))} to {_number(max(values))}"
        others = [_against(results, work, name, contestant.name) for name in own if name != contestant.name]
        measure = _measure_name(work, contestant.name, results)
        cells = (work.key, contestant.name, measure, _number(statistics.median(values)), spread, str(len(values)))
        yield f"| {' | '.join(cells)} | {'; '.join(other for other in others if other)} |"


def _against(results: Results, work: Work, own: str, other: str) -> str:
    value = ratio(results, work.key, own, other, work.measure)
    if value is None or (other.startswith("vernier") and work.part != "transfer"):
        return ""
    each = round_ratios(results, work.key, own, other, work.measure)
    label = own.removeprefix("vernier").removeprefix(", ")
    return f"{label} {value:.2f} ({min(each):.2f} to {max(each):.2f})".strip()


def _measure_name(work: Work, contestant: str, results: Results) -> str:
    name = "images/s" if work.measure == "images_per_second" else "s"
    missing = max(results.of(work.key, contestant, "extrapolated_epochs"), default=0)
    if missing:
        name += f", of which {missing:.0f} epochs EXTRAPOLATED from the {work.job['epochs']} measured"
    reached = results.of(work.key, contestant, "accuracy")
    return f"{name}, accuracy {min(reached):.3f} to {max(reached):.3f}" if reached else name


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}" if value >= 0.001 else f"{value * 1e6:.0f}e-6"


def failures(results: Results) -> str:
    """What could not be measured and why."""
    if not results.failed:
        return "Everything was measured."
    return "\n".join(f"- {label}: {reason}" for label, reason in results.failed.items())
