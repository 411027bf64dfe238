"""The documentation as a site: it is built without a warning, opens from disk, and loads nothing from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Error, Page, Request, ViewportSize

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parent.parent / "docs"
PHONE: ViewportSize = {"width": 360, "height": 740}
LEFT = "net::ERR_ABORTED"  # the page was left before its icon had come
TOO_WIDE = "document.documentElement.scrollWidth > window.innerWidth"


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """As `make site` does."""
    words = [
        "--fail-on-warning",
        "--fresh-env",
        "--keep-going",
        "--quiet",
        "--doctree-dir",
        f"{site}-work",
        str(docs),
        str(site),
    ]
    return subprocess.run(
        [sys.executable, "-m", "sphinx.cmd.build", *words], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = build(DOCS, folder)
    assert done.returncode == 0, done.stderr
    return folder


class Visitor:
    """Somebody who opens pages from disk, and notes what went wrong or came from elsewhere."""

    def __init__(self, page: Page, site: Path) -> None:
        self.page, self.site = page, site
        self.faults: set[str] = set()
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("pageerror", self._error)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.site.as_uri(), "data:")):
            self.faults.add(f"from elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT:
            self.faults.add(f"not there: {request.url}")

    def _error(self, error: Error) -> None:
        self.faults.add(error.message)

    def open(self, file: Path, query: str = "") -> None:
        self.page.goto(file.as_uri() + query, wait_until="load")

    def leave(self) -> None:
        self.page.remove_listener("request", self._request)
        self.page.remove_listener("requestfailed", self._failed)
        self.page.remove_listener("pageerror", self._error)


@pytest.fixture(scope="module")
def page(chromium: Chromium) -> Iterator[Page]:
    opened = chromium.new_page(viewport=PHONE, reduced_motion="reduce")
    yield opened
    opened.close()


@pytest.fixture
def visitor(page: Page, site: Path) -> Iterator[Visitor]:
    visitor = Visitor(page, site)
    yield visitor
    visitor.leave()


def test_every_page_is_in_the_site_and_in_its_menu(site: Path) -> None:
    menu = (site / "index.html").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).with_suffix(".html").as_posix() for page in DOCS.glob("**/*.md")]
    assert len(pages) > 15
    for page in pages:
        assert (site / page).is_file(), page
        assert page == "index.html" or f'class="reference internal" href="{page}"' in menu, page


def test_pages_open_from_disk_and_load_nothing_from_elsewhere(visitor: Visitor) -> None:
    for file in sorted(visitor.site.glob("**/*.html")):
        visitor.open(file)
        assert not visitor.page.evaluate(TOO_WIDE), f"{file.name} is wider than a telephone"
    assert visitor.faults == set()


def test_the_search_works_from_disk(visitor: Visitor) -> None:
    visitor.open(visitor.site / "search.html", "?q=sidecars")
    visitor.page.locator("ul.search a[href*='export']").first.wait_for()
    assert visitor.faults == set()


def test_a_visitor_notices_what_comes_from_elsewhere(visitor: Visitor, tmp_path: Path) -> None:
    """Otherwise the tests above could not fail."""
    page = tmp_path / "page.html"
    page.write_text('<img src="http://127.0.0.1:9/picture.png"><script>nothing()</script>', encoding="utf-8")
    visitor.open(page)
    picture = "http://127.0.0.1:9/picture.png"
    assert visitor.faults == {
        f"from elsewhere: {page.as_uri()}",
        f"from elsewhere: {picture}",
        f"not there: {picture}",
        "nothing is not defined",
    }


def test_links_that_lead_nowhere_stop_the_build(tmp_path: Path) -> None:
    settings = (DOCS / "conf.py").read_text(encoding="utf-8").replace("html_favicon", "favicon")
    (tmp_path / "conf.py").write_text(settings, encoding="utf-8")
    (tmp_path / "index.md").write_text("# Title\n\n[a](start.md#title) [b](gone.md)\n", encoding="utf-8")
    (tmp_path / "start.md").write_text("# Title\n\n[c](start.md#lost)\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "gone.md" in done.stderr
    assert "lost" in done.stderr
    assert "#title" not in done.stderr
