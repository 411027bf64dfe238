"""The page of a comparison: whole, and with nothing in it that points outside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Set


def test_the_page_shows_what_changed_and_needs_nothing_else(pictures: Set, tmp_path: Path) -> None:
    one, other = pictures.library("one"), pictures.library("other")
    person = one.faces.filter(pl.col("file") == "2020/party1.jpg")["person"][0]
    one.name(person, "Zoë & <Åse>")
    other.split(["2020/party1.jpg", "2020/party3.jpg"])
    other.reject(["2020/party5.jpg"], person)
    other.ignore(other.faces.filter(pl.col("face") == 1)["person"][0])
    found = one.compare(other, labels="folders")
    page = one.write_comparison(other, found, tmp_path / "page.html").read_text(encoding="utf-8")
    for title in ("Taken apart in B", "Nobody in B", "Left out by one of them", "Who is right", "The same in both"):
        assert f"<h2>{title}</h2>" in page
    assert "Put together in B" not in page
    assert "Zoë &amp; &lt;Åse&gt; <small>of A, 8 faces</small>" in page
    assert page.count("data:image/jpeg;base64,") > 8
    assert not re.search(r"""(src|href)=["'](?!data:|#)|url\((?!data:)|@import|https?://""", page)
    back = other.write_comparison(one, other.compare(one), tmp_path / "back.html").read_text(encoding="utf-8")
    assert "Put together in B" in back
    assert "Nobody in A" in back


def test_where_nothing_changed_the_page_says_so(pictures: Set, tmp_path: Path) -> None:
    one = pictures.library("one")
    page = one.write_comparison(one, one.compare(one), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Nothing differs." in page
    assert "3 people have exactly the same faces" in page
