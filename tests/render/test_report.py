"""The report of a small library with everything in it: names that are code, what was left out, labels, recordings."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.review.conftest import Maker

import unmingle
from unmingle.api import Library
from unmingle.errors import LibraryError, WriteError

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser as Chromium
    from tests.review.recording import Recorded

NAME = "<script>alert('Zoë')</script> & Söhne"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Twelve people, one of them with a name that would be code, two strangers and a damaged file."""
    library = Library(Maker(tmp_path_factory.mktemp("report")).folder)
    library.name(1, NAME)
    return library


@pytest.fixture(scope="module")
def page(made: Library) -> str:
    return made.write_report(title="My <faces>").read_text(encoding="utf-8")


def text_of(page: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def test_the_page_says_what_was_found(page: str, made: Library) -> None:
    text = text_of(page)
    people = made.people
    assert "12 people , 1 of whom has a name" in text
    for person, name, count in people.select("person", "name", "faces").iter_rows():
        assert f"{name or f'Person {person}'} {count} faces" in text
    assert page.count('<article class="person"') == 12


def test_everything_that_was_left_out_is_there_with_its_reason(page: str, made: Library) -> None:
    text = text_of(page)
    assert "Seen once 2" in text
    assert "no other face is like it" in text
    assert "Not readable 1" in text
    assert "damaged.jpg" in text
    assert "not a picture in a format that is read" in text
    left = made.faces.filter(pl.col("person").is_null())
    assert sum(int(n) for n in re.findall(r"<h3>[^<]+ <small>(\d+)</small></h3>", page)) == left.height


def test_the_page_needs_nothing_from_outside_and_names_are_no_code(page: str) -> None:
    assert not re.search(r"""(?:src|href)=(?!"(?:data:|\#))""", page)
    assert "://" not in page
    assert NAME not in page
    assert html.escape(NAME, quote=False).replace("'", "&#39;") in page
    assert "<title>My &lt;faces&gt;</title>" in page
    assert "default-src &#39;none&#39;" in page


def test_it_opens_from_disk_shows_a_face_that_is_pointed_at_and_marks_its_person(
    made: Library, page: str, chromium: Chromium
) -> None:
    assert page
    context = chromium.new_context(viewport={"width": 1000, "height": 800}, offline=True)
    asked, faults = [], []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: faults.append(message.text))
    context.on("weberror", lambda error: faults.append(str(error.error)))
    opened = context.new_page()
    opened.goto((made.folder / "report.html").as_uri())
    dots = opened.locator(".map circle")
    assert dots.count() == made.faces.drop_nulls("face").height
    dots.last.scroll_into_view_if_needed()
    dots.last.hover(force=True)
    assert opened.locator(".hover").is_visible()
    said = opened.locator(".hover span").inner_text()
    picture = opened.locator(".hover i").evaluate("i => getComputedStyle(i).backgroundImage")
    assert picture.startswith('url("data:image/jpeg;base64,')
    dots.last.click(force=True)
    person = dots.last.get_attribute("data-p")
    marked = opened.locator(".map circle.mark")
    assert {dot.get_attribute("data-p") for dot in marked.all()} == {person}
    assert (made.people.filter(pl.col("person") == int(person or 0))["name"][0] or f"Person {person}") in said
    opened.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth)")
    assert opened.pdf(format="A4").count(b"/Subtype /Image") >= len(set(re.findall(r'<img src="([^"]+)"', page)))
    context.close()
    assert not faults
    assert all(url.startswith(("file:", "data:")) for url in asked)


def test_with_labels_the_mistakes_are_shown(made: Library, tmp_path: Path) -> None:
    faces = made.faces.filter(pl.col("status") == "clustered")
    labels = faces.select("file", pl.col("file").str.slice(0, 3).alias("person")).unique("file", maintain_order=True)
    right = tmp_path / "right.csv"
    labels.write_csv(right)
    page = made.write_report(tmp_path / "right.html", evaluation=made.evaluate(right)).read_text(encoding="utf-8")
    assert "There is no mistake." in text_of(page)
    wrong = tmp_path / "wrong.csv"
    labels.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("p05")).otherwise("person").alias("person")
    ).write_csv(wrong)
    page = made.write_report(tmp_path / "wrong.html", evaluation=made.evaluate(wrong)).read_text(encoding="utf-8")
    text = text_of(page)
    assert "The mistake all of 1" in text
    assert "p05 taken for p00" in text
    assert "Who was taken for whom" in text
    assert 'class="off"' in page


def test_recordings_have_their_times(recorded: Recorded) -> None:
    page = Library(recorded.folder).write_report().read_text(encoding="utf-8")
    intervals = Library(recorded.folder).intervals
    bars = re.findall(r'<i style="left:([\d.]+)%;width:([\d.]+)%', page)
    assert len(bars) == intervals.height
    assert all(float(left) + float(width) < 103 for left, width in bars)
    assert "counting each time that one was seen in 2 recordings" in text_of(page)


def test_what_cant_be_done_is_an_error(made: Library, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError):
        made.write_report(tmp_path / "file" / "report.html")
    with pytest.raises(LibraryError):
        unmingle.open(tmp_path / "nothing").write_report()


def test_a_library_without_faces_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "damaged.jpg").write_bytes(b"no picture")
    library = unmingle.open(tmp_path / "library")
    library.add(tmp_path / "pictures")
    library.cluster()
    text = text_of(library.write_report().read_text(encoding="utf-8"))
    assert "In 1 file unmingle found 0 faces" in text
    assert "Nobody: no two faces here are alike enough" in text
    assert "damaged.jpg" in text
