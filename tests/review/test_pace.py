"""The review page under the hands of somebody quick, with a server that is slow and a library that others change."""

from __future__ import annotations

import re
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.review.browser import PATIENCE, Seat
from tests.review.crowd import crowd

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

expect.set_options(timeout=PATIENCE * 1000)

PEOPLE = 200
FIELD = ".name-input"
PACE = 70  # milliseconds between two keys
SEEN = """() => [...document.querySelectorAll("[role=gridcell][aria-label]:not([hidden])")].filter((cell) => {
  const box = cell.getBoundingClientRect();
  return box.bottom > 120 && box.top < innerHeight;
}).length"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crowd(tmp_path_factory.mktemp("crowd") / "library", people=PEOPLE, lone=600)


@pytest.fixture
def library_folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("unmingle.review.background.THINKING", 60.0)  # nobody answers questions here
    return shutil.copytree(template, tmp_path / "library")


def slow(page: Page, milliseconds: int) -> None:
    """Every answer takes so much longer, from now on and after a reload."""
    script = """const ask = fetch; window.fetch = async (...about) => {
      const answer = await ask(...about); await new Promise((on) => setTimeout(on, LATER)); return answer; };"""
    script = f"{{ {script.replace('LATER', str(milliseconds))} }} null"
    page.add_init_script(script)
    page.evaluate(script)


def typed(seat: Seat, text: str) -> None:
    seat.page.keyboard.type(text, delay=PACE)


def named(seat: Seat) -> dict[str, str]:
    """Names by the label of who had none: nobody else changed anything."""
    return {f"Person {person}": name for person, name in seat.names().items() if name}


def log(seat: Seat) -> list[str]:
    return [one["kind"] for one in seat.api("/decisions?limit=200")["decisions"] if one["kind"] != "cluster"]


def is_near(seat: Seat, place: float) -> bool:
    """Whether the page is scrolled to about there."""
    near: bool = abs(seat.page.evaluate("scrollY") - place) < 300
    return near


def look(seat: Seat) -> int:
    """How many filled cells are in the window."""
    return int(seat.page.evaluate(SEEN))


@pytest.mark.parametrize(
    ("show", "delay"),
    [("all", 150), pytest.param("unnamed", 700, marks=pytest.mark.slow)],
)
def test_people_are_named_as_fast_as_somebody_types(seat: Seat, show: str, delay: int) -> None:
    seat.open(f"/?show={show}")
    seat.cells().nth(0).focus()
    slow(seat.page, delay)
    names = ["Ida Mix", "Simon", "Miri Unx", "Ximena"]
    for name in names:
        seat.press("n")
        typed(seat, name)
        seat.page.keyboard.press("Enter", delay=5)
        seat.press("ArrowRight")
    seat.until(lambda: len(log(seat)) == len(names))
    assert sorted(named(seat).values()) == sorted(names)
    assert set(log(seat)) == {"name"}
    assert seat.api("/library")["ignored"] == 0


def test_tab_saves_and_goes_on_to_the_next(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 1,").focus()
    seat.press("n")
    slow(seat.page, 300)
    for name in ("Ida", "Misu", "Xi"):
        typed(seat, name)
        seat.press("Tab")
        expect(seat.page.locator(FIELD)).to_be_focused()
    typed(seat, "not this one")
    seat.press("Escape")
    expect(seat.cell("Person 4,")).to_be_focused()
    seat.until(lambda: len(log(seat)) == 3)
    assert named(seat) == {"Person 1": "Ida", "Person 2": "Misu", "Person 3": "Xi"}
    seat.press("n", "Shift+Tab", "Escape")  # nothing was typed, so nothing is saved
    expect(seat.cell("Xi,")).to_be_focused()
    assert len(log(seat)) == 3


def test_who_goes_elsewhere_has_saved(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 1,").focus()
    seat.press("n")
    typed(seat, "Ida")
    seat.page.get_by_role("searchbox").click()
    seat.until(lambda: named(seat) == {"Person 1": "Ida"})
    seat.cell("Person 2,").focus()
    seat.press("n")
    typed(seat, "Misu")
    seat.page.get_by_role("link", name="History").click()
    seat.until(lambda: named(seat) == {"Person 1": "Ida", "Person 2": "Misu"})
    seat.open()
    seat.cell("Person 3,").focus()
    seat.press("Enter")
    expect(seat.page.get_by_role("heading", name="Person 3")).to_be_visible()
    seat.press("n")
    typed(seat, "Xi")
    seat.press("Tab")
    expect(seat.page.get_by_role("button", name="Xi")).to_be_focused()
    seat.press("n")
    typed(seat, "Xu")
    seat.page.go_back()
    seat.until(lambda: named(seat)["Person 3"] == "Xu")
    assert log(seat) == ["name"] * 4


def test_an_open_field_survives_what_others_do(seat: Seat) -> None:
    seat.open("/?show=unnamed")
    seat.cell("Person 5,").focus()
    seat.press("n")
    typed(seat, "Im")
    seat.page.locator(FIELD).evaluate("field => field.setSelectionRange(1, 1)")
    seat.decide("name", person=1, name="Ada")
    seat.decide("merge", person=3, others=[2])
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.cell("Person 1,")).to_have_count(0)
    typed(seat, "x")
    expect(seat.page.locator(FIELD)).to_be_focused()
    expect(seat.page.locator(FIELD)).to_have_value("Ixm")
    field, card = seat.page.locator(FIELD).bounding_box(), seat.cell("Person 5,").bounding_box()
    assert field is not None
    assert card is not None
    assert card["x"] - 10 < field["x"] < card["x"] + 10
    assert card["y"] < field["y"] < card["y"] + card["height"]
    seat.press("Enter")
    seat.until(lambda: named(seat) == {"Person 1": "Ada", "Person 5": "Ixm"})


def test_a_name_for_somebody_who_was_erased_meanwhile_goes_to_nobody_else(seat: Seat) -> None:
    seat.watch.refusals.update({404, 422})
    seat.open()
    seat.cell("Person 2,").focus()
    seat.press("n")
    typed(seat, "Bea")
    origin = seat.watch.origin
    assert seat.page.context.request.post(f"{origin}/api/erase", data={"person": 2}, headers={"Origin": origin}).ok
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.cell("Person 2,")).to_have_count(0)
    seat.press("Enter")
    expect(seat.told("“Bea” was not saved. There is no person 2.")).to_be_visible()
    expect(seat.page.locator(FIELD)).to_have_count(0)
    assert named(seat) == {}


def test_all_are_selected_wherever_somebody_scrolls_meanwhile(seat: Seat) -> None:
    seat.open()
    slow(seat.page, 500)
    seat.cell("Person 1,").focus()
    with seat.page.expect_request(lambda request: "offset=180" in request.url):  # the last people
        seat.press("Control+a")
    seat.page.evaluate("dispatchEvent(new Event('scroll'))")
    expect(seat.page.get_by_text("people selected")).to_contain_text(f"{PEOPLE} people")
    # Nor does what somebody decides meanwhile leave anybody out.
    seat.page.reload()
    seat.cell("Person 1,").focus()
    with seat.page.expect_request(lambda request: "offset=180" in request.url):
        seat.press("Control+a")
    seat.decide("name", person=1, name="Ada")
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.page.get_by_text("people selected")).to_contain_text(f"{PEOPLE} people")


def test_letters_and_keys_of_an_input_method_are_no_commands(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 1,").focus()
    seat.press("n")
    field = seat.page.locator(FIELD)
    field.fill("愛")
    field.evaluate(
        "field => field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    expect(field).to_be_focused()
    seat.press("Enter")
    seat.until(lambda: named(seat) == {"Person 1": "愛"})
    held = "cell => cell.dispatchEvent(new KeyboardEvent('keydown', {key: 'i', repeat: true, bubbles: true}))"
    seat.cell("Person 2,").focus()
    seat.cell("Person 2,").evaluate(held)
    seat.page.locator(".toast-act").first.focus()
    seat.press("i")
    seat.page.evaluate("document.activeElement.blur()")
    seat.press("i")
    expect(seat.told("Select somebody first")).to_be_visible()
    assert log(seat) == ["name"]


def test_a_name_that_somebody_has_is_not_asked_about_while_others_are_typed(seat: Seat) -> None:
    seat.decide("name", person=9, name="Ida")
    seat.open()
    seat.cell("Person 1,").focus()
    slow(seat.page, 400)
    seat.press("n")
    seat.page.keyboard.type("ida")
    seat.press("Enter", "ArrowRight", "n")
    typed(seat, "Misu")
    expect(seat.told("“ida” was not saved")).to_be_visible()
    expect(seat.page.locator(FIELD)).to_have_value("Misu")
    seat.press("Enter")
    seat.until(lambda: named(seat) == {"Person 9": "Ida", "Person 2": "Misu"})
    seat.page.get_by_role("button", name="Merge with Ida…").click()
    expect(seat.page.get_by_role("dialog", name="Merge with Ida?")).to_be_visible()
    seat.press("Enter")  # somebody who types on: nothing is merged by that
    expect(seat.dialog()).to_have_count(0)
    assert 1 in seat.names()


@pytest.mark.parametrize("path", ["/", "/left-out"])
def test_what_was_scrolled_to_is_there_again(seat: Seat, path: str) -> None:
    seat.open(path)
    seat.until(lambda: seat.page.evaluate("(scrollTo(0, 4000), scrollY)") > 3900)  # once the page is so long
    seat.until(lambda: look(seat) > 10)
    for way in ("reload", "back", "slow"):
        before = seat.page.evaluate("scrollY")
        seat.page.wait_for_function("() => history.state.scroll > 3500")
        if way == "slow":
            slow(seat.page, 400)
        if way == "back":
            seat.page.get_by_role("link", name="History").click()
            seat.page.locator(".log-row").first.wait_for()
            seat.page.go_back()
        else:
            seat.page.reload()
        seat.until(lambda: look(seat) > 10)
        # The page gets as long as it was a little later, where the machine is slow.
        seat.until(partial(is_near, seat, before))
    seat.page.set_viewport_size({"width": 700, "height": 1300})
    seat.until(lambda: look(seat) > 10)
    assert seat.page.evaluate("scrollY") > 3500
    seat.page.set_viewport_size({"width": 1500, "height": 500})
    seat.until(lambda: look(seat) > 10)
    seat.page.set_viewport_size({"width": 1500, "height": 1500})  # higher: more rows at once
    seat.until(lambda: look(seat) > 40)


def test_a_wall_that_shrinks_below_where_it_was_is_not_blank(seat: Seat) -> None:
    seat.open()
    seat.page.evaluate("scrollTo(0, 1e6)")
    seat.until(lambda: look(seat) > 5)
    seat.decide("merge", person=1, others=list(range(20, PEOPLE - 20)))
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.page.locator(".tools-count")).to_have_text("40 people")
    seat.until(lambda: look(seat) > 5)
    seat.page.reload()
    seat.until(lambda: look(seat) > 5)


def test_what_others_decide_before_the_first_look_is_not_lost(seat: Seat) -> None:
    seat.open()
    seat.decide("name", person=1, name="Ada")
    expect(seat.cell("Ada")).to_be_visible()


@pytest.mark.parametrize("way", ["button", "Backspace", "browser"])
def test_who_comes_back_finds_the_place_and_the_focus(seat: Seat, way: str) -> None:
    seat.open("/?sort=name")
    seat.page.evaluate("scrollTo(0, 3000)")
    seat.until(lambda: look(seat) > 10)
    card = seat.cells().nth(40)
    name = str(card.get_attribute("aria-label"))
    card.focus()
    place = seat.page.evaluate("scrollY")
    seat.press("Enter")
    expect(seat.page.locator(".person-name")).to_be_visible()
    seat.cells().nth(0).focus()
    if way == "button":
        seat.page.get_by_role("link", name="All people", exact=True).click()
    elif way == "Backspace":
        seat.press("Backspace")
    else:
        seat.page.go_back()
    expect(seat.cell(name)).to_be_focused()
    assert abs(seat.page.evaluate("scrollY") - place) < 5
    expect(seat.page).to_have_url(re.compile(r"/\?sort=name$"))
    seat.page.go_forward()
    expect(seat.page.locator(".person-name")).to_be_visible()
    seat.page.go_back()
    expect(seat.cell(name)).to_be_focused()


def test_who_came_by_an_address_goes_back_to_the_wall(seat: Seat) -> None:
    seat.open("/people/7")
    seat.page.get_by_role("link", name="All people", exact=True).click()
    expect(seat.cell("Person 1,")).to_be_visible()
    seat.page.go_back()
    expect(seat.page.get_by_role("heading", name="Person 7")).to_be_visible()


def test_back_closes_what_is_open_first(seat: Seat) -> None:
    seat.watch.refusals.add(404)  # the pictures were never there
    seat.open()
    seat.cell("Person 1,").focus()
    seat.press("Enter")
    tile = seat.cells().nth(1)
    tile.focus()
    seat.press("Enter")
    view = seat.page.get_by_role("dialog", name="Picture of a face")
    expect(view.get_by_text("2 of 6")).to_be_visible()
    seat.press("ArrowRight")
    seat.page.go_back()
    expect(view).to_have_count(0)
    expect(seat.page).to_have_url(re.compile("/people/1$"))
    expect(seat.cells().nth(2)).to_be_focused()
    seat.page.go_forward()
    expect(view.get_by_text(re.compile("of 6"))).to_be_visible()
    seat.page.reload()
    expect(view.get_by_text(re.compile("of 6"))).to_be_visible()
    seat.press("Escape")
    expect(view).to_have_count(0)
    for _ in range(3):  # quicker than the browser goes back
        seat.press("Enter", "Escape")
    expect(view).to_have_count(0)
    # Nobody presses Back while the browser is on its way there.
    seat.page.wait_for_function("() => !history.state.depth")
    seat.press("Shift+m")
    expect(seat.dialog()).to_be_visible()
    seat.page.go_back()
    expect(seat.dialog()).to_have_count(0)
    expect(seat.page).to_have_url(re.compile("/people/1$"))
    seat.page.go_back()
    expect(seat.cell("Person 1,")).to_be_focused()


def test_nobody_is_chosen_beforehand_and_the_most_alike_come_first(seat: Seat) -> None:
    faces = seat.faces(1)
    seat.decide("split", faces=faces[:3])
    seat.open("/people/1")
    seat.press("Shift+m", "Enter", "Enter")
    options = seat.dialog().get_by_role("option")
    expect(options.nth(0)).to_contain_text(f"Person {PEOPLE + 1}")
    expect(options.nth(0)).to_contain_text("% likely")
    seat.press("Enter")
    assert log(seat) == ["split"]
    seat.press("Escape")
    seat.cells().nth(0).focus()
    seat.press("m")
    expect(options.nth(0)).to_contain_text(f"Person {PEOPLE + 1}")
    seat.press("Enter", "ArrowDown", "Enter")
    seat.until(lambda: len(seat.faces(PEOPLE + 1)) == 4)
    assert log(seat) == ["assign", "split"]


def test_the_key_is_about_the_picture_of_when_it_was_pressed(seat: Seat) -> None:
    seat.open("/people/1")
    seat.watch.refusals.add(404)
    first, second, *_ = seat.faces(1)
    seat.cells().nth(0).dblclick()
    expect(seat.page.get_by_text("1 of 6")).to_be_visible()
    slow(seat.page, 300)
    seat.press("ArrowRight", "r", "r")
    seat.until(lambda: log(seat) == ["reject"])
    assert first in seat.faces(1)
    assert second not in seat.faces(1)


def test_decisions_on_each_other_s_heels_are_all_taken(seat: Seat) -> None:
    seat.open("/people/1")
    faces = seat.faces(1)
    seat.cells().nth(0).focus()
    slow(seat.page, 300)
    seat.press("r", "ArrowRight", "f", "ArrowRight", "i")
    seat.until(lambda: len(log(seat)) == 3)
    assert log(seat) == ["ignore", "not_a_face", "reject"]
    assert seat.faces(1) == faces[3:]
    expect(seat.dialog()).to_have_count(0)


def test_an_undo_is_about_what_was_said_before_it(seat: Seat) -> None:
    seat.open()
    slow(seat.page, 300)
    seat.cell("Person 3,").focus()
    seat.press("i", "ArrowRight", "i", "Control+z", "Control+z", "ArrowRight", "n")
    typed(seat, "Zed")
    seat.press("Enter", "ArrowRight", "n")
    typed(seat, "Zoe")
    seat.press("Enter", "Control+z")
    seat.until(lambda: len(log(seat)) == 7)
    assert log(seat)[::-1] == ["ignore", "ignore", "undo", "undo", "name", "name", "undo"]
    assert list(named(seat).values()) == ["Zed"]


def test_keys_after_a_search_are_about_who_is_found(seat: Seat) -> None:
    seat.open()
    slow(seat.page, 300)
    seat.press("/")
    seat.page.keyboard.type("Person 20")
    seat.press("Enter", "x", "n")
    expect(seat.page.locator(FIELD)).to_be_focused()
    typed(seat, "Ida")
    seat.press("Enter")
    seat.until(lambda: named(seat) == {"Person 20": "Ida"})
    expect(seat.page.get_by_role("toolbar")).to_have_count(0)  # whoever was there before is not selected


def test_the_key_after_all_were_selected_is_about_all(seat: Seat) -> None:
    seat.open()
    slow(seat.page, 300)
    seat.cell("Person 1,").focus()
    seat.press("Control+a", "m")
    seat.until(lambda: log(seat) == ["merge"])
    assert list(seat.names()) == [1]


def test_a_name_after_j_is_for_the_next_person(seat: Seat) -> None:
    with seat.page.expect_response("**/beside*"):
        seat.open("/people/1")
    slow(seat.page, 300)
    seat.press("j", "n")
    seat.page.keyboard.type("Ida")
    seat.press("Enter")
    seat.until(lambda: named(seat) == {"Person 2": "Ida"})


def test_a_neighbour_who_was_not_found_is_asked_for_again(seat: Seat) -> None:
    seat.watch.refusals.add(500)
    seat.page.route("**/beside*", lambda route: route.fulfill(status=500, json={}), times=1)
    with seat.page.expect_response("**/beside*"):
        seat.open("/people/1")
    seat.press("j")
    seat.page.wait_for_url("**/people/2")


def test_who_is_typing_a_name_is_not_led_back_to_somebody(seat: Seat) -> None:
    seat.page.goto(f"{seat.watch.origin}/naming")
    expect(seat.page.locator(FIELD)).to_be_focused()
    slow(seat.page, 300)
    typed(seat, "Ida")
    seat.press("Enter")
    expect(seat.told("Ida")).to_be_visible()
    seat.press("Control+z")
    typed(seat, "Miri")
    expect(seat.told("Undid")).to_be_visible()
    typed(seat, "am")
    seat.press("Enter")
    seat.until(lambda: named(seat) == {"Person 2": "Miriam"})


def test_names_wait_for_a_server_that_is_away(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 1,").focus()
    seat.page.context.set_offline(True)
    seat.press("n")
    typed(seat, "Ida")
    seat.press("Enter", "ArrowRight", "n")
    typed(seat, "Misu")
    seat.press("Enter")
    expect(seat.page.get_by_role("alert")).to_contain_text("does not answer")
    seat.page.context.set_offline(False)
    seat.until(lambda: named(seat) == {"Person 1": "Ida", "Person 2": "Misu"})
    expect(seat.page.locator("#banner")).to_be_hidden()
    seat.watch.faults = [fault for fault in seat.watch.faults if "ERR_INTERNET_DISCONNECTED" not in fault]
