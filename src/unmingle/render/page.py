"""One page of html with everything in it: no other file, no address outside, and nothing that could send anything."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from unmingle.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a page: its title, and (name, value) rows of how it was made."""

    title: str
    made: tuple[tuple[str, str], ...] = ()


def render(template: str, heading: Heading, **values: object) -> str:
    """A page.

    A browser that opens it may run this page's own script and show pictures that are in it, and nothing else: the
    page's policy forbids every connection.

    Args:
        template: its name in `templates`, which extends `page.html`.
        heading: what stands above it.
        values: what the template shows.
    """
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}';"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        _templates()
        .get_template(template)
        .render(
            heading=heading,
            policy=policy,
            script=script,
            style=_asset("page.css"),
            version=__version__,
            date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
            **values,
        )
    )


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("unmingle.render"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["thousands"] = lambda number: f"{number:,}"
    found.filters["count"] = counted
    found.filters["percent"] = percent
    return found


def counted(number: int, one: str, many: str = "") -> str:
    """`1 face`, `2,400 faces`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share as a reader wants it: `97.3 %`, and never 0 or 100 where it is not quite that."""
    shown = f"{100 * share:.1f}"
    if shown == "100.0" and share < 1:
        return "over 99.9 %"
    if shown == "0.0" and share > 0:
        return "under 0.1 %"
    return f"{shown.removesuffix('.0')} %"


def _asset(name: str) -> str:
    return (resources.files("unmingle.render") / "templates" / name).read_text(encoding="utf-8")
