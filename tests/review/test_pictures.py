"""A picture with its faces: named where they are, walked through, and found again by its address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.review.browser import PATIENCE, Seat, nameless

if TYPE_CHECKING:
    from pathlib import Path

    from tests.review.recording import Recorded

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def library_folder(recorded: Recorded) -> Path:
    """Recordings whose frames show up to three people."""
    return recorded.folder


def test_all_faces_of_a_picture_are_named_one_after_another(seat: Seat, library_folder: Path) -> None:
    seat.open("/people/1")
    together = [len(seat.api(f"/faces/{face}")["others"]) for face in seat.faces(1)]
    seat.cells().nth(together.index(2)).focus()
    seat.press("Enter")
    view = seat.page.get_by_role("dialog", name="Picture of a face")
    names = view.get_by_role("button", name=re.compile("change the name$"))
    expect(names).to_have_count(3)
    seat.press("n")
    for name in ("Ada", "Grace", "Mary"):
        expect(view.get_by_role("combobox", name="Name")).to_be_focused()
        seat.page.keyboard.type(name)
        seat.press("Tab")
    seat.press("Escape")
    expect(view).to_be_visible()
    seat.until(lambda: sorted(seat.names().values()) == ["Ada", "Grace", "Mary"])
    expect(view.get_by_role("button", name="Grace: change the name")).to_be_visible()
    expect(view.get_by_text(str(library_folder.parent / "recordings"))).to_be_visible()
    seat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seat.button("Copy path").click()
    expect(seat.told("The path is copied.")).to_be_visible()
    copied = seat.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(str(library_folder.parent / "recordings"))
    assert nameless(seat.page) == []


def test_a_picture_is_walked_and_has_an_address_of_its_own(seat: Seat) -> None:
    seat.open("/people/1?sort=quality")
    expect(seat.cells().nth(2)).to_be_visible()
    seat.cells().nth(1).focus()
    seat.press("Enter")
    view = seat.page.get_by_role("dialog", name="Picture of a face")
    expect(view.get_by_text(re.compile("^2 of"))).to_be_visible()
    seat.press("j")
    expect(view.get_by_text(re.compile("^3 of"))).to_be_visible()
    seat.press("k", "k")
    expect(view.get_by_text(re.compile("^1 of"))).to_be_visible()
    view.get_by_role("button", name="Face 3", exact=True).click()
    expect(view.get_by_text(re.compile("^3 of"))).to_be_visible()
    third = seat.api("/people/1/faces?sort=quality")["faces"][2]["face"]
    address = f"{seat.watch.origin}/pictures/{third}"
    expect(seat.page).to_have_url(address)
    seat.page.reload()  # over the same page, in the same order
    expect(view.get_by_text(re.compile("^3 of"))).to_be_visible()
    expect(seat.page).to_have_url(address)
    seat.press("Escape")
    expect(view).to_have_count(0)
    expect(seat.page).to_have_url(re.compile(r"/people/1\?sort=quality$"))
    other = Seat(seat.page.context.new_page(), seat.watch)
    other.page.goto(address)
    expect(other.page.locator(".frames.ready")).to_be_visible()
    expect(other.page).to_have_url(address)
    other.press("Escape")
    expect(other.page).to_have_url(re.compile(r"/people/1$"))


def test_people_are_walked_as_they_stand_on_the_wall(seat: Seat) -> None:
    seat.open()
    first, second, third = seat.names()
    seat.page.get_by_role("combobox", name="Sort by").select_option("name")
    seat.cell(f"Person {first},").focus()
    seat.press("Enter")
    expect(seat.page).to_have_url(re.compile(f"/people/{first}$"))
    seat.press("j")
    expect(seat.page).to_have_url(re.compile(f"/people/{second}$"))
    seat.press("j")
    expect(seat.page).to_have_url(re.compile(f"/people/{third}$"))
    seat.press("k")
    expect(seat.page).to_have_url(re.compile(f"/people/{second}$"))
    seat.press("Backspace")
    expect(seat.page).to_have_url(re.compile(r"/\?sort=name$"))
    assert seat.api(f"/people/{first}/beside?sort=name") == {"before": None, "after": second}
    seat.watch.refusals.add(404)
    seat.page.goto(f"{seat.watch.origin}/pictures/99999")
    expect(seat.page.get_by_role("heading", name="There is no face 99999.")).to_be_visible()
