"""Numbers and metric names as people read them."""

import math

NO_BREAK = "\u00a0"
_UNKNOWN = "–"
_LABELS = {"lr": "Learning rate", "ece": "Expected calibration error", "roc_auc": "ROC AUC"}


def whole(number: int) -> str:
    """A whole number with thousands separators: 1,234."""
    return f"{number:,}"


def percent(share: float, n: int = 0) -> str:
    """A share from 0 to 1 as a percentage, with two decimals from `n` = 1,000 images on, else one.

    A share below 1 never reads 100 %.
    """
    if not math.isfinite(share):
        return _UNKNOWN
    digits = 2 if n >= 1000 else 1
    text = f"{100 * share:.{digits}f}"
    if share < 1 and float(text) == 100:
        text = "99.99" if digits == 2 else "99.9"
    return f"{text}{NO_BREAK}%"


def decimal(value: float, digits: int = 4) -> str:
    """A number with `digits` decimals; a dash for what is not a number."""
    return f"{value:.{digits}f}" if math.isfinite(value) else _UNKNOWN


def quantity(number: int) -> str:
    """A large number, rounded: 5,130 or 11.2 million."""
    return whole(number) if number < 1_000_000 else f"{number / 1e6:,.1f}{NO_BREAK}million"


def several(number: int, noun: str) -> str:
    """A number and its noun: `1 epoch`, `1,200 epochs`; `class` becomes `classes`."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{whole(number)} {noun if number == 1 else plural}"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: `41 s`, `3 min 5 s`, `2 h 10 min`."""
    total = round(seconds)
    minutes, rest = divmod(total, 60)
    if minutes == 0:
        return f"{total}{NO_BREAK}s"
    if minutes < 60:
        return f"{minutes}{NO_BREAK}min {rest}{NO_BREAK}s"
    return f"{minutes // 60}{NO_BREAK}h {minutes % 60}{NO_BREAK}min"


def metric_label(name: str) -> str:
    """A metric's name in words: `macro_f1` is `Macro F1`, `top5_accuracy` is `Top-5 accuracy`."""
    if name in _LABELS:
        return _LABELS[name]
    words = [_metric_word(word) for word in name.split("_")]
    return words[0][:1].upper() + " ".join(words)[1:]


def _metric_word(word: str) -> str:
    if word.startswith("top") and word[3:].isdigit():
        return f"top-{word[3:]}"
    return "F1" if word == "f1" else word


def metric_value(name: str, value: float, n: int) -> str:
    """A metric's value: shares of right answers in percent, everything else with four decimals."""
    return percent(value, n) if name.endswith(("accuracy", "exact_match")) else decimal(value)
