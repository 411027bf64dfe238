"""Pictures are added from the page: folders are chosen, a process of its own works, and people come while it does."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import expect
from tests.review.browser import TOKEN, Seat, Watch, served
from tests.review.conftest import ORIGIN, Browser
from tests.review.test_effort import COUNT, at_most

import unmingle
from unmingle.demo import write_meeting
from unmingle.errors import SettingsError
from unmingle.review import background
from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.settings import DetectionSettings, GroupingSettings
from unmingle.store.sqlite import locked, open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext
    from tests.review.conftest import Maker

LONG = 90.0  # seconds that a run may take


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops of three people, in a place with a name as people give it."""
    folder = tmp_path_factory.mktemp("home") / "Fotos von früher & heute #1"
    return write_meeting(folder, people=3, frames=4).faces


@pytest.fixture
def home(meeting: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(meeting.parent.parent))
    return meeting.parent.parent


@pytest.fixture
def library_folder(tmp_path: Path) -> Path:
    """Nothing is there yet."""
    return tmp_path / "unmingle-library"


def named(path: Path) -> str:
    return quote(os.fsencode(path))


def ended(browser: Browser) -> dict[str, Any]:
    """The run, once it has ended."""
    end = time.monotonic() + LONG
    while (run := browser.get("/api/sources")["run"])["state"] == "running":
        assert time.monotonic() < end, run
        time.sleep(0.05)
    return dict(run)


def test_a_library_is_made_of_folders_that_are_chosen_in_the_page(
    client: TestClient, library_folder: Path, meeting: Path, home: Path
) -> None:
    browser = Browser(client)
    answer = client.get("/api/library")
    assert (answer.status_code, answer.json()["empty"]) == (404, True)
    assert not library_folder.exists()
    told = browser.get("/api/sources")
    assert (told["sources"], told["run"], told["library"]) == ([], None, str(library_folder))
    assert {"title": "Home", "path": named(home), "pictures": 0} in told["places"]
    inside = browser.get("/api/folders", folder=named(meeting.parent))
    assert [one["title"] for one in inside["above"]][-1] == home.name
    (faces,) = [one for one in inside["folders"] if one["title"] == meeting.name]
    assert faces == {"path": named(meeting), "title": meeting.name, "pictures": len(list(meeting.glob("*.jpg")))}
    assert browser.client.post("/api/sources", json={"sources": [faces["path"]]}, headers={"Origin": ORIGIN}).is_success
    run = ended(browser)
    assert (run["state"], run["people"], run["problem"]) == ("done", 3, "")
    assert browser.get("/api/library")["people"] == 3
    assert [one["title"] for one in browser.get("/api/sources")["sources"]] == [str(meeting)]
    browser.decide("name", person=1, name="Ada")
    # Nothing new is there: everybody is who they were.
    assert browser.client.post("/api/sources", json={"sources": []}, headers={"Origin": ORIGIN}).is_success
    assert ended(browser)["state"] == "done"
    assert browser.get("/api/people/1")["name"] == "Ada"


def test_only_folders_that_are_there_are_taken(client: TestClient, home: Path, tmp_path: Path) -> None:
    browser = Browser(client)
    odd = tmp_path / os.fsdecode(b"caf\xe9 100% ~?")
    odd.mkdir()
    (odd / "a.JPG").touch()
    (odd / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    shown = browser.get("/api/folders", folder=named(tmp_path))["folders"]
    assert [(one["title"], one["pictures"]) for one in shown] == [("caf\\xe9 100% ~?", 1), ("empty", 0)]
    assert browser.get("/api/folders", folder=shown[0]["path"])["folders"] == []
    assert browser.get("/api/folders", folder="~")["here"]["path"] == named(home)
    for path, status in (("relative", 422), ("/no/such/folder", 404), ("/%00", 422), (named(odd / "a.JPG"), 404)):
        answer = client.get("/api/folders", params={"folder": path})
        assert (answer.status_code, bool(answer.json()["mend"])) == (status, True)
    browser.post("/api/sources", {"sources": ["/no/such/folder"]}, status=404)
    browser.post("/api/sources", {"sources": ["relative"]}, status=422)
    started = client.post("/api/sources", json={"sources": [named(tmp_path / "empty")]}, headers={"Origin": ORIGIN})
    assert started.status_code == 200
    run = ended(browser)
    assert (run["state"], "no pictures or recordings" in run["problem"]) == ("failed", True)


def test_only_who_sits_at_the_machine_looks_at_its_folders(tmp_path: Path) -> None:
    origin = "http://192.0.2.7:8000"
    with TestClient(create_app(tmp_path / "library", Auth(TOKEN, origin)), base_url=origin) as client:
        browser = Browser(client)
        for path in ("sources", f"folders?folder={named(tmp_path)}"):
            assert client.get(f"/api/{path}").status_code == 403
        answer = client.post("/api/sources", json={"sources": []}, headers={"Origin": origin})
        assert answer.status_code == 403
        del browser


def test_only_who_sits_at_the_machine_is_told_where_a_picture_lies(made: Maker) -> None:
    for origin, told in ((ORIGIN, True), ("http://192.0.2.7:8000", False)):
        with TestClient(create_app(made.folder, Auth(TOKEN, origin)), base_url=origin) as client:
            path = Browser(client).get("/api/faces/1/path")["path"]
        assert path.startswith(str(made.pictures)) == told == bool(path)


def test_a_run_that_is_stopped_is_gone_on_with_and_two_never_write_at_once(
    client: TestClient, library_folder: Path, meeting: Path
) -> None:
    browser = Browser(client)
    asked = {"sources": [named(meeting)]}
    with locked(library_folder):
        assert client.post("/api/sources", json=asked, headers={"Origin": ORIGIN}).status_code == 200
        run = ended(browser)
    assert (run["state"], "Another run is writing" in run["problem"]) == ("failed", True)
    assert client.post("/api/sources", json=asked, headers={"Origin": ORIGIN}).status_code == 200
    assert "already" in browser.post("/api/sources", asked, status=423)["problem"]
    browser.client.post("/api/sources/stop", headers={"Origin": ORIGIN})
    assert browser.get("/api/sources")["run"]["state"] == "stopped"
    assert client.post("/api/sources", json=asked, headers={"Origin": ORIGIN}).status_code == 200
    assert (ended(browser)["state"], browser.get("/api/library")["people"]) == ("done", 3)


def test_a_run_ends_with_the_server(library_folder: Path, meeting: Path) -> None:
    with TestClient(create_app(library_folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        Browser(client)
        client.post("/api/sources", json={"sources": [named(meeting)]}, headers={"Origin": ORIGIN})
    with locked(library_folder):  # nobody writes any more
        pass


def test_those_who_wait_are_shown_people_while_others_are_looked_for(
    library_folder: Path, meeting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "FIRST", 0.0)
    monkeypatch.setattr("unmingle.ingest.BATCH_PICTURES", 4)
    told: list[dict[str, Any]] = []
    background.work(library_folder, [str(meeting)], lambda **news: told.append(news))
    assert [news["people"] for news in told if "people" in news][-1] == 3
    assert sum("people" in news for news in told) > 1
    assert len({news["done"] for news in told if news.get("stage") == "analyse"}) > 1


def test_pictures_are_looked_at_as_the_librarys_were(made: Maker) -> None:
    assert unmingle.open(made.folder / "not there")._as_before() == ({}, {})
    with open_to_write(made.folder) as store:
        from unmingle.store import facts

        facts.note(store, DetectionSettings(min_score=0.8), GroupingSettings(expected_false_merges=0.1))
        store.set_fact(facts.SHEETS, "7")
    looking, grouping = unmingle.open(made.folder)._as_before()
    assert looking["detection"].min_score == 0.8
    assert (grouping["settings"].expected_false_merges, grouping["sheets"]) == (0.1, 7)
    with open_to_write(made.folder) as store:
        store.recipe = "classic/1"
    with pytest.raises(SettingsError, match="classic"):
        unmingle.open(made.folder)._as_before()


@pytest.fixture
def newcomer(context: BrowserContext, library_folder: Path, home: Path) -> Iterator[Seat]:
    del home
    with served(library_folder) as origin:
        context.add_init_script(COUNT)
        watch = Watch(context, origin)
        watch.refusals.add(404)  # there is no library yet
        context.request.get(f"{origin}/?token={TOKEN}")
        yield Seat(context.new_page(), watch)
        watch.check()
        for page in context.pages:
            page.close()


@pytest.mark.browser
def test_the_first_run_takes_four_clicks(newcomer: Seat, meeting: Path, library_folder: Path) -> None:
    page = newcomer.page
    page.goto(f"{newcomer.watch.origin}/")
    expect(page.get_by_role("heading", name="Add pictures")).to_be_visible()
    with at_most(newcomer, 4):
        page.get_by_role("button", name=f"Look in {meeting.parent.name}").click()
        page.get_by_label(meeting.name, exact=True).check()
        newcomer.act("Sort the faces")
        expect(page.get_by_text("Done: 3 people")).to_be_visible(timeout=LONG * 1000)
        page.get_by_role("link", name="Name them").click()
        expect(page.get_by_role("combobox", name="Name")).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    newcomer.until(lambda: "Ada" in newcomer.names().values())
    assert unmingle.open(library_folder).people.height == 3
    newcomer.open("/")
    page.get_by_role("link", name="Add", exact=True).click()
    expect(page.get_by_role("button", name="Look there for new pictures")).to_be_enabled()
