"""Finding the same face elsewhere, by a real browser at a real server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
from playwright.sync_api import expect
from tests.review.browser import PATIENCE, TOKEN, Seat, Watch, nameless, served
from tests.review.recording import frame

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from tests.review.recording import Recorded

expect.set_options(timeout=PATIENCE * 1000)


def _part(seat: Seat, count: int) -> list[int]:
    """The first faces of person 1, of which somebody said that they are not."""
    faces = seat.faces(1)[:count]
    seat.decide("reject", person=1, faces=faces)
    assert {seat.api(f"/faces/{face}")["status"] for face in faces} == {"alone"}
    return faces


def test_a_face_seen_once_finds_whose_it_is(seat: Seat) -> None:
    (face,) = _part(seat, 1)
    seat.open("/left-out")
    seat.cell("p00_0000").focus()
    seat.press("l")
    expect(seat.page).to_have_url(f"{seat.watch.origin}/faces/{face}")
    expect(seat.page.get_by_role("heading", name="Faces like this")).to_be_visible()
    expect(seat.cells().nth(0)).to_have_attribute("aria-label", "p00_0000_1.jpg, Seen once")
    expect(seat.cells().nth(1)).to_have_attribute("aria-label", re.compile("Person 1, (9[0-9]|100)% likely"))
    assert nameless(seat.page) == []
    seat.cells().nth(1).focus()
    seat.press("y")
    expect(seat.told("Person 1")).to_be_visible()
    expect(seat.cells().nth(0)).to_have_attribute("aria-label", re.compile("Person 1"))
    assert face in seat.faces(1)
    seat.press("Control+z")
    expect(seat.cells().nth(0)).to_have_attribute("aria-label", re.compile("Seen once"))


def test_faces_seen_once_become_a_person(seat: Seat) -> None:
    one, other = _part(seat, 2)
    people = len(seat.names())
    seat.open(f"/faces/{one}")
    seat.cell("p00_0001").click()
    seat.act("The same person")
    expect(seat.told("Open")).to_be_visible()
    assert len(seat.names()) == people + 1
    assert sorted(seat.faces(people + 1)) == sorted((one, other))
    # Of a person's face, those of others are shown, to be taken over.
    expect(seat.cell("p00_0001")).to_have_count(0)  # now, not when nobody's was shown
    elsewhere = seat.cell("p01_").first
    moved = int(elsewhere.locator("img").get_attribute("data-face") or 0)
    elsewhere.click()
    seat.act("The same person")
    expect(seat.page.locator(f'[role=gridcell] img[data-face="{moved}"]')).to_have_count(0)
    assert moved in seat.faces(people + 1)


def test_a_face_that_is_gone_says_so(seat: Seat) -> None:
    seat.watch.refusals.add(404)
    seat.open("/faces/99999")
    expect(seat.page.get_by_role("heading", name="There is no face 99999.")).to_be_visible()
    assert nameless(seat.page) == []


def test_who_is_in_a_picture_that_is_dropped(context: BrowserContext, recorded: Recorded, tmp_path: Path) -> None:
    with served(recorded.folder) as origin:
        seat = Seat(context.new_page(), Watch(context, origin))
        context.request.get(f"{origin}/?token={TOKEN}")
        stored = set(recorded.folder.rglob("*"))
        seat.open()
        with seat.page.expect_file_chooser() as chooser:
            seat.button("Who is in…").click()
        (tmp_path / "text.jpg").write_bytes(b"no picture")
        cv2.imwrite(str(tmp_path / "frame.png"), frame((0, 2))[:, :, ::-1])
        seat.watch.refusals.add(422)
        chooser.value.set_files([tmp_path / "frame.png", tmp_path / "text.jpg"])
        faces = seat.dialog().get_by_role("listitem")
        expect(faces).to_have_count(2)
        expect(faces.nth(0)).to_contain_text(re.compile(r"Person \d.*(9\d|100)%"))
        expect(seat.dialog().get_by_role("alert")).to_contain_text("The picture can't be read: not a picture")
        assert nameless(seat.page) == []
        assert set(recorded.folder.rglob("*")) <= stored
        seat.press("Escape")
        drop = seat.page.evaluate_handle(
            "() => { const it = new DataTransfer(); it.items.add(new File(['no picture'], 'dropped.jpg')); return it }"
        )
        seat.page.dispatch_event("main", "dragover", {"dataTransfer": drop})
        expect(seat.page.locator("body.dropping")).to_be_visible()
        seat.page.dispatch_event("main", "drop", {"dataTransfer": drop})
        expect(seat.dialog().get_by_role("heading", name="dropped.jpg")).to_be_visible()
        expect(seat.dialog().get_by_role("alert")).to_be_visible()
        seat.watch.check()
        seat.page.close()


def test_a_person_of_three_is_broken_up_at_once(seat: Seat) -> None:
    seat.decide("name", person=1, name="Ada")
    before = seat.faces(2), seat.faces(3)
    seat.decide("merge", person=1, others=[2, 3])
    seat.open("/people/1")
    seat.press("b")
    dialog = seat.page.get_by_role("dialog", name="What is Ada made of?")
    parts = dialog.get_by_role("listitem")
    expect(parts).to_have_count(3)
    seat.press("ArrowLeft")
    expect(parts).to_have_count(2)
    seat.press("ArrowRight")
    expect(parts).to_have_count(3)
    expect(parts.nth(0)).to_contain_text("Stays")
    expect(parts.nth(1)).to_contain_text("<1% likely the same")
    assert nameless(seat.page) == []
    seat.page.get_by_role("checkbox", name="Part 2, 8 faces").check()
    seat.page.get_by_role("checkbox", name="Part 3, 8 faces").check()
    seat.button("Take 2 parts apart").click()
    expect(seat.told("Took 2 parts out of Ada.")).to_be_visible()
    expect(seat.cells()).to_have_count(9)
    assert {tuple(seat.faces(person)) for person in (13, 14)} == {tuple(faces) for faces in before}
    seat.page.reload()
    expect(seat.page.locator("[data-tool=undo]")).to_be_enabled()
    seat.press("Control+z")
    expect(seat.told("Undid 2 decisions")).to_be_visible()
    expect(seat.cells()).to_have_count(25)
