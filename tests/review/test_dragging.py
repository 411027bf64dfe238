"""People dragged onto each other, and faces onto people, with a mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect
from tests.review.browser import PATIENCE, Seat

if TYPE_CHECKING:
    from playwright.sync_api import Locator

expect.set_options(timeout=PATIENCE * 1000)


def drag(seat: Seat, from_: Locator, *onto: Locator) -> None:
    """Take something and let it go on the last of these."""
    from_.hover()
    seat.page.mouse.down()
    for one in onto:
        one.hover()
        one.hover()  # browsers tell of what is below only once the pointer moves there
    seat.page.mouse.up()


def test_a_person_dragged_onto_another_is_the_same(seat: Seat) -> None:
    seat.decide("name", person=5, name="Ada")
    faces = len(seat.faces(2)) + len(seat.faces(5))
    seat.open()
    drag(seat, seat.cell("Ada,"), seat.cell("Person 2,"))
    expect(seat.told("Merged Ada into Person 2")).to_be_visible()
    expect(seat.page.locator(".toast")).to_have_count(1)
    expect(seat.dialog()).to_have_count(0)  # nothing is asked
    expect(seat.cell("Ada,")).to_have_attribute("aria-label", f"Ada, {faces} faces")
    assert seat.names()[2] == "Ada"
    seat.told("Merged").get_by_role("button", name="Undo").click()
    expect(seat.cell("Person 2,")).to_be_visible()
    assert seat.names()[5] == "Ada"


def test_all_who_are_selected_come_along(seat: Seat) -> None:
    seat.open()
    for name in ("Person 3,", "Person 4,"):
        seat.cell(name).focus()
        seat.press("x")
    drag(seat, seat.cell("Person 3,"), seat.cell("Person 4,"))  # which is one of them
    drag(seat, seat.cell("Person 3,"), seat.cell("Person 6,"))
    expect(seat.told("into Person 6")).to_be_visible()
    seat.until(lambda: not {3, 4} & set(seat.names()))
    assert [one["kind"] for one in seat.api("/decisions")["decisions"]][:2] == ["merge", "cluster"]


def test_faces_are_dragged_onto_whom_they_are_of(seat: Seat) -> None:
    one, other, *rest = seat.faces(2)
    seat.decide("assign", faces=[one, other], person=1)
    seat.open("/people/1")
    wrong = [seat.page.locator(f'.tile:has([data-face="{face}"])') for face in (one, other)]
    wrong[0].click()
    wrong[1].click(modifiers=["Control"])
    tray = seat.page.locator(".drop-tray .naming-choice")
    drag(seat, wrong[1], seat.page.get_by_role("heading", name="Person 1"), tray.filter(has_text="Person 2"))
    expect(seat.told("Person 2")).to_be_visible()
    expect(tray).to_have_count(0)
    seat.until(lambda: seat.faces(2) == [one, other, *rest])
    seat.press("Control+z")
    seat.until(lambda: seat.faces(2) == rest)


def test_a_face_is_dragged_out_as_a_new_person_and_others_make_a_rectangle(seat: Seat) -> None:
    (face,) = seat.faces(1)[:1]
    seat.open("/people/1")
    drag(seat, seat.cells().nth(0), seat.cells().nth(1))  # not selected: a rectangle over two
    expect(seat.page.get_by_role("toolbar")).to_contain_text("2 faces selected")
    seat.cells().nth(0).click()
    tray = seat.page.locator(".drop-tray .naming-choice")
    drag(
        seat, seat.cells().nth(0), seat.page.get_by_role("heading", name="Person 1"), tray.filter(has_text="New person")
    )
    expect(seat.told("Split 1 face off Person 1")).to_be_visible()
    assert face not in seat.faces(1)
    seat.cells().nth(0).click()
    drag(seat, seat.cells().nth(0), seat.cells().nth(3))  # nobody's place
    expect(tray).to_have_count(0)
    assert len(seat.api("/decisions")["decisions"]) == 2
