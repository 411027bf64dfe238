"""How many keys and clicks each story of the review page takes, counted by the browser beside the letters of names."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.made_library import Shot, library, take
from tests.review.browser import PATIENCE, TOKEN, Seat, Watch, served

from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

expect.set_options(timeout=PATIENCE * 1000)

# What a person does: keys that are neither letters of a text nor held for another, and presses of the pointer.
COUNT = """{
  const add = () => sessionStorage.setItem('effort', Number(sessionStorage.getItem('effort')) + 1);
  addEventListener('keydown', ({ key, target, isTrusted }) => {
    const letter = key.length === 1 && target.matches?.('input:not([type=range], [type=checkbox])');
    if (isTrusted && !letter && !['Shift', 'Control'].includes(key)) add();
  }, true);
  addEventListener('pointerdown', ({ isTrusted }) => isTrusted && add(), true);
}"""


@pytest.fixture(autouse=True)
def _counted(context: BrowserContext) -> None:
    context.add_init_script(COUNT)


@contextmanager
def at_most(seat: Seat, most: int) -> Iterator[None]:
    """The block is done with so many keys and clicks at most."""
    seat.page.evaluate("sessionStorage.setItem('effort', 0)")
    yield
    taken = int(seat.page.evaluate("sessionStorage.getItem('effort')"))
    assert 0 < taken <= most, f"{taken} keys and clicks, where {most} are the most"


def test_five_people_are_named_with_ten(seat: Seat) -> None:
    names = ("Ada", "Grace", "Mary", "Emmy", "Lise")
    seat.open()
    with at_most(seat, 10):
        seat.press("g", "n")
        for name in names:
            expect(seat.page.get_by_role("combobox", name="Name")).to_be_focused()
            seat.page.keyboard.type(name)
            seat.press("Enter")
        seat.until(lambda: set(names) <= set(seat.names().values()))


def test_two_who_are_far_apart_are_merged_with_two(seat: Seat) -> None:
    seat.decide("name", person=11, name="Katherine")
    seat.watch.refusals.add(404)
    seat.open("/people/1")
    with at_most(seat, 2):
        seat.press("Shift+M")
        seat.page.keyboard.type("Kath")
        expect(seat.dialog().locator("[aria-selected=true]")).to_have_count(1)
        seat.press("Enter")
        expect(seat.page).to_have_url(re.compile("/people/11$"))


def test_doubtful_faces_are_cleared_with_three(seat: Seat, library_folder: Path) -> None:
    with open_to_write(library_folder) as store, store.transaction() as connection:
        connection.execute("UPDATE member SET probability = 0.3 WHERE person = 1 AND face % 2")
    seat.open("/people/1")
    doubtful = seat.page.get_by_role("button", name=re.compile("^Select the [1-9]"))
    expect(doubtful).to_be_visible()
    with at_most(seat, 3):
        seat.press("d")
        expect(seat.page.get_by_role("toolbar")).to_be_visible()
        seat.press("r")
        expect(doubtful).to_be_hidden()


def test_a_group_of_six_is_named_with_twelve(context: BrowserContext, tmp_path: Path) -> None:
    boxes = [(60.0 * place + 10, 100.0, 40.0, 50.0) for place in range(6)]
    folder, pictures = tmp_path / "album", tmp_path / "group"
    shots = [Shot(f"{number}.png", range(6), boxes) for number in range(4)]
    take(pictures, shots)
    library(folder, pictures, shots)
    names = ["Ada", "Grace", "Mary", "Emmy", "Lise", "Rosalind"]
    with served(folder) as origin:
        seat = Seat(context.new_page(), Watch(context, origin))
        context.request.get(f"{origin}/?token={TOKEN}")
        seat.open("/people/1")
        seat.cells().nth(0).focus()
        with at_most(seat, 12):
            seat.press("Enter")
            expect(seat.dialog().locator(".frame")).to_have_count(6)
            seat.press("n")
            for name in names:
                expect(seat.page.get_by_role("combobox", name="Name")).to_be_focused()
                seat.page.keyboard.type(name)
                seat.press("Tab")
            seat.until(lambda: sorted(seat.names().values()) == sorted(names))
        seat.watch.check()
        seat.page.close()


def test_the_same_face_is_found_elsewhere_with_two(seat: Seat) -> None:
    (face,) = seat.faces(1)[:1]
    seat.decide("reject", person=1, faces=[face])
    seat.open("/left-out")
    with at_most(seat, 2):
        seat.cell("p00_0000").click()
        seat.press("l")
        expect(seat.cells().nth(1)).to_have_attribute("aria-label", re.compile("Person 1, .*likely"))
    with at_most(seat, 2):  # and goes there
        seat.cells().nth(1).click()
        seat.press("y")
        seat.until(lambda: face in seat.faces(1))


def test_what_was_done_at_once_is_taken_back_with_one(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 1,").focus()
    with at_most(seat, 4):
        seat.press("x", "Shift+ArrowRight", "Shift+ArrowRight", "i")
        expect(seat.told("Ignored 3 people.")).to_be_visible()
    seat.page.reload()
    expect(seat.page.locator("[data-tool=undo]")).to_be_enabled()
    with at_most(seat, 1):
        seat.press("Control+z")
        expect(seat.cell("Person 1,")).to_be_visible()
        expect(seat.cells()).to_have_count(12)


@pytest.mark.usefixtures("thinking")
def test_five_suggestions_are_answered_with_seven(seat: Seat) -> None:
    seat.open()
    with at_most(seat, 7):
        seat.press("g", "s")
        for answered in range(5):
            expect(seat.page.locator(".question")).to_be_visible()
            seat.press("n")
            expect(seat.page.get_by_text(f"{answered + 1} answered")).to_be_visible()


def test_two_who_were_mingled_are_told_apart_with_three(seat: Seat) -> None:
    other = seat.faces(2)
    seat.decide("merge", person=1, others=[2])
    seat.open("/people/1")
    with at_most(seat, 3):
        seat.press("b")
        seat.page.get_by_role("checkbox", name=re.compile("^Part 2, 8 faces")).click()
        seat.button("Take 1 part apart").click()
        seat.until(lambda: seat.faces(13) == other if 13 in seat.names() else False)


def test_who_is_in_a_picture_is_seen_with_one(seat: Seat) -> None:
    seat.open()
    seat.watch.refusals.add(422)
    with at_most(seat, 1), seat.page.expect_file_chooser() as chooser:
        seat.button("Who is in…").click()
    chooser.value.set_files({"name": "text.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(seat.dialog().get_by_role("alert")).to_be_visible()


def test_who_was_made_has_a_name_with_four(seat: Seat) -> None:
    seat.open("/people/1")
    seat.cells().nth(0).focus()
    with at_most(seat, 4):
        seat.press("Shift+ArrowRight", "s")
        seat.told("Open").get_by_role("button", name="Name", exact=True).click()
        seat.page.keyboard.type("Katherine")
        seat.press("Enter")
        seat.until(lambda: "Katherine" in seat.names().values())
    expect(seat.page.get_by_role("heading", name="Katherine")).to_be_visible()
