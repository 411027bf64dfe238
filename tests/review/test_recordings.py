"""Recordings on the page: who is on screen when, and the frames that faces are from."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.review.browser import TOKEN
from tests.review.conftest import ORIGIN, Browser
from tests.review.recording import HEIGHT, TILE, WIDTH

from unmingle.review import session
from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.sources.formats import file_digest
from unmingle.sources.recordings import Recording
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.review.recording import Recorded


@pytest.fixture
def seen(recorded: Recorded) -> Iterator[Browser]:
    """Somebody who looks at the library of recordings."""
    with TestClient(create_app(recorded.folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        yield Browser(client)


@pytest.fixture
def digests(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The recordings that were read whole to know whether they are what they were."""
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return file_digest(path)

    monkeypatch.setattr(session, "file_digest", counted)
    return read


def timeline(browser: Browser, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get("/api/timeline", **query)["recordings"]
    return found


def times(person: dict[str, Any]) -> list[tuple[float, float]]:
    return [(one["start"], one["end"]) for one in person["intervals"]]


def picture_of(browser: Browser, face: int) -> Any:
    return browser.client.get(f"/api/faces/{face}/picture")


def problem(browser: Browser, face: int) -> str:
    answer = picture_of(browser, face)
    assert answer.status_code == 404
    return str(answer.json()["problem"])


def test_who_is_on_screen_when(seen: Browser) -> None:
    pair, talk = timeline(seen)
    assert (pair["file"], talk["file"]) == ("pair.mp4", "talk.mp4")
    assert (talk["width"], talk["height"], talk["frames"], talk["skipped"]) == (WIDTH, HEIGHT, 40, 0)
    assert (talk["duration"], talk["every"], talk["complete"]) == (pytest.approx(4), 0.1, True)
    # Those who are there longest come first; of two as long, the one with the lower number.
    assert [times(person) for person in talk["people"]] == [
        [pytest.approx((0, 4), abs=0.15)],
        [pytest.approx((0, 1.2), abs=0.15), pytest.approx((2.8, 4), abs=0.15)],
        [pytest.approx((0, 2.4), abs=0.15)],
    ]
    assert [times(person) for person in pair["people"]] == [
        [pytest.approx((0.5, 2), abs=0.15)],
        [pytest.approx((0, 1), abs=0.15)],
    ]
    for person in (*talk["people"], *pair["people"]):
        assert person["seconds"] == pytest.approx(sum(end - start for start, end in times(person)))


def test_each_time_shows_a_face_of_then(seen: Browser) -> None:
    for recording in timeline(seen):
        for person in recording["people"]:
            for interval in person["intervals"]:
                detail = seen.get(f"/api/faces/{interval['face']}")
                assert (detail["person"], detail["file"]) == (person["person"], recording["file"])
                assert interval["start"] <= detail["time"] < interval["end"]
            assert seen.get(f"/api/faces/{person['face']}")["person"] == person["person"]


def test_one_person_and_a_part_of_the_recordings(seen: Browser) -> None:
    pair, talk = timeline(seen)
    third = talk["people"][-1]["person"]
    assert timeline(seen, person=third) == [{**talk, "people": talk["people"][-1:]}]
    assert timeline(seen, person=999) == []
    told = seen.get("/api/timeline", offset=1, limit=1)
    assert (told["total"], told["recordings"]) == (2, [talk])
    assert told["revision"] == seen.get("/api/people")["revision"]
    assert seen.client.get("/api/timeline", params={"person": 0}).status_code == 422
    assert pair["people"][0]["person"] == talk["people"][1]["person"]


def test_decisions_are_seen_on_the_timeline(seen: Browser) -> None:
    first, second, third = (one["person"] for one in timeline(seen)[1]["people"])
    seen.decide("name", person=second, name="Ada")
    assert [one["name"] for one in timeline(seen)[1]["people"]] == ["", "Ada", ""]
    seen.decide("merge", person=second, others=[third])
    (ada,) = (one for one in timeline(seen)[1]["people"] if one["name"])
    assert times(ada) == [pytest.approx((0, 4), abs=0.15)]
    seen.post("/api/undo", {})
    seen.decide("ignore", person=first)
    assert [[one["person"] for one in found["people"]] for found in timeline(seen)] == [[second], [second, third]]


def test_copies_of_a_recording_are_one(seen: Browser, recorded: Recorded) -> None:
    with open_to_write(recorded.folder) as store, store.transaction() as connection:
        connection.execute(
            "INSERT INTO file (source, path, name, digest) SELECT source, 'zz.mp4', 'zz.mp4', digest FROM file"
            " WHERE name = 'talk.mp4'"
        )
    assert [one["files"] for one in timeline(seen)] == [["pair.mp4"], ["talk.mp4", "zz.mp4"]]
    assert seen.get("/api/library")["recordings"] == 2


def test_a_library_without_recordings_has_no_timeline(browser: Browser) -> None:
    assert browser.get("/api/library")["recordings"] == 0
    assert browser.get("/api/timeline")["total"] == 0
    assert browser.client.get("/timeline").status_code == 200


def test_a_face_is_shown_in_its_frame(seen: Browser, recorded: Recorded) -> None:
    face = timeline(seen)[1]["people"][1]["intervals"][1]["face"]
    told = seen.get(f"/api/faces/{face}")
    assert (told["file"], told["picture"]) == ("talk.mp4", {"width": WIDTH, "height": HEIGHT})
    assert told["frame"] >= 28
    assert told["time"] == pytest.approx(told["frame"] / 10, abs=0.01)
    left, _, width, _ = told["box"]
    assert TILE < left + width / 2 < 2 * TILE + 10  # the second of three
    with av.open(str(recorded.videos / "talk.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with Image.open(io.BytesIO(picture_of(seen, face).content)) as picture:
        shown = np.asarray(picture, float)
    apart = [float(np.abs(frame - shown).mean()) for frame in frames]
    assert int(np.argmin(apart)) == told["frame"]


def test_whoever_else_is_in_the_frame_is_named(seen: Browser) -> None:
    first, second, third = timeline(seen)[1]["people"]
    seen.decide("name", person=first["person"], name="Ada")
    for interval, beside in zip(second["intervals"], ([first, third], [first]), strict=True):
        others = seen.get(f"/api/faces/{interval['face']}")["others"]
        assert {one["person"]: one["name"] for one in others} == {
            person["person"]: "Ada" if person is first else "" for person in beside
        }
        for one in others:
            left, _, width, _ = one["box"]
            place = (left + width / 2) // (TILE + 5)
            assert place == (0 if one["name"] else 2)


def test_a_recording_is_read_whole_only_if_it_seems_another(
    seen: Browser, recorded: Recorded, digests: list[Path]
) -> None:
    talk = timeline(seen)[1]
    faces = [interval["face"] for person in talk["people"] for interval in person["intervals"]]
    assert all(picture_of(seen, face).status_code == 200 for face in faces)
    assert digests == []
    file = recorded.videos / "talk.mp4"
    os.utime(file, (1, 1))
    assert all(picture_of(seen, face).status_code == 200 for face in faces)
    assert digests == [file]


def test_a_recording_that_went_away_or_changed_is_told(seen: Browser, recorded: Recorded) -> None:
    face = timeline(seen)[1]["people"][0]["face"]
    file = recorded.videos / "talk.mp4"
    assert picture_of(seen, face).status_code == 200
    shutil.copyfile(recorded.videos / "pair.mp4", file)
    assert "another content" in problem(seen, face)
    file.unlink()
    assert "No such file" in problem(seen, face)
    assert seen.client.get(f"/api/faces/{face}/thumbnail").status_code == 200


def test_only_some_recordings_are_remembered(seen: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Counted(Recording):
        def __init__(self, path: Path) -> None:
            opened.append(path.name)
            super().__init__(path)

    monkeypatch.setattr(session, "Recording", Counted)
    monkeypatch.setattr(session, "KEPT_RECORDINGS", 1)
    monkeypatch.setattr(seen.client.app.state.door._session, "_pictures", session.PictureReader())  # type: ignore[attr-defined]
    pair, talk = (one["people"][0]["face"] for one in timeline(seen))
    for face in (pair, pair, talk, talk, pair):
        assert picture_of(seen, face).status_code == 200
    assert opened == ["pair.mp4", "talk.mp4", "pair.mp4"]
