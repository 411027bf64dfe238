"""HTML from one set of templates: pages that need no other file, and results that show themselves in a notebook."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from unmingle.text_layout import clean, clock, counted, shorten, ticks
from unmingle.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SIDE = 64  # pixels of a face in a notebook; stored thumbnails are larger, so that they are sharp on fine screens
LONGEST = 60  # columns of a text in a notebook; the middle of a longer one is left out


def render(template: str, title: str, **values: object) -> str:
    """A page of a template that extends `page.html`; its policy forbids all but its own script and pictures."""
    assets = resources.files("unmingle") / "render" / "templates"
    script, style = ((assets / name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}';"
        " base-uri 'none'; form-action 'none'"
    )
    date = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    page = _templates().get_template(template)
    return page.render(title=title, policy=policy, script=script, style=style, version=__version__, date=date, **values)


def block(*parts: str) -> str:
    """Parts of a notebook's output, made by the functions that follow, one below the other."""
    return _notebook("block", parts)


def heading(title: str, note: str = "") -> str:
    """A line that says what follows, and a fainter remark behind it."""
    return _notebook("heading", title, note)


def remark(line: str) -> str:
    """A fainter line."""
    return _notebook("remark", line)


def table(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Rows of texts; without a head, the first column is what the second is about."""
    return _notebook("table", rows, head)


def faces(jpegs: Iterable[bytes], *, of: str, side: int = SIDE) -> str:
    """A strip of square pictures, which wraps where the page ends; of: who they show, for those who can't see them."""
    return _notebook("faces", [address(jpeg) for jpeg in jpegs], of, side)


def address(jpeg: bytes) -> str:
    """A JPEG as a data address, so that a page needs no other file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def percent(share: float) -> str:
    """A share as a reader wants it: `97.3 %`, and never 0 or 100 where it is not quite that."""
    shown = f"{100 * share:.1f}"
    if shown == "100.0" and share < 1:
        return "over 99.9 %"
    if shown == "0.0" and share > 0:
        return "under 0.1 %"
    return f"{shown.removesuffix('.0')} %"


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("unmingle", "render/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters |= {
        "thousands": lambda number: f"{number:,}",
        "count": counted,
        "percent": percent,
        "clock": clock,
        "ticks": ticks,
        "text": _text,
        "clean": lambda value: clean(str(value)),
    }
    return found


def _text(value: object) -> Markup:
    """Any text as a part of a notebook: harmless, on one line, and in one direction of its own."""
    from markupsafe import Markup

    return Markup("<bdi>{}</bdi>").format(shorten(clean(str(value)), LONGEST))


def _notebook(macro: str, *values: object) -> Markup:
    made: Markup = getattr(_templates().get_template("notebook.html").module, macro)(*values)
    return made
