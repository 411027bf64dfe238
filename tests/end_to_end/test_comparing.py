"""Two libraries side by side, and the table on labelled pictures of one's own, as a user makes them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from unmingle.api import Library

if TYPE_CHECKING:
    from tests.command import Command

    from unmingle.demo import Meeting


def test_a_meeting_benched_then_grouped_otherwise_and_compared(unmingle: Command, meeting: Meeting) -> None:
    done = unmingle("bench", meeting.faces, "--labels", meeting.labels, "-o", "one", "--json", "--quiet")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["evaluation"]["scores"]["accuracy"] > 0.9
    assert told["pictures"] == told["summary"]["files"] == len(meeting.crops)
    assert told["pictures_a_second"] > 0
    assert told["memory"] is None or told["memory"] > 100e6
    assert [method["name"] for method in told["others"]] == ["k-means", "average linkage", "average linkage"]
    assert told["others"][1]["scores"]["bcubed"]["f1"] >= told["others"][2]["scores"]["bcubed"]["f1"]

    shutil.copytree(unmingle.folder / "one", unmingle.folder / "other")
    Library(unmingle.folder / "other").cluster(people=2, sheets=0)
    done = unmingle("compare", "one", "other", "--labels", meeting.labels, "-o", "page.html")
    assert done.code == 0, done.err
    assert "found by unmingle" in done.out
    assert "given: 2" in done.out
    assert "of B, put together of several of A:" in done.out
    assert "By the labels A is right" in done.out
    page = (unmingle.folder / "page.html").read_text(encoding="utf-8")
    assert "<h2>Put together in B</h2>" in page
    assert "<h2>Who is right</h2>" in page
