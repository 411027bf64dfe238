"""The stories of the review page, told by a real browser at a real server."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from tests.review.browser import PATIENCE, SHOWN, TOKEN, Seat, Watch, nameless, served
from tests.review.conftest import Maker

from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import BrowserContext, Route

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def library_folder(made_once: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of twelve people, about whom there are questions."""
    monkeypatch.setattr("unmingle.decisions.asking.LEAST_CHANCE", 0.0)
    return shutil.copytree(made_once.folder, tmp_path / "library")


def test_somebody_is_named_in_place(seat: Seat) -> None:
    seat.open(f"/?token={TOKEN}")
    expect(seat.page).to_have_url(f"{seat.watch.origin}/")
    seat.button("Person 1: change the name").click()
    field = seat.page.get_by_role("combobox", name="Name")
    expect(field).to_be_focused()
    field.fill("Ada")
    seat.press("Enter")
    expect(seat.cell("Ada, 9 faces")).to_be_focused()
    expect(seat.told("Ada")).to_be_visible()
    seat.press("ArrowRight", "n")
    seat.page.keyboard.type("Grace")
    seat.press("Escape", "ArrowRight", "n")
    seat.page.keyboard.type("Émilie")
    seat.press("Enter")
    expect(seat.cell("Émilie, 8 faces")).to_be_focused()
    assert [seat.names()[person] for person in (1, 2, 3)] == ["Ada", "", "Émilie"]
    seat.page.reload()
    expect(seat.cell("Ada, 9 faces")).to_be_visible()


def test_ten_people_are_named_with_twelve_keys_beside_their_letters(seat: Seat) -> None:
    names = ["Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ida", "Jo"]
    seat.open()
    seat.press("g", "n")
    field = seat.page.get_by_role("combobox", name="Name")
    expect(field).to_be_focused()
    for name in names:  # nobody waits for the next field
        seat.page.keyboard.type(name)
        seat.press("Enter")
    expect(seat.page.get_by_text("2 without a name")).to_be_visible()
    seat.until(lambda: [seat.names().get(person) for person in range(1, 11)] == names)
    # The last two: passed over, and come back to.
    expect(seat.page.get_by_text("Person 11 · 6 faces")).to_be_visible()
    seat.press("Tab")
    expect(seat.page.get_by_text("Person 12 · 6 faces")).to_be_visible()
    seat.press("Tab")
    expect(seat.page.get_by_text("2 people had no name when you passed them")).to_be_visible()
    seat.button("From the start").click()
    expect(seat.page.get_by_text("Person 11 · 6 faces")).to_be_visible()
    seat.page.keyboard.type("ada")  # whom there is already
    seat.press("Enter")
    expect(seat.told("Merged Person 11 into Ada")).to_be_visible()
    expect(seat.page.get_by_text("Person 12 · 6 faces")).to_be_visible()
    seat.press("Control+z")
    expect(seat.page.get_by_text("Person 11 · 6 faces")).to_be_visible()
    seat.press("0")
    expect(seat.told("Ignored Person 11")).to_be_visible()
    seat.press("Escape")
    expect(seat.page).to_have_url(f"{seat.watch.origin}/")


def test_names_suggested_in_the_last_column_stay_on_the_page(seat: Seat) -> None:
    seat.decide("name", person=1, name="Ada")
    seat.open()
    columns = int(seat.page.get_by_role("grid").get_attribute("aria-colcount") or 0)
    seat.button(f"Person {columns}: change the name").click()
    seat.page.get_by_role("combobox", name="Name").fill("a")
    expect(seat.page.get_by_role("option", name="Ada 9 faces")).to_be_visible()
    names = seat.page.get_by_role("listbox").bounding_box()
    assert names
    assert names["x"] + names["width"] <= 1200  # the window's


def test_who_is_most_likely_meant_is_taken_with_one_key(seat: Seat) -> None:
    before = seat.faces(1)
    seat.decide("split", faces=before[:4])  # the same person again, as 13
    seat.decide("name", person=1, name="Ada")
    seat.open()
    seat.press("g", "n")
    for _ in range(11):
        expect(seat.page.get_by_role("combobox", name="Name")).to_be_focused()
        seat.press("Tab")
    expect(seat.page.get_by_text("Person 13 · 4 faces")).to_be_visible()
    expect(seat.page.get_by_role("button", name=re.compile("^Ada 9?[0-9]%|^Ada 100%"))).to_be_visible()
    seat.press("1")
    seat.until(lambda: set(seat.faces(1)) == set(before))
    expect(seat.told("Merged Person 13 into Ada")).to_be_visible()


def test_a_name_that_somebody_has_offers_to_merge(seat: Seat) -> None:
    seat.decide("name", person=1, name="Ada")
    seat.open()
    seat.button("Person 2: change the name").click()
    field = seat.page.get_by_role("combobox", name="Name")
    field.fill("a")
    expect(seat.page.get_by_role("option", name="Ada 9 faces")).to_be_visible()
    field.fill("ada")
    seat.press("Enter")
    expect(seat.page.get_by_role("dialog", name="Merge with Ada?")).to_be_visible()
    seat.button("Cancel").click()
    expect(field).to_be_focused()
    assert len(seat.names()) == 12
    seat.press("ArrowDown", "Enter")
    seat.button("Merge into Ada").click()
    expect(seat.cell("Ada, 17 faces")).to_be_visible()
    expect(seat.cells()).to_have_count(11)
    assert 2 not in seat.names()
    # Of several the keys choose one, who is seen.
    seat.decide("name", person=4, name="Adam")
    seat.decide("name", person=5, name="Grace")
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.cell("Grace,")).to_be_visible()
    seat.button("Person 3: change the name").click()
    field.fill("ad")
    option = seat.page.get_by_role("option", name="Adam")
    expect(seat.page.get_by_role("option", name="Grace")).to_have_count(0)  # the list is the one for "ad"
    expect(option).to_be_visible()
    on_top = "(option) => { const { left, bottom } = option.getBoundingClientRect();"
    on_top += " return option.contains(document.elementFromPoint(left + 20, bottom - 4)); }"
    seat.until(lambda: bool(option.evaluate(on_top)))
    seat.press("ArrowDown", "ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    seat.press("Enter")
    seat.button("Merge into Adam").click()
    seat.until(lambda: 3 not in seat.names())
    assert seat.names()[1] == "Ada"


def test_two_people_are_selected_and_merged(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 3,").hover()
    seat.button("Select Person 3").click()
    seat.cell("Person 5,").click(modifiers=["Control"])
    expect(seat.page.get_by_text("2 people selected")).to_be_visible()
    seat.act("Merge")
    expect(seat.cell("Person 3, 16 faces")).to_be_visible()
    expect(seat.page.get_by_role("toolbar")).to_have_count(0)
    assert 5 not in seat.names()
    # Of two names one stays.
    seat.decide("name", person=1, name="Ada")
    seat.decide("name", person=2, name="Grace")
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(seat.cell("Grace,")).to_be_visible()
    seat.cell("Ada,").focus()
    seat.press("x", "ArrowRight", "x", "m")
    dialog = seat.page.get_by_role("dialog", name="Merge 2 people: which name stays?")
    dialog.get_by_role("radio", name=re.compile("Grace")).check()
    dialog.get_by_role("button", name="Merge", exact=True).click()
    expect(seat.cell("Grace, 17 faces")).to_be_visible()
    assert 1 not in seat.names()


def test_a_stranger_is_ignored_and_restored(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 4,").focus()
    seat.press("i")
    expect(seat.cell("Person 4,")).to_have_count(0)
    seat.button("Ignored").click()
    seat.cell("Person 4,").focus()
    seat.press("i")
    expect(seat.page.get_by_role("heading", name="Nobody is ignored")).to_be_visible()
    seat.button("Show everyone").click()
    expect(seat.cell("Person 4, 8 faces")).to_be_visible()


def test_somebody_is_erased_after_a_question(seat: Seat) -> None:
    seat.decide("name", person=1, name="Ada")
    seat.watch.refusals.add(404)  # the page may look for changes before it hears that they are gone
    seat.open("/people/1")
    seat.button("Erase…").click()
    expect(seat.page.get_by_role("dialog", name="Erase Ada for good?")).to_be_visible()
    seat.button("Cancel").click()
    expect(seat.page.get_by_role("heading", name="Ada")).to_be_visible()
    seat.button("Erase…").click()
    seat.page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    expect(seat.page).to_have_url(f"{seat.watch.origin}/")
    expect(seat.told("Erased 1 person (9 faces).")).to_be_visible()
    expect(seat.cell("Person 2, 8 faces")).to_be_visible()
    expect(seat.page.get_by_text("Ada")).to_have_count(0)


def test_faces_are_picked_with_the_mouse_and_split_off(seat: Seat) -> None:
    seat.open("/people/1")
    # By a frame that is drawn around them.
    first, third = (seat.cells().nth(place).bounding_box() for place in (0, 2))
    assert first is not None
    assert third is not None
    mouse = seat.page.mouse
    mouse.move(first["x"] + 50, first["y"] + 60)
    mouse.down()
    mouse.move(third["x"] + 20, third["y"] + 80, steps=5)
    mouse.up()
    expect(seat.page.get_by_text("3 faces selected")).to_be_visible()
    seat.press("Escape")
    expect(seat.page.get_by_role("toolbar")).to_have_count(0)
    # One by one.
    seat.cells().nth(0).click()
    seat.cells().nth(2).click(modifiers=["Shift"])
    expect(seat.page.get_by_text("3 faces selected")).to_be_visible()
    before = seat.faces(1)
    seat.act("New person")
    expect(seat.cells()).to_have_count(6)
    assert seat.faces(13) == before[:3]
    assert seat.faces(1) == before[3:]


def test_a_face_is_said_to_be_somebody_else(seat: Seat) -> None:
    seat.open("/people/1")
    seat.cells().nth(1).focus()
    before = seat.faces(1)
    seat.press("r")
    expect(seat.cells()).to_have_count(8)
    assert before[1] not in seat.faces(1)
    assert seat.api(f"/faces/{before[1]}")["person"] != 1
    # The next face has the focus: another one, and one that is said to be no face at all.
    seat.press("r")
    expect(seat.cells()).to_have_count(7)
    seat.press("ArrowLeft", "f")
    expect(seat.cells()).to_have_count(6)
    assert seat.faces(1) == before[3:]
    assert seat.api(f"/faces/{before[0]}")["status"] == "not_a_face"


def test_nobody_is_left_until_it_is_undone(seat: Seat) -> None:
    seat.open("/people/12")
    seat.cells().nth(0).focus()
    seat.watch.refusals.add(404)
    seat.press("Control+a")
    expect(seat.page.get_by_text("6 faces selected")).to_be_visible()
    seat.act("Not a face")
    expect(seat.page.get_by_role("heading", name="Nobody is here any more")).to_be_visible()
    expect(seat.cells()).to_have_count(0)
    seat.press("Control+z")
    expect(seat.cells()).to_have_count(6)
    expect(seat.page.get_by_role("heading", name="Person 12")).to_be_visible()


def test_faces_are_moved_to_somebody(seat: Seat) -> None:
    seat.decide("name", person=2, name="Grace")
    seat.open("/people/1")
    before = seat.faces(1)
    seat.cells().nth(0).focus()
    seat.press("x", "Shift+ArrowRight", "m")
    dialog = seat.page.get_by_role("dialog", name="Move 2 faces to…")
    place = dialog.bounding_box()
    seat.page.keyboard.type("gra")
    expect(dialog.get_by_role("option", name=re.compile("Grace"))).to_have_attribute("aria-selected", "true")
    expect(dialog.get_by_role("option")).to_have_count(1)
    assert dialog.bounding_box() == place  # a button doesn't move away from whoever is about to press it
    seat.press("Enter")
    expect(seat.cells()).to_have_count(7)
    assert set(before[:2]) <= set(seat.faces(2))
    seat.cells().nth(0).focus()
    seat.press("m")
    seat.page.keyboard.type("Katherine")
    seat.button("New person “Katherine”").click()
    expect(seat.cells()).to_have_count(6)
    expect(seat.told("Katherine")).to_be_visible()
    assert seat.names()[13] == "Katherine"
    seat.press("Control+z")
    expect(seat.told("Undid 2 decisions")).to_be_visible()
    expect(seat.cells()).to_have_count(7)
    seat.press("Control+Shift+z")
    expect(seat.cells()).to_have_count(6)
    assert seat.names()[13] == "Katherine"


def test_who_was_made_and_could_not_be_named_is_told(seat: Seat) -> None:
    seat.watch.refusals.add(422)
    refused = {"error": {"problem": "No such name.", "mend": ""}}

    def answer(route: Route) -> None:
        named = (route.request.post_data_json or {}).get("kind") == "name"
        route.fulfill(status=422, json=refused) if named else route.continue_()

    seat.page.route("**/api/decisions", answer)
    seat.open("/people/1")
    seat.cells().nth(0).focus()
    seat.press("m")
    seat.page.keyboard.type("Katherine")
    seat.button("New person “Katherine”").click()
    expect(seat.told("“Katherine” was not saved")).to_be_visible()
    expect(seat.told("Person 13")).to_be_visible()
    seat.press("Control+z")
    expect(seat.told("Undid")).to_be_visible()
    assert 13 not in seat.names()


def test_faces_are_moved_to_whom_the_arrows_chose(seat: Seat) -> None:
    seat.open("/people/1")
    (moved, *_) = seat.faces(1)
    seat.cells().nth(0).focus()
    seat.press("m")
    options = seat.dialog().get_by_role("option")
    expect(options.nth(3)).to_be_visible()
    expect(seat.dialog().locator("[aria-selected=true]")).to_have_count(0)
    seat.press("Enter", "ArrowDown", "ArrowDown", "ArrowDown")  # nobody was chosen by the first
    expect(options.nth(2)).to_have_attribute("aria-selected", "true")
    chosen = options.nth(2).locator(".option-name").text_content()
    seat.press("Enter")
    expect(seat.dialog()).to_have_count(0)
    seat.until(lambda: moved not in seat.faces(1))
    assert f"Person {seat.api(f'/faces/{moved}')['person']}" == chosen


def test_doubtful_faces_are_taken_out_with_two_keys(seat: Seat, library_folder: Path) -> None:
    with open_to_write(library_folder) as store, store.transaction() as connection:
        rank = "(SELECT count(*) FROM member AS o WHERE o.person = 1 AND o.face < member.face)"
        connection.execute(f"UPDATE member SET probability = 0.05 * {rank} + 0.3 WHERE person = 1")
    seat.open("/people/1")
    expect(seat.button("Select the 4 faces below 50 %")).to_be_visible()
    doubtful = [face["face"] for face in seat.api("/people/1/faces?sort=unsure")["faces"][:4]]
    seat.press("d")
    expect(seat.page.get_by_text("4 faces selected")).to_be_visible()
    seat.press("r")
    expect(seat.cells()).to_have_count(5)
    assert not set(doubtful) & set(seat.faces(1))
    slider = seat.page.get_by_role("slider")
    slider.fill("61")
    expect(seat.page.get_by_text("3 faces selected")).to_be_visible()
    seat.act("These are right")
    expect(seat.button("Select the 0 faces below 61 %")).to_be_disabled()
    seat.press("Control+z", "Control+z")
    expect(seat.cells()).to_have_count(9)


@pytest.mark.usefixtures("thinking")
def test_suggestions_are_accepted_in_bulk_and_taken_back_at_once(seat: Seat) -> None:
    seat.open("/questions")
    expect(seat.page.get_by_text("looking for better")).to_have_count(0)
    before = seat.api("/people?limit=1000")["people"]
    seat.page.get_by_role("slider").fill("99")
    told = [one for one in seat.api("/questions?limit=200")["questions"] if one["probability"] <= 0.01]
    assert len(told) > 2
    seat.button(f"Refuse the {len(told)} at 1 % or less").click()
    expect(seat.dialog().get_by_role("listitem")).to_have_count(len(told))
    seat.press("Enter")
    expect(seat.told("different people")).to_be_visible()
    taken = seat.api("/decisions")["total"] - 1
    assert taken > 1
    seat.page.reload()  # what was done together is known to the library
    expect(seat.page.locator("[data-tool=undo]")).to_be_enabled()
    seat.press("Control+z")
    expect(seat.told(f"Undid {taken} decisions")).to_be_visible()
    assert seat.api("/people?limit=1000")["people"] == before
    assert seat.api("/decisions")["can_undo"] is None


def test_the_picture_of_a_face_is_seen_and_walked_through(seat: Seat) -> None:
    seat.open("/people/1")
    seat.cells().nth(0).dblclick()
    view = seat.page.get_by_role("dialog", name="Picture of a face")
    expect(view.get_by_text("1 of 9")).to_be_visible()
    expect(view.locator(".frames.ready")).to_be_visible()
    seat.press("ArrowRight")
    expect(view.get_by_text("2 of 9")).to_be_visible()
    expect(view.get_by_text("p00_0001_1.jpg")).to_be_visible()
    seat.press("r")
    expect(view.get_by_text("2 of 8")).to_be_visible()
    seat.press("Escape")
    expect(view).to_have_count(0)
    expect(seat.cells().nth(1)).to_be_focused()
    # With one key the least sure come first.
    seat.press("u")
    expect(seat.page).to_have_url(re.compile("sort=unsure"))
    least = seat.api("/people/1/faces?sort=unsure")["faces"][0]["file"]
    expect(seat.cells().nth(0)).to_have_attribute("aria-label", re.compile(f"^{least.rpartition('/')[2]}"))
    expect(seat.cells().nth(0)).to_be_focused()


@pytest.mark.usefixtures("thinking")
def test_suggestions_are_answered_by_keyboard_alone(seat: Seat) -> None:
    seat.open()
    seat.press("g", "s")
    expect(seat.page.locator(".question-text")).to_be_focused()
    keys = {"n": "different", "u": "unsure", "1": "same", "2": "different"}
    done = []
    for count, (key, answer) in enumerate(keys.items()):
        question = asked(seat)
        done.append(question["id"])
        expect(seat.page.locator(".question-text")).to_have_text(question["text"])
        expect(seat.page.get_by_text(f"settles {question['settles']} face")).to_be_visible()
        for side in (0, 1):
            figure = seat.page.get_by_role("figure").nth(side)
            expect(figure.locator("img[data-ready=yes]")).to_have_count(len(question[("one", "other")[side]]["show"]))
        with seat.page.expect_response("**/api/questions/*") as sent:
            seat.press(key)
        assert sent.value.url.endswith(question["id"])
        assert (sent.value.request.post_data_json or {})["answer"] == answer
        expect(seat.page.get_by_text(f"{count + 1} answered")).to_be_visible()
        assert seat.shown_faces() != question["one"]["show"] + question["other"]["show"]
    assert seat.api("/decisions")["total"] == 5
    # Who comes back goes on, and nothing is asked twice after a reload.
    seat.press("g", "p", "g", "s")
    expect(seat.page.get_by_text("4 answered")).to_be_visible()
    seat.page.reload()
    assert asked(seat)["id"] not in done


def asked(seat: Seat) -> dict[str, Any]:
    """The question on show, in the server's words, once the questions are worked out."""
    found: list[dict[str, Any]] = []

    def known() -> bool:
        told, shown = seat.api("/questions?limit=200"), seat.shown_faces()
        found[:] = [one for one in told["questions"] if one["one"]["show"] + one["other"]["show"] == shown]
        return bool(told["ready"] and found)

    seat.until(known)
    return found[0]


@pytest.mark.usefixtures("thinking")
def test_answers_may_be_quick(seat: Seat) -> None:
    seat.open("/questions")
    expect(seat.page.get_by_text("looking for better")).to_have_count(0)
    seat.press("u", "3", "Space", "u")  # these move no face, so that no question falls because of another
    expect(seat.page.get_by_text("4 answered")).to_be_visible()
    for answered, words in enumerate(("Not sure", "Different", "Same person"), 5):
        seat.until(lambda: bool(seat.api("/questions")["ready"]))
        expect(seat.page.get_by_text("looking for better")).to_have_count(0)
        seat.button(words).click()
        expect(seat.page.get_by_text(f"{answered} answered")).to_be_visible()
    expect(seat.page.locator("[data-tool=undo]")).to_be_enabled()
    expect(seat.page.locator(".question")).to_be_visible()
    seat.until(lambda: seat.api("/decisions")["total"] == 8)


def test_an_answer_is_taken_back_however_quickly(seat: Seat) -> None:
    seat.open("/questions")
    first = asked(seat)
    shown = seat.shown_faces()
    seat.press("n", "Control+z")  # before the answer can have been taken
    expect(seat.told("Undid")).to_be_visible()
    expect(seat.page.get_by_text("answered")).to_have_count(0)
    assert seat.shown_faces() == shown
    with seat.page.expect_response("**/api/questions/*") as sent:
        seat.press("n")  # before the server can ask it again
    assert sent.value.ok
    assert sent.value.url.endswith(first["id"])
    expect(seat.page.get_by_text("1 answered")).to_be_visible()
    seat.press("Control+z", "Control+Shift+z", "Control+z")
    seat.until(lambda: seat.api("/decisions")["total"] == 7)
    log = seat.api("/decisions")["decisions"]
    assert [one["kind"] for one in log[:3]] == ["undo", "redo", "undo"]
    assert not log[3]["live"]


def test_suggestions_that_no_longer_stand_are_left_behind(seat: Seat) -> None:
    seat.open("/questions")
    expect(seat.page.get_by_text("looking for better")).to_have_count(0)
    first = asked(seat)
    somebody = 1 if first["other"]["person"] != 1 else 2
    seat.decide("assign", faces=first["one"]["show"], person=somebody)  # by somebody else
    before = seat.shown_faces()
    seat.watch.refusals.add(409)
    seat.press("y")
    expect(seat.told("no longer stands")).to_be_visible()
    expect(seat.page.locator(".question")).to_be_visible()
    assert seat.shown_faces() != before
    expect(seat.page.get_by_text("answered")).to_have_count(0)


def test_suggestions_that_are_worked_out_and_none(seat: Seat) -> None:
    told: dict[str, Any] = {"revision": 1, "ready": False, "left": 0, "questions": []}
    seat.page.route("**/api/questions?*", lambda route: route.fulfill(json=told))
    seat.page.goto(f"{seat.watch.origin}/questions")
    expect(seat.page.get_by_text("Working out what is most worth asking")).to_be_visible()
    told["ready"] = True
    expect(seat.page.get_by_role("heading", name="Nothing to ask")).to_be_visible()
    seat.press("y", "n", "u")
    seat.page.get_by_role("link", name="All people", exact=True).click()
    expect(seat.cell("Person 1,")).to_be_visible()


def test_undo_and_redo_by_keys(seat: Seat) -> None:
    seat.open()
    seat.cell("Person 1,").focus()
    seat.press("n")
    seat.page.keyboard.type("Ada")
    seat.press("Enter")
    expect(seat.cell("Ada, 9 faces")).to_be_focused()
    seat.press("x", "ArrowRight", "x", "m")
    expect(seat.cell("Ada, 17 faces")).to_be_visible()
    seat.press("Control+z")
    expect(seat.cell("Ada, 9 faces")).to_be_visible()
    seat.press("Control+z")
    expect(seat.cell("Person 1, 9 faces")).to_be_visible()
    expect(seat.page.locator("[data-tool=undo]")).to_be_disabled()
    seat.watch.refusals.add(422)
    seat.press("Control+z")
    expect(seat.told("nothing to undo")).to_be_visible()
    seat.press("Control+Shift+z", "Control+Shift+z")
    expect(seat.cell("Ada, 17 faces")).to_be_visible()
    expect(seat.page.locator("[data-tool=redo]")).to_be_disabled()
    seat.page.locator("[data-tool=undo]").click()
    expect(seat.cell("Ada, 9 faces")).to_be_visible()


def test_what_was_left_out_finds_its_place(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    face = seat.faces(1)[0]
    seat.decide("not_a_face", faces=[face])
    seat.open("/left-out")
    expect(seat.page.get_by_role("button", name=re.compile("^Seen once 2"))).to_have_attribute("aria-pressed", "true")
    # A stranger becomes somebody.
    seat.cell("stranger_1.jpg").click()
    seat.press("m")
    seat.page.keyboard.type("Mary")
    seat.button("New person “Mary”").click()
    expect(seat.cells()).to_have_count(1)
    seat.until(lambda: seat.names().get(13) == "Mary")  # made first, then named
    expect(seat.cell("stranger_2.jpg")).to_be_focused()
    # What a person said not to be a face is restored.
    seat.page.get_by_role("button", name=re.compile("^Not a face")).click()
    expect(seat.cells()).to_have_count(1)
    seat.cells().nth(0).click()
    seat.act("Restore")
    expect(seat.page.get_by_role("button", name=re.compile("^Not a face"))).to_have_count(0)
    assert face in seat.faces(1)
    # A damaged file is tried again.
    seat.page.get_by_role("button", name=re.compile("^Unreadable 1")).click()
    tile = seat.cell("damaged.jpg")
    expect(tile.locator(".tile-file")).to_have_text("damaged.jpg")
    tile.focus()
    seat.watch.refusals.add(400)
    seat.press("t")  # the models that it was made with are not those of the program
    expect(seat.told("The library was made with another recipe. Run unmingle cluster again")).to_be_visible()
    monkeypatch.setattr("unmingle.review.session.retry", lambda *_: ("unreadable", "the file is empty (0 bytes)"))
    seat.press("Space")
    acts = seat.page.get_by_role("toolbar").get_by_role("button")
    expect(acts).to_have_text([re.compile("Try again"), re.compile("Clear")])
    acts.nth(0).click()
    expect(seat.told("0 of 1 file can be read now.")).to_be_visible()
    tile.dblclick()
    expect(seat.page.get_by_text("No face was found in this file")).to_be_visible()


def test_a_face_that_was_set_aside_is_one(seat: Seat) -> None:
    seat.decide("not_a_face", faces=[seat.api("/left-out/faces?status=alone")["faces"][0]["face"]])
    seat.open("/left-out")
    row = {
        "face": 88,
        "file": "a/small.jpg",
        "file_id": 3,
        "status": "low_quality",
        "reason": "too small",
        "quality": 0.1,
    }
    group = {"status": "low_quality", "reason": "too small", "faces": 1}
    seat.page.route("**/api/left-out", lambda route: route.fulfill(json={"revision": 2, "groups": [group]}))
    seat.page.route("**/api/left-out/faces?*", lambda route: route.fulfill(json={"total": 1, "faces": [row]}))
    seat.page.reload()
    seat.cell("small.jpg").focus()
    with seat.page.expect_request("**/api/decisions") as sent:
        seat.press("f")
    asked = sent.value.post_data_json
    assert asked is not None
    assert (asked["kind"], asked["faces"]) == ("face", [88])
    expect(seat.page.locator(".toast")).to_be_visible()


def test_any_decision_is_undone_in_the_history(seat: Seat) -> None:
    for person, name in ((1, "Ada"), (2, "Grace"), (3, "Mary")):
        seat.decide("name", person=person, name=name)
    seat.open("/history")
    rows = seat.page.locator(".log-row")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("Mary")
    expect(seat.page.get_by_role("heading", name="Today")).to_be_visible()
    rows.nth(1).get_by_role("button", name=re.compile("^Undo: ")).click()
    expect(rows).to_have_count(5)
    expect(rows.nth(2)).to_have_class(re.compile("undone"))
    expect(rows.nth(2).get_by_role("button", name=re.compile("^Redo: "))).to_be_focused()
    expect(rows.nth(2).locator(".log-words")).to_have_css("text-decoration-line", "line-through")
    assert [seat.names()[person] for person in (1, 2, 3)] == ["Ada", "", "Mary"]
    rows.nth(2).get_by_role("button", name=re.compile("^Redo: ")).click()
    expect(rows).to_have_count(6)
    assert seat.names()[2] == "Grace"
    rows.nth(3).get_by_role("link").click()
    expect(seat.page.get_by_role("heading", name="Grace")).to_be_visible()


def test_the_history_shows_faces_and_what_is_chosen_of_it(seat: Seat) -> None:
    faces = seat.faces(3)
    seat.decide("name", person=1, name="Ada")
    seat.decide("reject", person=3, faces=faces[:2])
    seat.decide("merge", person=5, others=[6])
    seat.open("/history")
    rows = seat.page.locator(".log-row")
    expect(rows).to_have_count(4)
    shown = rows.nth(1).locator("img[data-ready]")
    expect(shown).to_have_count(2)
    assert [int(str(one.get_attribute("data-face"))) for one in shown.all()] == faces[:2]
    expect(rows.nth(2).locator("img[data-ready]").first).to_be_visible()  # of Ada
    for kind, words in (("Names", "Ada"), ("Faces", "not Person 3"), ("Merged or not", "Person 6")):
        seat.button(kind).click()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(words)
    seat.page.reload()
    expect(seat.button("Merged or not")).to_have_attribute("aria-pressed", "true")
    expect(rows).to_have_count(1)
    seat.button("Undone").click()
    expect(seat.page.get_by_text("Nothing of this kind was decided")).to_be_visible()
    rows.first.wait_for(state="detached")
    seat.button("All").click()
    expect(rows).to_have_count(4)


def test_a_long_history_comes_as_it_is_scrolled(seat: Seat) -> None:
    for number in range(100):
        seat.decide("name", person=1, name=f"Name {number}")
    seat.open("/history")
    rows = seat.page.locator(".log-row")
    expect(rows.nth(0)).to_contain_text("Name 99")
    while rows.count() < 101:
        before = rows.count()
        seat.page.mouse.wheel(0, 20_000)
        expect(rows.nth(before)).to_be_attached()
    expect(rows.nth(100)).to_contain_text("Grouped")


def test_another_tab_is_up_to_date_once_it_is_looked_at_and_changes_nothing_stale(seat: Seat) -> None:
    seat.open()
    other = Seat(seat.page.context.new_page(), seat.watch)
    other.open()
    expect(other.cell("Person 3,")).to_be_visible()
    seat.cell("Person 3,").focus()
    seat.press("x", "ArrowRight", "x", "m")
    expect(seat.cell("Person 3, 16 faces")).to_be_visible()
    other.page.evaluate("dispatchEvent(new Event('focus'))")
    expect(other.cell("Person 3, 16 faces")).to_be_visible()
    # What somebody has not seen yet, who does not look again.
    other.page.route("**/api/library", lambda _: None)
    seat.cell("Person 1,").focus()
    seat.press("n")
    seat.page.keyboard.type("Ada")
    with seat.page.expect_response(lambda answer: answer.request.method == "POST"):
        seat.press("Enter")
    expect(seat.cell("Ada,")).to_be_visible()
    seat.watch.refusals.add(409)
    other.cell("Person 1,").focus()
    other.press("n")
    other.page.keyboard.type("Bob")
    other.press("Enter")
    dialog = other.page.get_by_role("dialog", name="This changed while you were looking")
    expect(dialog.get_by_text("Ada")).to_be_visible()
    assert seat.names()[1] == "Ada"
    other.press("Enter")
    expect(dialog).to_have_count(0)
    # Who was told may go on.
    field = other.page.get_by_role("combobox", name="Name")
    expect(field).to_have_value("Bob")
    expect(field).to_be_focused()
    other.press("Enter")
    expect(other.cell("Bob,")).to_be_visible()
    seat.watch.refusals.add(404)
    other.open("/people/4")
    expect(other.page).to_have_url(re.compile("/people/3$"))


def test_what_others_decide_appears_by_itself(seat: Seat) -> None:
    seat.open()
    expect(seat.cell("Person 1, 9 faces")).to_be_visible()
    with seat.page.expect_response("**/api/library"):
        pass  # it has looked once
    seat.decide("merge", person=1, others=[2])
    expect(seat.cell("Person 1, 17 faces")).to_be_visible()
    expect(seat.page.locator("[data-count=people]")).to_have_text("11")


def test_somebody_who_was_parted_is_found_and_merged_with_three_keys(seat: Seat) -> None:
    before = seat.faces(1)
    seat.decide("split", faces=before[:4])
    seat.watch.refusals.add(404)  # the page asks once more for whom it shows
    seat.open("/people/13")
    likely = seat.page.get_by_role("navigation", name="People like this").get_by_role("link")
    expect(likely.first).to_contain_text(re.compile("Person 1.*likely"))
    seat.press("Shift+M")
    expect(seat.dialog().get_by_role("option").first).to_contain_text("Person 1")
    seat.press("ArrowDown", "Enter")
    expect(seat.page).to_have_url(re.compile("/people/1$"))
    assert set(seat.faces(1)) == set(before)


def test_a_reload_in_the_middle_keeps_everything(seat: Seat) -> None:
    seat.open()
    seat.button("Unnamed").click()
    seat.page.get_by_role("combobox", name="Sort by").select_option("name")
    expect(seat.cells()).to_have_count(12)
    seat.cell("Person 1,").focus()
    seat.press("n")
    seat.page.keyboard.type("Ada")
    seat.press("Enter")
    expect(seat.cells()).to_have_count(11)
    seat.cell("Person 2,").focus()
    seat.press("n")
    seat.page.keyboard.type("Grace Hop")
    seat.page.reload()
    expect(seat.cells()).to_have_count(11)
    expect(seat.button("Unnamed")).to_have_attribute("aria-pressed", "true")
    expect(seat.page.get_by_role("combobox", name="Sort by")).to_have_value("name")
    seat.cell("Person 2,").focus()
    seat.press("n")
    expect(seat.page.get_by_role("combobox", name="Name")).to_have_value("Grace Hop")
    seat.press("End")
    seat.page.keyboard.type("per")
    seat.press("Enter")
    expect(seat.cells()).to_have_count(10)
    assert [seat.names()[person] for person in (1, 2)] == ["Ada", "Grace Hopper"]


def test_a_name_is_never_markup(seat: Seat) -> None:
    name = "<img src=/x onerror=alert()><b>Ada</b> & “Co”"
    seat.decide("name", person=1, name=name)
    seat.open()
    shown = seat.page.get_by_text(name).first

    def check() -> None:
        expect(shown).to_be_visible()
        assert seat.page.locator("[onerror], b").count() == 0

    check()
    seat.press("g", "h")
    expect(seat.page).to_have_url(re.compile("/history$"))
    check()
    shown.click()
    expect(seat.page.get_by_role("heading", name=name)).to_be_visible()
    check()


def test_long_names_leave_every_button_in_reach(seat: Seat) -> None:
    long = "Ada" + "x" * 190
    seat.decide("name", person=1, name=long)
    seat.decide("name", person=2, name="Grace")
    seat.open()
    seat.cell("Ada").focus()
    seat.press("x", "ArrowRight", "x", "m")
    expect(seat.button("Merge").last).to_be_in_viewport(ratio=1)
    expect(seat.page.get_by_role("radio").first).to_be_in_viewport(ratio=1)
    seat.press("Escape", "Escape", "ArrowRight", "n")
    seat.page.keyboard.type(long)
    seat.press("Enter")
    expect(seat.button(f"Merge into {long}")).to_be_in_viewport(ratio=1)
    seat.button("Cancel").click()
    seat.open("/people/1")
    for act in ("Break up…", "Erase…"):
        seat.button(act).click()
        expect(seat.button("Cancel")).to_be_in_viewport(ratio=1)
        seat.press("Escape")


def test_short_lines_have_their_buttons_beside_them(seat: Seat) -> None:
    seat.open()
    rows = "parts => parts.map((part) => part.getBoundingClientRect()).map(({ y, height }) => y + height / 2)"

    def spread(parts: str) -> float:
        middles = seat.page.locator(parts).evaluate_all(rows)
        return float(max(middles) - min(middles))

    assert spread(".tools > :not(h1)") < 10  # search, what to show, its order
    seat.cell("Person 1,").focus()
    seat.press("n")
    seat.page.keyboard.type("Bo")
    seat.press("Enter")
    expect(seat.told("Called Person 1 Bo")).to_be_visible()
    assert spread(".toast > *") < 10


def test_a_name_from_right_to_left_keeps_its_order(seat: Seat) -> None:
    seat.decide("name", person=1, name="محمد 7 Ada")
    seat.open()
    begins = seat.page.locator(".card-name").first.evaluate("""(name) => [0, 7].map((at) => {
      const range = document.createRange(); range.setStart(name.firstChild, at); range.setEnd(name.firstChild, at + 3);
      return range.getBoundingClientRect().left; })""")
    assert begins[0] > begins[1]


def test_a_window_that_becomes_narrow_has_the_cells_of_one(seat: Seat) -> None:
    seat.open()
    seat.page.set_viewport_size({"width": 360, "height": 740})
    expect(seat.page.get_by_role("grid")).to_have_attribute("aria-colcount", "2")


def test_people_are_picked_with_a_finger(chromium: Chromium, origin: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    context.request.get(f"{origin}/?token={TOKEN}")
    seat = Seat(context.new_page(), Watch(context, origin))
    seat.open()
    seat.button("Select Person 1").tap()
    seat.cell("Person 2,").locator(".covers").tap()
    expect(seat.page.get_by_text("2 people selected")).to_be_visible()
    seat.act("Clear")
    seat.cell("Person 2,").locator(".covers").tap()
    expect(seat.page).to_have_url(f"{origin}/people/2")
    seat.watch.check()
    context.close()


def test_who_comes_back_to_a_server_that_was_started_again_is_told(
    context: BrowserContext, library_folder: Path
) -> None:
    with served(library_folder) as origin:
        seat = Seat(context.new_page(), Watch(context, origin))
        seat.open(f"/?token={TOKEN}")
        expect(seat.cell("Person 1,")).to_be_visible()
        seat.cell("Person 1,").focus()
    seat.press("i")
    expect(seat.page.get_by_role("alert")).to_contain_text("does not answer")
    with served(library_folder, port=int(origin.rpartition(":")[2])):
        # Also where the page has found out by itself by now, and the button is gone.
        seat.page.evaluate("document.querySelector('#banner button').click()")
        expect(seat.page.locator(".toast")).to_contain_text("Open the address")
        seat.page.get_by_role("link", name="History").click()
        expect(seat.page.get_by_role("heading", name="This browser is no longer let in")).to_be_visible()
        assert nameless(seat.page) == []


def test_who_has_no_key_is_told_where_it_is(context: BrowserContext, origin: str) -> None:
    watch = Watch(context, origin)
    watch.refusals.add(401)
    seat = Seat(context.new_page(), watch)
    seat.page.goto(origin)
    expect(seat.page.get_by_role("heading", name="Open the address from the terminal")).to_be_visible()
    assert nameless(seat.page) == []
    watch.check()


@pytest.mark.parametrize("width", [1200, 360])
def test_everything_that_can_be_operated_has_a_name(seat: Seat, width: int) -> None:
    seat.decide("name", person=1, name="Ada")
    seat.page.set_viewport_size({"width": width, "height": 740})
    seat.watch.refusals.add(404)

    def check(path: str) -> None:
        expect(seat.page).to_have_url(f"{seat.watch.origin}{path}")
        seat.page.locator(SHOWN).first.wait_for()
        assert nameless(seat.page) == []
        seat.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")

    seat.open("/people/999")
    check("/people/999")
    for key, path in {"p": "/", "s": "/questions", "l": "/left-out", "h": "/history"}.items():
        seat.press("g", key)
        check(path)
    seat.page.get_by_role("link", name=re.compile("Ada")).first.click()
    check("/people/1")
    seat.press("?")
    expect(seat.page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert nameless(seat.page) == []
    seat.press("Escape")
    seat.cells().nth(0).focus()
    seat.press("x", "m")
    expect(seat.dialog()).to_be_visible()
    assert nameless(seat.page) == []
    seat.press("Escape", "Enter")
    expect(seat.dialog().locator(".frames.ready")).to_be_visible()
    assert nameless(seat.page) == []


def test_a_library_without_recordings_has_no_timeline(seat: Seat) -> None:
    seat.open("/people/1")
    expect(seat.page.locator("[data-count=people]")).to_have_text("12")
    expect(seat.page.get_by_role("link", name="Timeline")).to_be_hidden()
    expect(seat.page.locator(".person-times")).to_be_hidden()
    seat.open("/timeline")
    expect(seat.page.get_by_role("heading", name="There are no recordings")).to_be_visible()
