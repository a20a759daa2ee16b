"""The templates of reports, and the style that they share."""

from pathlib import Path

import jinja2
from markupsafe import Markup

_PARTS = Path(__file__).parent


def render(template: str, **values: object) -> str:
    """A template filled in; text is escaped, and a value that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PARTS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    html = environment.get_template(template).render(values)
    # The bytes of a file name that is not UTF-8 can be carried, but not shown.
    return html.encode(errors="surrogateescape").decode(errors="replace")


def verbatim(name: str) -> Markup:
    """A style sheet or script, as it is."""
    return Markup((_PARTS / name).read_text(encoding="utf-8"))
