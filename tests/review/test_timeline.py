"""The timeline on the page, told by a real browser at a real server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.review.browser import PATIENCE, Seat, nameless

from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, FloatRect, Locator
    from tests.review.recording import Recorded

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def library_folder(recorded: Recorded) -> Path:
    """A library of two recordings: `talk.mp4` with three people, and `pair.mp4` with two of them."""
    return recorded.folder


def recording(seat: Seat, name: str) -> Locator:
    return seat.page.get_by_role("region", name=name, exact=True)


def box(shown: Locator) -> FloatRect:
    found = shown.bounding_box()
    assert found
    return found


def people(seat: Seat) -> list[int]:
    """Those of `talk.mp4`, in the order of the page."""
    return [one["person"] for one in seat.api("/timeline")["recordings"][1]["people"]]


def test_the_timeline_is_found_and_shows_who_is_there_when(seat: Seat) -> None:
    seat.open()
    seat.page.get_by_role("link", name="Timeline").click()
    expect(seat.page).to_have_url(f"{seat.watch.origin}/timeline")
    first, second, third = people(seat)
    talk = recording(seat, "talk.mp4")
    expect(talk.locator(".track-name")).to_have_text([f"Person {person}" for person in (first, second, third)])
    expect(talk.locator(".track-seconds")).to_have_text(
        [re.compile(r"0:0[34]\.\d on screen, \d+%"), *[re.compile(r"0:02\.\d on screen, 6\d%")] * 2]
    )
    expect(recording(seat, "pair.mp4").locator(".track-row")).to_have_count(2)
    bars = talk.get_by_role("group", name=f"Person {second}: 2 times on screen").get_by_role("link")
    expect(bars).to_have_count(2)
    # A bar is where its time is: from 2.8 to the end of 4 seconds.
    lane, bar = box(talk.locator(".lane").nth(1)), box(bars.nth(1))
    assert (bar["x"] - lane["x"]) / lane["width"] == pytest.approx(2.8 / 4, abs=0.04)
    assert bar["x"] + bar["width"] == pytest.approx(lane["x"] + lane["width"], abs=0.04 * lane["width"])
    expect(talk.locator(".mark").first).to_have_text("0:00.0")
    assert nameless(seat.page) == []


def test_a_bar_tells_its_times_and_leads_to_the_moment(seat: Seat) -> None:
    second = people(seat)[1]
    seat.decide("name", person=second, name="Ada")
    seat.open("/timeline")
    talk = recording(seat, "talk.mp4")
    bar = talk.get_by_role("link", name=re.compile(r"^Ada, 0:00\.0 to 0:01\.\d, 1\.\d seconds$"))
    bar.hover()
    tip = seat.page.locator(".time-tip")
    expect(tip).to_contain_text("Ada")
    expect(tip).to_contain_text(re.compile(r"0:00\.0 – 0:01\.\d \(1\.\d s\)"))
    expect(tip.locator("img[data-ready=yes]")).to_be_visible()
    seat.page.mouse.move(5, 400)
    expect(tip).to_be_hidden()
    talk.get_by_role("link", name="Ada", exact=False).first.click()
    expect(seat.page).to_have_url(f"{seat.watch.origin}/people/{second}")
    seat.page.go_back()
    bar.click()
    expect(seat.page).to_have_url(re.compile(r"/timeline\?recording=\d+&at=0\.[56]\d$"))  # its middle
    expect(tip).to_be_hidden()


def test_the_bars_are_walked_through_by_keys(seat: Seat) -> None:
    first, second, third = people(seat)
    seat.open("/timeline")
    talk = recording(seat, "talk.mp4")
    talk.get_by_role("link", name=re.compile(rf"^Person {first} 0:0")).focus()
    seat.press("Tab")
    lanes = talk.locator(".lane")
    expect(lanes.nth(0).locator("a").first).to_be_focused()
    expect(seat.page.locator(".time-tip")).to_contain_text(f"Person {first}")
    seat.press("Escape")
    expect(seat.page.locator(".time-tip")).to_be_hidden()
    seat.press("Tab")  # all bars are one stop, so on to the next name
    expect(talk.get_by_role("link", name=re.compile(rf"^Person {second} 0:0"))).to_be_focused()
    seat.press("Shift+Tab", "ArrowDown", "ArrowRight")
    expect(lanes.nth(1).locator("a").nth(1)).to_be_focused()
    seat.press("ArrowDown", "ArrowUp")  # of the one above, the time that is nearer
    expect(lanes.nth(1).locator("a").first).to_be_focused()
    seat.press("End")
    expect(lanes.nth(1).locator("a").nth(1)).to_be_focused()
    seat.press("ArrowDown", "Enter")
    expect(seat.page).to_have_url(re.compile(r"/timeline\?recording=\d+&at=0\.00$"))
    expect(seat.page.get_by_role("link", name="All recordings")).to_be_visible()
    expect(seat.page.locator(f'.track-who[href="/people/{third}"]')).to_be_visible()


def test_the_times_are_a_table_that_can_be_copied(context: BrowserContext, seat: Seat) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    seat.open("/timeline")
    talk = recording(seat, "talk.mp4")
    talk.get_by_text("Times as a table").click()
    table = talk.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(5)
    expect(table.get_by_role("columnheader")).to_have_text(["Person", "From", "To", "Seconds", "Seen"])
    assert nameless(seat.page) == []
    talk.get_by_role("button", name="Copy").click()
    expect(seat.told("Copied")).to_be_visible()
    copied = seat.page.evaluate("navigator.clipboard.readText()").splitlines()
    shown = table.get_by_role("row").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((c) => c.textContent).join('\\t'))"
    )
    assert copied == shown
    assert copied[2].startswith(f"Person {people(seat)[1]}\t0:00.0\t0:01.")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_recording_is_looked_at_closely(seat: Seat, library_folder: Path, width: int) -> None:
    with open_to_write(library_folder) as store, store.transaction() as connection:
        connection.execute("UPDATE recording SET duration = 600 WHERE frames = 40")
    seat.page.set_viewport_size({"width": width, "height": 740})
    seat.open("/timeline")
    talk = recording(seat, "talk.mp4")
    closer, farther = talk.get_by_role("button", name="Closer"), talk.get_by_role("button", name="Farther")
    lane = talk.locator(".lane").first
    expect(farther).to_be_disabled()
    before, marks = box(lane)["width"], talk.locator(".mark").count()
    closer.click()
    closer.click()
    assert box(lane)["width"] == pytest.approx(4 * before, rel=0.01)
    expect(talk.locator(".mark").nth(2 * marks)).to_be_attached()
    seat.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    # What the keys lead to comes into view, beside the names.
    lane.get_by_role("link").focus()
    bar, name = box(lane.get_by_role("link")), box(talk.locator(".track-who").first)
    assert bar["x"] >= (name["x"] + name["width"] if width > 700 else 0)
    farther.click()
    farther.click()
    assert box(lane)["width"] == pytest.approx(before, rel=0.01)
    # Four seconds are as close as they get.
    expect(recording(seat, "pair.mp4").locator(".mark").first).to_be_attached()
    expect(recording(seat, "pair.mp4").get_by_role("button", name="Closer")).to_be_hidden()


def test_decisions_are_seen_at_once(seat: Seat) -> None:
    first, _, third = people(seat)
    seat.open("/timeline")
    names = recording(seat, "talk.mp4").locator(".track-name")
    expect(names.first).to_have_text(f"Person {first}")
    bar = recording(seat, "talk.mp4").locator(f'.bar-time[data-person="{first}"]')
    bar.focus()
    seat.decide("name", person=first, name="Ada")
    seat.decide("ignore", person=third)  # who is not in the other recording
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(names).to_have_count(2)
    expect(names.first).to_have_text("Ada")
    expect(bar).to_be_focused()
    seat.press("Control+z")
    expect(names).to_have_count(3)
    expect(bar).to_be_focused()
    # A recording that a decision has nothing to do with is left as it was.
    pair = recording(seat, "pair.mp4")
    pair.get_by_text("Times as a table").click()
    seat.decide("ignore", person=third)
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(names).to_have_count(2)
    expect(pair.get_by_role("table")).to_be_visible()


def test_a_person_is_shown_in_each_recording(seat: Seat) -> None:
    _, second, third = people(seat)
    seat.open(f"/people/{second}")
    shown = seat.page.get_by_role("region", name="On screen")
    expect(shown.locator(".track-name")).to_have_text(["pair.mp4", "talk.mp4"])
    bars = shown.get_by_role("button")
    expect(bars).to_have_count(3)
    bars.nth(2).click()
    dialog = seat.dialog()
    expect(dialog.locator(".frames.ready")).to_be_visible()
    expect(dialog.get_by_role("status")).to_have_text("3 of 3")
    expect(dialog.locator(".facts")).to_contain_text("talk.mp4")
    expect(dialog.locator(".facts")).to_contain_text(re.compile(r"Time0:0[23]\.\dFrame[23]\d"))
    expect(
        dialog.get_by_role("img", name=re.compile(r"talk\.mp4 at 0:0[23]\.\d, with the face framed"))
    ).to_be_visible()
    seat.press("ArrowLeft")
    expect(dialog.get_by_role("status")).to_have_text("2 of 3")
    seat.press("Escape")
    expect(bars.nth(2)).to_be_focused()
    seat.open(f"/people/{third}")
    expect(shown.locator(".track-name")).to_have_text(["talk.mp4"])
    assert nameless(seat.page) == []


def test_who_leaves_a_recording_leaves_the_persons_page(seat: Seat) -> None:
    first, _, third = people(seat)
    seat.watch.refusals.add(404)
    seat.open(f"/people/{third}")
    shown = seat.page.locator(".person-times .track-row")
    expect(shown).to_have_count(1)
    seat.decide("assign", faces=seat.faces(third), person=first)
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.page.get_by_role("heading", name="Nobody is here any more")).to_be_visible()
    expect(shown).to_have_count(0)
    seat.press("Control+z")
    expect(shown).to_have_count(1)
