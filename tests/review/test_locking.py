"""An encrypted library under review: nothing is told without its key, and the page can forget it."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import expect
from tests.review.browser import TOKEN, Seat, Watch, served
from tests.review.conftest import ORIGIN, Browser

import unmingle
from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.store import encryption

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from tests.review.conftest import Maker

pytest.importorskip("sqlcipher3")
KEY, OTHER = "5" * 64, "7" * 64


@pytest.fixture
def library_folder(made: Maker) -> Iterator[Path]:
    """Encrypted, and nobody has its key."""
    unmingle.open(made.folder).encrypt(KEY)
    encryption.lock(made.folder)
    yield made.folder
    encryption.lock(made.folder)


def test_nothing_is_told_without_the_key(client: TestClient, library_folder: Path) -> None:
    browser = Browser(client)
    for path in ("library", "people", "people/1", "faces/1/thumbnail", "faces/1/picture", "decisions", "questions"):
        answer = client.get(f"/api/{path}")
        assert (answer.status_code, answer.json()["locked"]) == (401, True)
    assert browser.decide("name", person=1, name="Ada", status=401)["problem"] == "This library is locked."
    assert "This is not the key" in browser.post("/api/unlock", {"key": OTHER}, status=401)["problem"]
    assert client.get("/api/people").status_code == 401
    assert browser.post("/api/unlock", {"key": KEY}) == {"locked": False}
    assert browser.post("/api/unlock", {"key": OTHER}, status=401)["locked"]  # which changes nothing
    assert browser.get("/api/library")["encrypted"]
    browser.decide("name", person=1, name="Ada")
    assert browser.post("/api/lock", {}) == {"locked": True}
    assert client.get("/api/people").status_code == 401
    assert encryption.key_of(library_folder) is None
    assert browser.post("/api/unlock", {"key": KEY}) == {"locked": False}
    assert browser.get("/api/people/1")["name"] == "Ada"
    assert [path for path in library_folder.rglob("*") if path.suffix in (".csv", ".jpg")] == []


def test_who_is_asking_while_it_is_locked_gets_an_answer(client: TestClient) -> None:
    browser = Browser(client)
    browser.post("/api/unlock", {"key": KEY})
    answers: list[int] = []

    def ask() -> None:
        answers.extend(client.get(f"/api/people?limit={limit}").status_code for limit in range(1, 40))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        browser.post("/api/lock", {})
        browser.post("/api/unlock", {"key": KEY})
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 401}
    assert len(answers) == 4 * 39


def test_the_page_is_unlocked_and_locked_again(context: BrowserContext, library_folder: Path) -> None:
    with served(library_folder) as origin:
        watch = Watch(context, origin)
        watch.refusals.add(401)
        context.request.get(f"{origin}/?token={TOKEN}")
        seat = Seat(context.new_page(), watch)
        seat.open("/people/1")
        key = seat.page.get_by_label("Key", exact=True)
        expect(key).to_be_focused()
        key.fill(OTHER)
        seat.press("Enter")
        expect(seat.page.get_by_role("alert").filter(has_text="This is not the key")).to_be_visible()
        key.fill(KEY)
        seat.button("Unlock").click()
        expect(seat.cells().first).to_be_visible()
        expect(seat.page).to_have_url(f"{origin}/people/1")
        seat.button("Lock").click()
        expect(seat.page.get_by_role("heading", name="This library is locked")).to_be_visible()
        expect(seat.cells()).to_have_count(0)
        watch.check()
        seat.page.close()


def test_a_plain_library_has_no_lock(made_once: Maker) -> None:
    with TestClient(create_app(made_once.folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        browser = Browser(client)
        assert not browser.get("/api/library")["encrypted"]
        assert "not encrypted" in browser.post("/api/lock", {}, status=422)["problem"]
        assert "not encrypted" in browser.post("/api/unlock", {"key": KEY}, status=400)["problem"]
