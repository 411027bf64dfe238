"""What the page asks for, and gets."""

from __future__ import annotations

import io
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.made_library import jpeg
from tests.review.browser import TOKEN
from tests.review.conftest import ORIGIN, Browser, own_files

from unmingle.api import Library
from unmingle.review import pages
from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.store import facts
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.review.conftest import Maker

    from unmingle.store.sqlite import Store


def wall(browser: Browser, **query: object) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = browser.get("/api/people", **query)["people"]
    return people


def faces(browser: Browser, person: int, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get(f"/api/people/{person}/faces", **query)["faces"]
    return found


def ids(browser: Browser, person: int) -> list[int]:
    return [face["face"] for face in faces(browser, person)]


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size


def test_every_page_is_there(browser: Browser) -> None:
    for path in ("/", "/people/1", "/questions", "/left-out", "/history"):
        answer = browser.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
    for path in ("/people", "/people/x", "/docs", "/redoc", "/openapi.json", "/people/1/"):
        answer = browser.client.get(path)
        assert answer.status_code == 404
        assert "nothing here" in answer.text


def test_the_pages_own_files_are_there_and_kept_by_the_browser(browser: Browser) -> None:
    files = own_files(browser.client)
    for name, kind in (("mark.svg", "image/svg+xml"), ("js/main.js", "text/javascript"), ("css/base.css", "text/css")):
        answer = browser.client.get(f"{files}/{name}")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for missing in (f"{files}/js/missing.js", f"{files}/js", "/static/mark.svg"):
        assert browser.client.get(missing).status_code == 404
        assert browser.client.get(missing).headers["cache-control"] == "no-store"


def test_the_pages_own_files_have_another_address_once_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = shutil.copytree(pages.STATIC, tmp_path / "static")
    monkeypatch.setattr(pages, "STATIC", static)

    def address() -> str:
        return own_files(TestClient(create_app(tmp_path / "library", Auth(TOKEN, ORIGIN)), base_url=ORIGIN))

    before = address()
    assert address() == before
    with (static / "js" / "main.js").open("a") as script:
        script.write("\n")
    assert address() != before


def test_the_library_in_numbers(browser: Browser) -> None:
    told = browser.get("/api/library")
    assert told["folder"] == "library"
    assert (told["people"], told["named"], told["ignored"], told["clusterings"]) == (12, 0, 0, 1)
    assert told["left_out"] == 3 == len(browser.get("/api/left-out/faces")["faces"])
    assert told["faces"] == sum(one["faces"] for one in wall(browser))
    assert told["revision"] == browser.get("/api/people")["revision"] == browser.get("/api/decisions")["revision"]


def test_the_wall_is_sorted_filtered_searched_and_cut(browser: Browser) -> None:
    people = wall(browser)
    assert [one["faces"] for one in people] == sorted((one["faces"] for one in people), reverse=True)
    first, second, *_, last = people
    assert all(len(set(one["covers"])) == 4 for one in people)
    browser.decide("name", person=second["person"], name="Zo\u00eb")
    browser.decide("name", person=last["person"], name="anna")
    assert [one["name"] for one in wall(browser, sort="name")][:3] == ["anna", "Zo\u00eb", ""]
    assert [one["person"] for one in wall(browser, show="named")] == [second["person"], last["person"]]
    assert len(wall(browser, show="unnamed")) == 10
    assert [one["name"] for one in wall(browser, search="ZOE")] == ["Zo\u00eb"]
    assert first["person"] in [one["person"] for one in wall(browser, search=f"person {first['person']}")]
    part = browser.get("/api/people", offset=10, limit=5)
    assert (part["total"], len(part["people"])) == (12, 2)
    browser.decide("ignore", person=first["person"])
    assert [one["person"] for one in wall(browser, show="ignored")] == [first["person"]]
    assert first["person"] not in [one["person"] for one in wall(browser)]
    cohesion = [one["cohesion"] for one in wall(browser, sort="cohesion")]
    assert cohesion == sorted(cohesion)


def test_faces_of_a_person_in_each_order(browser: Browser) -> None:
    person = wall(browser)[0]["person"]
    told = faces(browser, person)
    assert [face["file"] for face in told] == sorted(face["file"] for face in told)
    assert told[0]["frame"] == 0
    quality = [face["quality"] for face in faces(browser, person, sort="quality")]
    assert quality == sorted(quality, reverse=True)
    chance = [face["probability"] for face in faces(browser, person, sort="unsure")]
    assert chance == sorted(chance)
    part = browser.get(f"/api/people/{person}/faces", offset=2, limit=3)
    assert part["faces"] == told[2:5]
    assert part["total"] == len(told)
    one = browser.get(f"/api/people/{person}")
    assert (one["faces"], one["first_file"], one["merged_into"]) == (len(told), told[0]["file"], None)


def test_decided_faces_are_the_surest(browser: Browser) -> None:
    person = wall(browser)[0]["person"]
    least = faces(browser, person, sort="unsure")[0]["face"]
    browser.decide("assign", person=person, faces=[least])
    last = faces(browser, person, sort="unsure")[-1]
    assert (last["face"], last["decided"]) == (least, True)


def test_one_face_and_its_pictures(browser: Browser) -> None:
    person = wall(browser)[0]["person"]
    face = ids(browser, person)[0]
    told = browser.get(f"/api/faces/{face}")
    assert (told["person"], told["status"], told["box"]) == (person, "clustered", [18, 18, 60, 60])
    assert told["picture"] == {"width": 96, "height": 96}
    assert told["files"] == [told["file"]]
    small = browser.client.get(f"/api/faces/{face}/thumbnail")
    assert small.headers["content-type"] == "image/jpeg"
    assert small.headers["cache-control"] == "no-store"
    assert size_of(small.content) == (112, 112)
    assert size_of(browser.client.get(f"/api/faces/{face}/picture").content) == (96, 96)
    assert size_of(browser.client.get(f"/api/faces/{face}/picture?side=64").content) == (64, 64)


def test_a_picture_that_went_away_or_changed_is_told(browser: Browser, made: Maker) -> None:
    person = wall(browser)[0]["person"]
    one, other = faces(browser, person)[:2]
    (made.pictures / one["file"]).unlink()
    (made.pictures / other["file"]).write_bytes((made.pictures / "p11_0000_1.jpg").read_bytes())
    gone = browser.client.get(f"/api/faces/{one['face']}/picture")
    changed = browser.client.get(f"/api/faces/{other['face']}/picture")
    assert (gone.status_code, changed.status_code) == (404, 404)
    assert "No such file" in gone.json()["problem"]
    assert "another content" in changed.json()["problem"]
    assert browser.client.get(f"/api/faces/{one['face']}/thumbnail").status_code == 200


def test_what_is_not_there_is_404(browser: Browser) -> None:
    for path in ("people/999", "people/999/faces", "faces/999", "faces/999/thumbnail", "faces/999/picture", "other"):
        answer = browser.client.get(f"/api/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["problem"]
    assert browser.client.delete("/api/people", headers={"Origin": ORIGIN}).status_code == 405


def test_left_out_by_reason(browser: Browser) -> None:
    groups = browser.get("/api/left-out")["groups"]
    assert groups == [
        {"status": "alone", "reason": "no other face is like it", "faces": 2},
        {"status": "unreadable", "reason": "not a picture in a format that is read", "faces": 1},
    ]
    alone = browser.get("/api/left-out/faces", status="alone", reason="no other face is like it")
    assert [row["file"] for row in alone["faces"]] == ["stranger_1.jpg", "stranger_2.jpg"]
    (damaged,) = browser.get("/api/left-out/faces", status="unreadable")["faces"]
    assert damaged["face"] is None
    assert damaged["file_id"] > 0
    person = wall(browser)[0]["person"]
    browser.decide("not_a_face", faces=ids(browser, person)[:2])
    assert browser.get("/api/library")["left_out"] == 5
    assert browser.get("/api/left-out/faces", status="not_a_face")["total"] == 2


def test_a_file_is_read_again(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    (damaged,) = browser.get("/api/left-out/faces", status="unreadable")["faces"]
    asked: list[int] = []

    def retry(store: Store, file: int) -> tuple[str, str]:
        asked.append(file)
        return "unreadable", "the file is empty (0 bytes)"

    monkeypatch.setattr("unmingle.review.session.retry", retry)
    told = browser.post(f"/api/files/{damaged['file_id']}/retry", {})
    assert told == {"status": "unreadable", "reason": "the file is empty (0 bytes)"}
    assert asked == [damaged["file_id"]]


def test_a_file_that_is_not_there_is_not_read(browser: Browser) -> None:
    assert "999" in str(browser.post("/api/files/999/retry", {}, status=400)["problem"])


def test_names_that_begin_so_come_first(browser: Browser) -> None:
    people = wall(browser)
    for one, name in zip(people, ("Johanna", "Maria Anna", "anna"), strict=False):
        browser.decide("name", person=one["person"], name=name)
    names: Any = browser.get("/api/names", search="ann")["names"]
    assert [one["name"] for one in names] == ["anna", "Maria Anna", "Johanna"]
    assert all(len(one["covers"]) == 1 for one in names)
    assert len(browser.get("/api/names")["names"]) == 3
    assert len(browser.get("/api/names", limit=1)["names"]) == 1


def test_each_decision_is_seen_at_once(browser: Browser) -> None:
    one, other = (person["person"] for person in wall(browser)[:2])
    mine, theirs = ids(browser, one), ids(browser, other)
    merged = browser.decide("merge", person=one, others=[other])
    assert merged["decision"]["faces"] == len(theirs)
    assert set(ids(browser, one)) == {*mine, *theirs}
    gone = browser.client.get(f"/api/people/{other}")
    assert (gone.status_code, gone.json()["merged_into"]) == (404, one)
    browser.post("/api/undo", {})
    assert (ids(browser, one), ids(browser, other)) == (mine, theirs)
    browser.post("/api/redo", {})
    assert browser.get(f"/api/people/{one}")["faces"] == len(mine) + len(theirs)
    browser.post("/api/undo", {"decision": merged["decision"]["id"]})
    new: Any = browser.decide("split", faces=mine[:2])["decision"]
    assert ids(browser, new["person"]) == mine[:2]
    browser.decide("reject", faces=mine[2:3], person=one)
    browser.decide("assign", faces=mine[3:4], person=other)
    assert ids(browser, one) == mine[4:]
    assert set(ids(browser, other)) == {*theirs, mine[3]}
    browser.decide("ignore", faces=mine[4:5])
    browser.decide("restore", faces=mine[4:5])
    browser.decide("different", person=one, other=other)
    browser.decide("unsure", person=one, other=new["person"])
    browser.decide("face", faces=mine[2:3])


def test_a_person_is_erased_for_good(browser: Browser, library_folder: Path) -> None:
    one, other = (person["person"] for person in wall(browser)[:2])
    seen = browser.get("/api/people")["revision"]
    browser.decide("name", person=one, name="Ada")
    face = ids(browser, one)[0]
    told: Any = browser.post("/api/erase", {"person": one, "seen": seen}, status=409)
    assert [entry["words"] for entry in told["since"]] == [f"Called Person {one} Ada"]
    Library(library_folder, views="on request").write_report()
    told = browser.post("/api/erase", {"person": one})
    assert (told["decision"]["kind"], told["pages"], told["exports"]) == ("erase", 1, 0)
    assert one not in {person["person"] for person in wall(browser)}
    for path in (f"people/{one}", f"faces/{face}", f"faces/{face}/thumbnail", f"people/{one}/faces"):
        assert browser.client.get(f"/api/{path}").status_code == 404
    assert "Ada" not in str(browser.get("/api/decisions"))
    browser.decide("name", person=other, name="Ada")
    browser.post("/api/erase", {"person": one}, status=422)


def test_a_decision_goes_into_the_file_that_is_there_now(browser: Browser, library_folder: Path) -> None:
    browser.decide("name", person=1, name="Ada")
    Library(library_folder).backup(library_folder / "copy")
    for path in library_folder.glob("library.sqlite*"):  # as a repair does it, while the page is open
        path.rename(path.with_name(path.name.replace("library", "library-damaged-1")))
    (library_folder / "copy/library.sqlite").rename(library_folder / "library.sqlite")
    browser.decide("name", person=2, name="Bob")
    assert Library(library_folder).people.sort("person")["name"][:2].to_list() == ["Ada", "Bob"]
    (library_folder / "library.sqlite").rename(library_folder / "elsewhere.sqlite")
    assert "no library" in browser.decide("name", person=2, name="Eve", status=400)["problem"]


def test_the_log_tells_all_newest_first(browser: Browser) -> None:
    person = wall(browser)[0]["person"]
    browser.decide("name", person=person, name="Ada")
    browser.post("/api/undo", {})
    told = browser.get("/api/decisions")
    entries: Any = told["decisions"]
    assert [entry["kind"] for entry in entries] == ["undo", "name", "cluster"]
    assert [entry["live"] for entry in entries] == [True, False, True]
    assert (told["can_undo"], told["can_redo"]) == (None, entries[1]["id"])
    library = browser.get("/api/library")
    assert (library["to_undo"], library["to_redo"]) == (None, entries[1]["words"])
    assert browser.get("/api/decisions", offset=1, limit=1)["decisions"] == entries[1:2]
    assert entries[1]["changed"] == {"people": [person], "faces": 0}


def test_a_stale_edit_is_refused_with_what_changed(browser: Browser, library_folder: Path) -> None:
    one, other, third = (person["person"] for person in wall(browser)[:3])
    seen = browser.get("/api/people")["revision"]
    Library(library_folder, views="on request").name(one, "From the command line")
    told: Any = browser.decide("name", person=one, name="Ada", seen=seen, status=409)
    assert [entry["kind"] for entry in told["since"]] == ["name"]
    assert "From the command line" in told["problem"]
    browser.decide("merge", person=other, others=[one], seen=seen, status=409)
    browser.decide("name", person=third, name="Bea", seen=seen)
    assert [one["name"] for one in wall(browser, show="named")] == ["From the command line", "Bea"]


def test_what_can_not_be_decided_is_422(browser: Browser) -> None:
    for kind, more in (
        ("name", {"person": 999, "name": "x"}),
        ("merge", {"person": 1, "others": [1]}),
        ("split", {"faces": [999]}),
        ("restore", {}),
    ):
        told = browser.decide(kind, **more, status=422)
        assert told["problem"]
        assert told["mend"]
    browser.post("/api/undo", {}, status=422)


def test_new_pictures_and_a_new_grouping_are_seen(browser: Browser, made: Maker) -> None:
    before = browser.get("/api/library")
    for number in range(3):
        made.draw(f"p00_9{number:03}_1.jpg", 0)
    made.add()
    assert browser.get("/api/library")["left_out"] == 6  # found, and not grouped yet
    made.cluster()
    after = browser.get("/api/library")
    assert (after["left_out"], after["clusterings"]) == (3, 2)
    assert after["faces"] == int(str(before["faces"])) + 3
    (new,) = wall(browser, show="new")
    assert new["new"] == 3
    assert [face["file"] for face in faces(browser, new["person"]) if face["new"]] == [
        f"p00_9{number:03}_1.jpg" for number in range(3)
    ]
    assert wall(browser, sort="new")[0] == new


def test_a_run_that_adds_pictures_holds_no_decision_up(browser: Browser, library_folder: Path) -> None:
    with open_to_write(library_folder):
        browser.decide("name", person=wall(browser)[0]["person"], name="Ada")


def ready_questions(browser: Browser) -> list[dict[str, Any]]:
    last = time.monotonic() + 20
    while not (told := browser.get("/api/questions", limit=200))["ready"]:
        assert time.monotonic() < last
        time.sleep(0.01)
    questions: list[dict[str, Any]] = told["questions"]
    assert len(questions) == told["left"]
    return questions


@pytest.mark.usefixtures("thinking")
def test_questions_are_answered_and_do_not_come_back(browser: Browser) -> None:
    questions = ready_questions(browser)
    assert browser.get("/api/library")["questions_ready"]
    pair = next(one for one in questions if one["kind"] == "people")
    for side in (pair["one"], pair["other"]):
        assert browser.get(f"/api/people/{side['person']}")["faces"] == side["faces"]
        assert 0 < len(side["show"]) <= 9
    told = browser.post(f"/api/questions/{pair['id']}", {"answer": "different"})
    assert told["decision"]["kind"] == "different"
    now = browser.get("/api/questions", limit=200)
    assert pair["id"] not in [one["id"] for one in now["questions"]]
    assert pair["id"] not in [one["id"] for one in ready_questions(browser)]
    again = browser.post(f"/api/questions/{pair['id']}", {"answer": "same"}, status=409)
    assert again["since"] == []
    browser.post("/api/undo", {})
    now = browser.get("/api/questions", limit=200)["questions"]  # at once, before they are worked out anew
    assert now[0]["id"] == pair["id"]
    assert [one["id"] for one in ready_questions(browser)].count(pair["id"]) == 1


@pytest.mark.usefixtures("thinking")
def test_a_question_about_faces_that_went_elsewhere_no_longer_stands(browser: Browser) -> None:
    single = next(one for one in ready_questions(browser) if one["kind"] == "single")
    person = wall(browser)[0]["person"]
    browser.decide("assign", faces=single["one"]["show"], person=person)
    assert single["id"] not in [one["id"] for one in browser.get("/api/questions", limit=200)["questions"]]
    browser.post(f"/api/questions/{single['id']}", {"answer": "same"}, status=409)


@pytest.mark.usefixtures("thinking")
@pytest.mark.parametrize("answer", ["same", "different", "unsure"])
def test_each_kind_of_question_takes_each_answer(browser: Browser, answer: str) -> None:
    kinds = {one["kind"]: one for one in ready_questions(browser)}
    assert {"people", "single", "face", "part"} >= kinds.keys() >= {"people", "single", "face"}
    for kind in kinds:
        one = next((one for one in ready_questions(browser) if one["kind"] == kind), None)
        if one is not None:
            browser.post(
                f"/api/questions/{one['id']}", {"answer": answer, "seen": browser.get("/api/people")["revision"]}
            )


@pytest.mark.usefixtures("thinking")
def test_a_library_without_pictures_is_shown_as_empty(tmp_path: Path) -> None:
    with open_to_write(tmp_path):
        pass
    with TestClient(create_app(tmp_path, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        browser = Browser(client)
        told = browser.get("/api/library")
        assert [told[part] for part in ("faces", "people", "left_out", "revision", "clusterings")] == [0] * 5
        assert wall(browser) == []
        assert ready_questions(browser) == []
        assert browser.get("/api/left-out")["groups"] == []
        assert browser.get("/api/names")["names"] == []
        assert browser.get("/api/decisions")["decisions"] == []
        assert browser.client.get("/api/people/1").status_code == 404
        browser.decide("name", person=1, name="Ada", status=400)
        found = browser.client.post("/api/find", content=jpeg(), headers={"Origin": ORIGIN})
        assert "holds no pictures yet" in found.json()["problem"]


@pytest.mark.usefixtures("thinking")
def test_a_library_without_questions_has_none(browser: Browser, library_folder: Path) -> None:
    with open_to_write(library_folder) as store:
        store.set_fact(facts.SCALE, "")  # as the classic recipe leaves it
    browser.decide("name", person=1, name="Ada")
    assert ready_questions(browser) == []


def test_the_tables_on_disk_are_written_in_the_end(library_folder: Path) -> None:
    with TestClient(create_app(library_folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        browser = Browser(client)
        browser.decide("name", person=wall(browser)[0]["person"], name="Ada")
    assert "Ada" in (library_folder / "people.csv").read_text(encoding="utf-8")


def test_the_most_alike_come_first(browser: Browser, made: Maker) -> None:
    one = wall(browser)[0]["person"]
    twin = made.centres[0] + 0.1
    made.centres[5] = twin  # what is drawn of person 5 from now on looks like person 0
    for number in range(4):
        made.draw(f"p05_8{number:03}_1.jpg", 5)
    made.add()
    made.cluster()
    rows = [row for row in browser.get("/api/left-out/faces")["faces"] if row["face"]]
    assert rows
    whose = [face["face"] for face in faces(browser, one)[:2]]
    found = browser.get("/api/alike", faces=whose)["people"]
    assert found[0]["person"] == one
    assert found[0]["probability"] > 0.9 > found[1]["probability"]
    assert one not in [person["person"] for person in browser.get("/api/alike", person=one)["people"]]
    chances = [person["probability"] for person in browser.get("/api/alike", person=one, limit=100)["people"]]
    assert chances == sorted(chances, reverse=True)
    other = wall(browser)[3]["person"]
    browser.decide("name", person=other, name="Zoë")
    browser.decide("assign", faces=whose, person=other)  # the means follow at once
    assert [person["person"] for person in browser.get("/api/alike", person=one, search="zoe")["people"]] == [other]
    assert browser.get("/api/alike", person=999)["people"][0]["probability"] is None


def test_a_decision_that_others_overtook_is_taken_where_it_still_applies(browser: Browser) -> None:
    one, other, third = (person["person"] for person in wall(browser)[:3])
    seen = browser.get("/api/people")["revision"]
    first, second, last = (face["face"] for face in faces(browser, one)[:3])
    browser.decide("reject", faces=[first], person=one)
    browser.decide("reject", faces=[second], person=one, seen=seen)  # another face of the same person
    browser.decide("name", person=one, name="Ada", seen=seen)  # who is still the same
    browser.decide("not_a_face", faces=[last], seen=seen)
    told = browser.decide("assign", faces=[first], person=other, seen=seen, status=409)  # somebody placed this face
    assert [entry["kind"] for entry in told["since"]] == ["reject"]
    browser.decide("different", person=other, other=third)
    browser.decide("merge", person=other, others=[third], seen=seen, status=409)
    browser.decide("ignore", person=one, seen=seen, status=409)  # somebody named this stranger
    browser.decide("ignore", person=third, seen=seen)


@pytest.mark.usefixtures("thinking")
def test_an_answer_holds_though_one_side_was_merged_meanwhile(browser: Browser) -> None:
    asked = next(one for one in ready_questions(browser) if one["kind"] == "people")
    one, other = (asked[side]["person"] for side in ("one", "other"))
    into = next(person["person"] for person in wall(browser) if person["person"] not in (one, other))
    seen = browser.decide("merge", person=into, others=[one])["revision"]
    told = browser.post(f"/api/questions/{asked['id']}", {"answer": "different", "seen": seen})["decision"]
    assert told["kind"] == "different"
    assert {into, other} == set(told["changed"]["people"])
