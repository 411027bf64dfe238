"""Write what the documentation takes from the program: whole pages, and parts of pages between two comments.

`make docs` runs it; a test fails if anything is stale. A part begins with `<!-- made: NAME -->` and ends with
`<!-- end -->`, both of which code hosts and the site don't show.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from making import api, command_line, errors, figures, settings

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "command-line.md": command_line.render,
    REFERENCE / "errors.md": errors.render,
    REFERENCE / "settings.md": settings.render,
    ROOT / "docs" / "pictures" / "peers.svg": figures.peers_plot,
}
PARTS: dict[str, Callable[[], str]] = {"api": api.render, **figures.PARTS}
PART = re.compile(r"(<!-- made: ([a-z ]+) -->\n).*?(^<!-- end -->)", re.MULTILINE | re.DOTALL)


def rendered() -> dict[Path, str]:
    """Each page that is made, or has parts that are, as it has to be."""
    pages = {page: render() for page, render in PAGES.items()}
    for page in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")]):
        text = page.read_text(encoding="utf-8")
        if page not in pages and PART.search(text):
            pages[page] = PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]().strip()}\n\n{part[3]}", text)
    return pages


def main() -> None:
    """Bring all pages up to date; with --check only say which are not."""
    stale = [page for page, text in rendered().items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    for page in stale:
        print(page.relative_to(ROOT))
        if "--check" not in sys.argv:
            page.write_text(rendered()[page], encoding="utf-8")


if __name__ == "__main__":
    main()
