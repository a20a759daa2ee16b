"""All that `vernier footprint` tells of one network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vernier.deploy.footprint.boards import Board
from vernier.deploy.footprint.graph import Precision
from vernier.deploy.footprint.measure import Footprint, measure_footprint
from vernier.deploy.footprint.report_text import footprint_json, footprint_text, layers_csv, layers_table
from vernier.deploy.footprint.st_tool import StReport, run_st_tool
from vernier.deploy.footprint.subject import Subject
from vernier.deploy.footprint.verdict import Verdict, judge, verdict_text


@final
@dataclass(frozen=True)
class StComparison:
    """ST's figures and ours for the graph as it is."""

    theirs: StReport
    ours: Footprint

    def to_json(self) -> dict[str, Any]:
        """Both as JSON values."""
        return {
            "tool": str(self.theirs.tool),
            "problem": self.theirs.problem,
            "flash_bytes": self.theirs.flash,
            "ram_bytes": self.theirs.ram,
            "our_flash_bytes": self.ours.flash_bytes,
            "our_ram_bytes": self.ours.ram_bytes,
        }

    def to_text(self) -> str:
        """Both in a line."""
        if self.theirs.problem is not None:
            return f"ST's tool {self.theirs.tool} {self.theirs.problem}"
        rows = (("flash", self.theirs.flash, self.ours.flash_bytes), ("RAM", self.theirs.ram, self.ours.ram_bytes))
        told = "; ".join(f"{name} {_kib_or_none(theirs)} (here {_kib_or_none(ours)})" for name, theirs, ours in rows)
        return f"ST's tool on the graph as it is: {told}"


@final
@dataclass(frozen=True)
class FootprintReport:
    """A footprint with what it is compared with.

    Attributes:
        title: what was measured.
        footprint: its cost.
        assumed: whether integers were assumed of a float network because nobody said otherwise.
        verdict: whether it fits a board; None when no board is named.
        st: ST's figures; None without its tool.
    """

    title: str
    footprint: Footprint
    assumed: bool
    verdict: Verdict | None
    st: StComparison | None

    @property
    def fits(self) -> bool:
        """False when a board is named and the network does not fit it."""
        return self.verdict is None or self.verdict.fits

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "model": self.title,
            **footprint_json(self.footprint),
            "board": None if self.verdict is None else self.verdict.to_json(),
            "st": None if self.st is None else self.st.to_json(),
        }

    def to_text(self, *, layers: bool = False) -> str:
        """What was counted, then layers, board and ST's figures as far as they were asked for."""
        parts = [footprint_text(self.footprint, self.title)]
        if self.assumed:
            parts.append("The network is in float; --precision float32 counts it as it is.")
        parts += [layers_table(self.footprint)] if layers else []
        parts += [] if self.verdict is None else [verdict_text(self.verdict)]
        parts += [] if self.st is None else [self.st.to_text()]
        return "\n".join(parts)

    def write_csv(self, path: Path) -> None:
        """Write the layers as CSV.

        Raises:
            RunError: the file can't be written.
        """
        from vernier.atomic import write_text_atomically

        write_text_atomically(path, layers_csv(self.footprint))

    def write_picture(self, path: Path) -> None:
        """Write the picture of memory over the operators.

        Raises:
            RunError: the file can't be written.
        """
        from vernier.deploy.footprint.picture import draw_footprint

        draw_footprint(self.footprint, self.title, path)


def report_on(
    subject: Subject, *, precision: Precision | None, board: Board | None, st_tool: Path | None
) -> FootprintReport:
    """Measure a network.

    Args:
        subject: The network.
        precision: None counts a quantized graph as it is, and a float one as 8-bit integers.
        board: What it should fit.
        st_tool: ST's command-line tool; None does without.
    """
    assumed = precision is None and not subject.quantized
    footprint = measure_footprint(subject.model, precision="int8" if assumed else precision)
    return FootprintReport(
        title=subject.title,
        footprint=footprint,
        assumed=assumed,
        verdict=None if board is None else judge(footprint, board),
        st=None if st_tool is None else _ask_st(st_tool, subject),
    )


def _ask_st(tool: Path, subject: Subject) -> StComparison:
    from vernier.deploy.export.wrap import unwrap_network

    return StComparison(run_st_tool(tool, unwrap_network(subject.model)), measure_footprint(subject.model))


def _kib_or_none(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1024:,.2f} KiB"
