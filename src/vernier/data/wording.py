"""Parts of messages: lists that stay short, and what may have been meant."""

import difflib
from collections.abc import Collection

_MOST_LISTED = 20


def listed(items: Collection[str]) -> str:
    """The items joined by commas, at most 20 of them, with the number of those left out."""
    shown = ", ".join(list(items)[:_MOST_LISTED])
    left = len(items) - _MOST_LISTED
    return f"{shown} and {left} more" if left > 0 else shown


def counted(count: int, one: str, many: str = "") -> str:
    """`1 image`, `2 images`: the number and the word; `many` where it is no plain s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def did_you_mean(name: str, choices: Collection[str]) -> str:
    """` Did you mean 'x'?`, or nothing when no choice is near."""
    lower = [choice for choice in choices if choice == choice.casefold()]
    near = (
        difflib.get_close_matches(name, choices, n=1)
        or difflib.get_close_matches(name.casefold(), lower, n=1)
        or [choice for choice in lower if len(name) > 1 and choice.startswith(name.casefold())]
    )
    return f" Did you mean '{near[0]}'?" if near else ""
