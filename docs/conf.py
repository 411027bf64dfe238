"""The site: `make site` builds it from these pages with Sphinx, MyST and Furo. It loads nothing from elsewhere.

The pages are plain Markdown, which code hosts show too. What only the site needs, the order of its pages, stands here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.version import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent

# Pages that these don't name come last in the part of their folder.
NAVIGATION = {
    "Start": ["start"],
    "Guides": [
        "guides/install",
        "guides/meetings",
        "guides/recordings",
        "guides/photographs",
        "guides/review",
        "guides/names",
        "guides/privacy",
        "guides/evaluate",
        "guides/report",
        "guides/compare",
        "guides/export",
        "guides/scripts",
        "guides/cluster",
        "guides/notebooks",
        "guides/own-model",
        "guides/classic",
        "guides/seed",
        "guides/troubleshooting",
    ],
    "Concepts": [
        "concepts/how-it-works",
        "concepts/scores",
        "concepts/what-can-go-wrong",
        "concepts/grouping-compared",
    ],
    "Reference": [
        "reference/command-line",
        "reference/files",
        "reference/python",
        "reference/settings",
        "reference/errors",
        "reference/measured",
    ],
}

project = "unmingle"
author = "The unmingle authors"
project_copyright = "2026, The unmingle authors"
version = release = __version__

extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["making"]
nitpicky = True  # a reference that leads nowhere is a warning, and `make site` takes warnings for errors
myst_heading_anchors = 4  # named as code hosts name them, so that a link to a heading works there and here

html_theme = "furo"
html_title = "unmingle"
html_favicon = "../src/unmingle/review/static/mark.svg"
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_permalinks_icon = "#"
html_show_search_summary = False  # it would fetch pages, which browsers forbid to what is opened from disk
ACCENTED = ("color-brand-primary", "color-brand-content", "color-brand-visited")
MENU = {"color-sidebar-link-text--top-level": "var(--color-foreground-primary)"}
html_theme_options = {
    # The accent of the review page.
    "light_css_variables": dict.fromkeys(ACCENTED, "#b4421a") | MENU,
    "dark_css_variables": dict.fromkeys(ACCENTED, "#f08a5d") | MENU,
}


def navigation() -> dict[str, list[str]]:
    """The parts of the site with the pages that are there."""
    there = {page.relative_to(HERE).with_suffix("").as_posix() for page in HERE.glob("*/*.md")} | {"start"}
    named = {page for pages in NAVIGATION.values() for page in pages}
    others = sorted(there - named)
    return {
        part: [page for page in pages if page in there]
        + [page for page in others if page.startswith(f"{part.lower()}/")]
        for part, pages in NAVIGATION.items()
    }


def add_navigation(_app: Sphinx, page: str, text: list[str]) -> None:
    """Give the first page what makes the menu; on a code host its own list of links is enough."""
    if page != root_doc:
        return
    for part, pages in navigation().items():
        text[0] += "\n```{toctree}\n:hidden:\n:caption: " + part + "\n\n" + "\n".join(pages) + "\n```\n"


def setup(app: Sphinx) -> None:
    """Sphinx asks for it."""
    app.connect("source-read", add_navigation)
