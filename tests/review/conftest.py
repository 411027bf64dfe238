"""A small library with real picture files, and a browser's session with the server of its review page."""

from __future__ import annotations

import copy
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.made_library import RECIPE, analysis
from tests.review.browser import TOKEN, Seat, Watch, served

from unmingle import jobs
from unmingle.faces.align import FACE_MARGIN, thumbnail
from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.settings import GroupingSettings
from unmingle.sources.images import digest, scan
from unmingle.sources.names import MEETING_PATTERN
from unmingle.store import analyses
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import BrowserContext

    from unmingle.records import U8, Analysis

ORIGIN = "http://127.0.0.1:8000"
PEOPLE, EACH = 12, 6
SIDE = 96  # pixels


class Maker:
    """Makes a library of made-up people: person 0 has most pictures; `pNN_FFFF_I.jpg` shows person NN."""

    def __init__(self, folder: Path, *, people: int = PEOPLE, each: int = EACH) -> None:
        self.folder = folder / "library"
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        self.random = np.random.default_rng(7)
        self.centres = self.random.normal(size=(people, 64))
        for person in range(people):
            for number in range(each + (people - person) // 4):
                self.draw(f"p{person:02}_{number:04}_1.jpg", person)
        self.draw("stranger_1.jpg", -1)
        self.draw("stranger_2.jpg", -2)
        (self.pictures / "damaged.jpg").write_bytes(b"no picture")
        self.add()
        self.cluster()

    def draw(self, name: str, person: int) -> None:
        """A picture file that shows a person: the shade of its middle pixel says whom."""
        picture = np.full((SIDE, SIDE, 3), 40 + 7 * (person % 20), np.uint8)
        cv2.circle(picture, (SIDE // 2, SIDE // 2), 30, self.random.integers(0, 255, 3).tolist(), -1)
        cv2.putText(picture, str(person), (30, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
        assert cv2.imwrite(str(self.pictures / name), picture)

    def add(self) -> None:
        """Bring the picture files into the library, as if their faces had been found."""
        found = scan([self.pictures])
        with open_to_write(self.folder) as store:
            store.recipe = RECIPE
            known = analyses.register(store, found, RECIPE)
            done = analyses.analysed(store, RECIPE, None)
            with store.transaction() as connection:
                for file in sorted(file for file in known if known[file].digest not in done):
                    content = file.path.read_bytes()
                    problem = "" if content.startswith(b"\xff\xd8") else "not a picture in a format that is read"
                    name = "" if problem else digest(content)
                    if name:
                        picture = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), np.uint8)
                        analyses.add_analysis(connection, name, RECIPE, "f32", self._analysis(file.name, picture))
                    analyses.note_read(connection, known[file].row, len(content), 0, name, problem)

    def _analysis(self, name: str, picture: U8) -> Analysis:
        centre = self.centres[int(name[1:3])] if name.startswith("p") else self.random.normal(size=64)
        vector = centre + 0.4 * self.random.normal(size=64)
        box = np.array([18, 18, 60, 60], np.float32)
        jpeg = thumbnail(picture, box, margin=FACE_MARGIN)
        quality = self.random.uniform(0.5, 1.0)
        return analysis(vector[None], box, size=(SIDE, SIDE), quality=quality, thumbnail=jpeg)

    def copied(self, folder: Path) -> Maker:
        """Another one like it, with pictures of its own."""
        other = copy.deepcopy(self)
        other.folder, other.pictures = folder / "library", folder / "pictures"
        shutil.copytree(self.folder, other.folder)
        shutil.copytree(self.pictures, other.pictures)
        with open_to_write(other.folder) as store, store.transaction() as connection:
            connection.execute("UPDATE source SET path = ?", (os.fsencode(other.pictures),))
        return other

    def cluster(self) -> None:
        """Group the faces anew."""
        with open_to_write(self.folder) as store:
            jobs.cluster(store, GroupingSettings(), name_pattern=MEETING_PATTERN)


def own_files(client: TestClient) -> str:
    """Below which address the page's own files are."""
    (found,) = re.findall(r'href="(/static/\w+)/mark.svg"', client.get("/").text)
    return str(found)


class Browser:
    """A signed-in session; what changes something carries the page's origin, as a browser would send it."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        answer = client.get("/", params={"token": TOKEN}, follow_redirects=False)
        assert answer.status_code == 303

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """What an address tells; it has to exist."""
        answer = self.client.get(path, params=query)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def post(self, path: str, body: object, *, status: int = 200) -> dict[str, Any]:
        """Send something, and expect this status."""
        answer = self.client.post(path, json=body, headers={"Origin": ORIGIN})
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def decide(self, kind: str, *, status: int = 200, **more: object) -> dict[str, Any]:
        """Decide something, and expect this status."""
        return self.post("/api/decisions", {"kind": kind, **more}, status=status)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(tmp_path_factory.mktemp("made"))


@pytest.fixture
def made(made_once: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    # Made-up people are told apart so well that nobody would have to be asked.
    monkeypatch.setattr("unmingle.decisions.asking.LEAST_CHANCE", 0.0)
    return made_once.copied(tmp_path)


@pytest.fixture
def thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions are worked out at once, and not after a while, in which most tests are over."""
    monkeypatch.setattr("unmingle.review.background.THINKING", 0.1)


@pytest.fixture
def library_folder(made: Maker) -> Path:
    """A library of twelve people with picture files beside it."""
    return made.folder


@pytest.fixture
def client(library_folder: Path) -> Iterator[TestClient]:
    """Somebody who has not signed in."""
    with TestClient(create_app(library_folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as opened:
        yield opened


@pytest.fixture
def browser(client: TestClient) -> Browser:
    return Browser(client)


@pytest.fixture
def origin(library_folder: Path) -> Iterator[str]:
    """Where the server of the library listens."""
    with served(library_folder) as listening:
        yield listening


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    """A profile of the browser."""
    made = chromium.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
    yield made
    made.close()


@pytest.fixture
def seat(context: BrowserContext, origin: str) -> Iterator[Seat]:
    """Somebody who was let in; no page may log an error or ask another host."""
    watch = Watch(context, origin)
    context.request.get(f"{origin}/?token={TOKEN}")
    yield Seat(context.new_page(), watch)
    watch.check()
    for page in context.pages:  # before the server ends: nothing is asked of it any more
        page.close()
