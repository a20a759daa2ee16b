"""What stands in tables and objects of predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from vernier.deploy.answering import Answering
from vernier.deploy.predictions import Prediction
from vernier.evaluation.plain_tables import probability_columns


@final
@dataclass(frozen=True)
class Columns:
    """The columns, in this order.

    path,prediction,confidence[,guess,rejected][,level][,top1,p_top1,top2,...][,p_<class>...]

    Attributes:
        ranks: How many of the most probable classes there are columns for; 0 for none.
        class_names: The classes whose probabilities stand there; empty for none.
        rejecting: Whether predictions may be rejected.
        levels: Whether they have levels.
    """

    ranks: int = 0
    class_names: tuple[str, ...] = ()
    rejecting: bool = False
    levels: bool = False

    @staticmethod
    def of(answering: Answering, *, probabilities: bool) -> "Columns":
        """Those that answers have."""
        names = answering.task.class_names
        ranks = min(answering.top_k, len(names)) if answering.top_k > 1 else 0
        shown = names if probabilities else ()
        return Columns(ranks, shown, answering.reject is not None, answering.levels is not None)

    @property
    def names(self) -> list[str]:
        """The head of the table."""
        return [
            *("path", "prediction", "confidence"),
            *(("guess", "rejected") if self.rejecting else ()),
            *(("level",) if self.levels else ()),
            *(name for rank in range(1, self.ranks + 1) for name in (f"top{rank}", f"p_top{rank}")),
            *probability_columns(self.class_names),
        ]

    def values(self, row: Prediction) -> list[str | bool | np.float32 | None]:
        """A row of the table."""
        return [
            *(row.path, row.prediction, row.confidence),
            *((row.guess, row.rejected) if self.rejecting else ()),
            *((row.level,) if self.levels else ()),
            *(cell for pair in row.top[: self.ranks] for cell in pair),
            *(row.probabilities if self.class_names else ()),
        ]

    def types(self) -> list[type]:
        """str, bool or float of each column."""
        known: dict[str, type] = {"confidence": float, "rejected": bool}
        fixed = [known.get(name, str) for name in self.names[: self._fixed]]
        return [*fixed, *[str, float] * self.ranks, *[float] * len(self.class_names)]

    def to_json(self, row: Prediction) -> dict[str, Any]:
        """An object of a prediction; `top` is always there."""
        values: dict[str, Any] = {
            "path": row.path,
            "prediction": row.prediction,
            "confidence": _number(row.confidence),
        }
        if self.rejecting:
            values |= {"guess": row.guess, "rejected": row.rejected}
        if self.levels:
            values["level"] = row.level
        values["top"] = [{"class": name, "probability": _number(share)} for name, share in row.top]
        if self.class_names:
            values["probabilities"] = _shares(self.class_names, row.probabilities)
        return values

    @property
    def _fixed(self) -> int:
        return 3 + 2 * self.rejecting + self.levels


def _shares(class_names: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    return dict(zip(class_names, map(_number, probabilities), strict=True))


def _number(value: np.float32) -> float:
    """The float with the shortest text that stands for the same float32."""
    return float(str(value))
