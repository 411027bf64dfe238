"""What a notebook shows: harmless whatever it is called, whole in itself, and readable on any paper."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle import html
from unmingle.text_layout import counted


class Page(HTMLParser):
    """The tags and the text of a page; a tag that is left open is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def everything(name: str) -> str:
    return html.block(
        html.heading(name, name),
        html.table([(name, name)], (name, name)),
        html.faces([b"jpeg"], of=name),
        html.remark(name),
    )


@given(
    st.text(min_size=1)
    | st.sampled_from(["<script>alert(1)</script>", '" onload="x', "&lt;", "'><img src=x>", "\u202eabc"])
)
def test_no_name_becomes_a_part_of_the_page(name: str) -> None:
    page, plain = Page(everything(name)), Page(everything("Ada"))
    assert page.tags == plain.tags
    allowed = {"style", "alt", "width", "height", "src"}
    assert {attribute for attribute, _ in page.attributes} == allowed
    assert [value for attribute, value in page.attributes if attribute != "alt"] == [
        value for attribute, value in plain.attributes if attribute != "alt"
    ]


def test_a_name_is_told_as_it_is() -> None:
    assert "<script>alert(1)</script>" in Page(html.heading("<script>alert(1)</script>")).text
    assert "Zoë & Åse" in Page(html.heading("Zoë & Åse")).text
    # Signs that turn the direction of what follows are no part of a name that one can read.
    assert "\u202e" not in everything("\u202eabc")


def test_a_long_text_is_shortened_and_both_ends_tell() -> None:
    shown = Page(html.heading("begin" + "x" * 10_000 + "end")).text
    assert shown.startswith("begin")
    assert shown.endswith("end")
    assert len(shown) <= html.LONGEST


def test_a_page_brings_its_pictures_and_no_colour_of_its_own() -> None:
    page = everything("Ada")
    assert "data:image/jpeg;base64,anBlZw==" in page
    assert "://" not in page
    assert not re.search(r"(?<![-\w])color:|background:(?!none)", page), "a notebook may be dark"


@pytest.mark.parametrize(
    ("share", "shown"), [(1, "100 %"), (0.99996, "over 99.9 %"), (0, "0 %"), (0.0001, "under 0.1 %"), (0.973, "97.3 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert html.percent(share) == shown


def test_numbers_agree_with_their_nouns() -> None:
    assert counted(1, "face") == "1 face"
    assert counted(2400, "person", "people") == "2,400 people"
