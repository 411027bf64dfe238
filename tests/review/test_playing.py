"""A recording that is played: its file in parts, its frames, where people are, and the page that shows both."""

from __future__ import annotations

import io
import os
import re
import shutil
from fractions import Fraction
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image
from playwright.sync_api import expect
from tests.made_library import jpeg
from tests.review.browser import PATIENCE, TOKEN, Seat, Server, nameless
from tests.review.conftest import ORIGIN, Browser
from tests.review.recording import HEIGHT, TALK, TILE, WIDTH, frame, write_recording

from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.review.serve import free_listener
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Route
    from tests.review.recording import Recorded

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def library_folder(recorded: Recorded) -> Path:
    """A library of two recordings: `talk.mp4` with three people, and `pair.mp4` with two of them."""
    return recorded.folder


@pytest.fixture
def seen(recorded: Recorded) -> Iterator[Browser]:
    """Somebody who looks at the library of recordings."""
    with TestClient(create_app(recorded.folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        yield Browser(client)


@pytest.fixture
def talk(seen: Browser) -> dict[str, Any]:
    found: dict[str, Any] = seen.get("/api/timeline")["recordings"][1]
    return found


def part(browser: Browser, recording: int, wanted: str) -> Any:
    return browser.client.get(f"/api/recordings/{recording}/file", headers={"Range": wanted})


def test_the_file_is_there_whole_and_in_parts(seen: Browser, talk: dict[str, Any], recorded: Recorded) -> None:
    content = (recorded.videos / "talk.mp4").read_bytes()
    whole = seen.client.get(f"/api/recordings/{talk['recording']}/file")
    assert (whole.status_code, whole.content) == (200, content)
    told = ("content-type", "accept-ranges", "cache-control", "x-content-type-options", "content-disposition")
    assert [whole.headers.get(name) for name in told] == ["video/mp4", "bytes", "no-store", "nosniff", None]
    size = len(content)
    for wanted, start, stop in (("0-", 0, size), ("0-99", 0, 100), ("100-", 100, size), ("-50", size - 50, size)):
        answer = part(seen, talk["recording"], f"bytes={wanted}")
        assert (answer.status_code, answer.content) == (206, content[start:stop])
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["cache-control"] == "no-store"
    beyond = part(seen, talk["recording"], f"bytes={size}-")
    assert beyond.status_code == 416
    assert beyond.headers["content-range"].endswith(f"*/{size}")  # which older Starlettes tell without the unit


def test_only_who_may_look_gets_a_file_and_only_of_a_recording(seen: Browser, talk: dict[str, Any]) -> None:
    address = f"/api/recordings/{talk['recording']}/file"
    for wrong in (999, 2**63 - 1):
        answer = seen.client.get(f"/api/recordings/{wrong}/file")
        assert (answer.status_code, answer.json()["problem"]) == (404, f"There is no recording {wrong}.")
    assert seen.client.get("/api/recordings/..%2Flibrary/file").status_code in (404, 422)
    assert "media-src 'self'" in seen.client.get("/").headers["content-security-policy"]
    seen.client.cookies.clear()
    assert part(seen, talk["recording"], "bytes=0-9").status_code == 401
    assert seen.client.get(address).status_code == 401


def test_a_file_that_changed_or_went_away_is_not_sent(seen: Browser, talk: dict[str, Any], recorded: Recorded) -> None:
    file = recorded.videos / "talk.mp4"
    address = f"/api/recordings/{talk['recording']}/file"
    os.utime(file, (1, 1))  # the content is what it was
    assert seen.client.get(address).status_code == 200
    shutil.copyfile(recorded.videos / "pair.mp4", file)
    assert "another content" in seen.client.get(address).json()["problem"]
    file.unlink()
    assert "No such file" in seen.client.get(address).json()["problem"]
    os.mkfifo(file)  # which nobody would ever write to
    assert "not a file" in seen.client.get(address).json()["problem"]
    assert seen.client.get(f"/api/recordings/{talk['recording']}/frame").status_code == 404


def test_who_takes_up_no_bytes_keeps_no_library_open(recorded: Recorded) -> None:
    stored_as(recorded, "talk.webm", codec="libvpx-vp9")
    file = recorded.videos / "talk.webm"
    os.truncate(file, 200_000_000)  # more than any buffer holds
    with open_to_write(recorded.folder) as store, store.transaction() as connection:
        status = file.stat()
        now = (status.st_size, status.st_mtime_ns)
        connection.execute("UPDATE file SET size = ?, modified = ? WHERE name = 'talk.webm'", now)
    with free_listener() as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(recorded.folder, Auth(TOKEN, origin))
        server = Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with requests.Session() as browser:
            browser.get(origin, params={"token": TOKEN}).raise_for_status()
            (row,) = (one for one in browser.get(f"{origin}/api/timeline").json()["recordings"] if one["people"][2:])
            with browser.get(f"{origin}/api/recordings/{row['recording']}/file", stream=True) as paused:
                assert next(paused.iter_content(1000))
                stopping = Thread(target=app.state.door.stop)  # as a lock does
                stopping.start()
                stopping.join(PATIENCE)
                assert not stopping.is_alive()
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_frame_is_the_one_of_that_time(seen: Browser, talk: dict[str, Any]) -> None:
    three, two = frame((0, 1, 2)), frame((0, 2))
    for at, is_there in ((0.0, True), (0.6, True), (2.0, False), (3.95, True), (1e6, True)):
        answer = seen.client.get(f"/api/recordings/{talk['recording']}/frame", params={"at": at})
        assert answer.status_code == 200
        with Image.open(io.BytesIO(answer.content)) as picture:
            middle = np.asarray(picture, float)[:, TILE + 20 : 2 * TILE]
        with_second, without = (np.abs(middle - shown[:, TILE + 20 : 2 * TILE]).mean() for shown in (three, two))
        assert (with_second < without) == is_there


def test_a_frame_is_the_one_of_that_time_where_sound_before_it_did_not_count(
    seen: Browser, talk: dict[str, Any], recorded: Recorded
) -> None:
    stored_as(recorded, "talk.mkv", sound=True, sound_alone=1)
    pictures = []
    for at in (1.0, 2.0):
        answer = seen.client.get(f"/api/recordings/{talk['recording']}/frame", params={"at": at})
        with Image.open(io.BytesIO(answer.content)) as picture:
            pictures.append(np.asarray(picture, float)[:, TILE + 20 : 2 * TILE])
    three, two = (frame(shown)[:, TILE + 20 : 2 * TILE] for shown in ((0, 1, 2), (0, 2)))
    with_second, without = ([np.abs(one - shown).mean() for one in pictures] for shown in (three, two))
    assert [one < other for one, other in zip(with_second, without, strict=True)] == [True, False]


def test_where_people_are_is_told_for_a_part(seen: Browser, talk: dict[str, Any]) -> None:
    first, second, third = (one["person"] for one in talk["people"])
    address = f"/api/recordings/{talk['recording']}/seen"
    assert {one["person"] for one in seen.get(address)["seen"]} == {first, second, third}
    early = seen.get(address, start=1.5, stop=2.0)["seen"]
    assert {one["person"] for one in early} == {first, third}
    for one in early:
        assert one["times"] == sorted(one["times"])
        assert 1.5 <= one["times"][0] <= one["times"][-1] < 2.0
        for left, _, width, height in one["boxes"]:
            assert (left + width / 2) // (TILE + 5) == (0 if one["person"] == first else 2)
            assert height > 20
    assert seen.get(address, start=100, stop=200)["seen"] == []
    seen.decide("ignore", person=third)
    assert {one["person"] for one in seen.get(address, start=1.5, stop=2.0)["seen"]} == {first}
    assert seen.client.get(address, params={"stop": 9e6}).status_code == 200
    assert seen.get("/api/recordings/999/seen")["seen"] == []


def test_one_recording_is_asked_for(seen: Browser, talk: dict[str, Any]) -> None:
    assert seen.get("/api/timeline", recording=talk["recording"])["recordings"] == [talk]
    assert seen.get("/api/timeline", recording=999)["total"] == 0
    face = talk["people"][0]["face"]
    assert seen.get(f"/api/faces/{face}")["recording"] == talk["recording"]


def stored_as(recorded: Recorded, name: str, **how: Any) -> None:
    """From now on `talk.mp4` lies there in another format, with the same frames."""
    file = recorded.videos / name
    write_recording(file, TALK, seconds=4, **how)
    status = file.stat()
    with open_to_write(recorded.folder) as store, store.transaction() as connection:
        now = (os.fsencode(name), name, status.st_size, status.st_mtime_ns)
        connection.execute("UPDATE file SET path = ?, name = ?, size = ?, modified = ? WHERE name = 'talk.mp4'", now)


# So slowly that nobody is late for what is seen for a moment.
SLOWLY = "addEventListener('loadedmetadata', ({ target }) => { target.playbackRate = 0.1; }, true)"


def framed(seat: Seat) -> list[str]:
    """Whose frames are to be seen over the picture."""
    return sorted(seat.page.locator(".player .frame:not([hidden]) a").all_text_contents())


def at(seat: Seat) -> float:
    """Seconds of the recording that the page shows."""
    return float(seat.page.get_by_role("slider").input_value())


@pytest.mark.parametrize(
    ("name", "how", "late"),
    [
        ("talk.webm", {"codec": "libvpx-vp9"}, 0.0),
        ("talked.webm", {"codec": "libvpx-vp9", "milliseconds": range(500, 4500, 100)}, 0.5),
    ],
)
def test_a_moment_of_a_recording_is_played(seat: Seat, recorded: Recorded, name: str, how: Any, late: float) -> None:
    stored_as(recorded, name, **how)
    seat.page.add_init_script(SLOWLY)
    seat.open("/timeline")
    talk = seat.page.get_by_role("region", name=name, exact=True)
    first, second, third = (f"Person {one['person']}" for one in seat.api("/timeline")["recordings"][1]["people"])
    talk.get_by_role("link", name=re.compile(f"^{third} 0:0|^{third}, ")).last.click()  # in its middle, at 1.2 seconds
    player = seat.page.get_by_role("region", name="The recording", exact=True)
    expect(player.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    seat.until(lambda: at(seat) > 1.25)  # it plays
    seat.press("Space")
    expect(player.get_by_role("button", name="Play", exact=True)).to_be_visible()
    video = "(() => { const video = document.querySelector('video'); return [video.currentTime, video.videoWidth]; })()"
    time, width = seat.page.evaluate(video)
    assert (time - at(seat), width) == (pytest.approx(late, abs=0.06), 480)
    assert framed(seat) == sorted([first, third])
    # Another bar leads there at once, and the address is of that moment.
    seat.page.get_by_role("link", name=re.compile(f"^{second}, 0:02")).press("Enter")
    seat.until(lambda: at(seat) == pytest.approx(2.8, abs=0.06) and framed(seat) == sorted([first, second]))
    expect(seat.page).to_have_url(re.compile(r"at=2\.[78]\d$"))
    seat.press(",", ",")
    seat.until(lambda: at(seat) == pytest.approx(2.6, abs=0.07) and framed(seat) == [first])
    assert nameless(seat.page) == []
    seat.decide("name", person=int(first.split()[1]), name="Ada")
    seat.page.evaluate("dispatchEvent(new Event('focus'))")
    seat.until(lambda: framed(seat) == ["Ada"])
    boxes = player.locator(".frame:not([hidden])").bounding_box(), player.locator("video").bounding_box()
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[1]["x"] < boxes[0]["x"] < boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"] + boxes[1]["width"] / 3
    seat.page.go_back()
    expect(seat.page.get_by_role("region", name="pair.mp4", exact=True)).to_be_visible()
    expect(player).to_have_count(0)


def test_a_call_that_begins_small_is_played_by_the_browser(seat: Seat, recorded: Recorded) -> None:
    stored_as(recorded, "talk.webm", codec="libvpx-vp9")
    with open_to_write(recorded.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE recording SET width = 2 * width, height = 2 * height")  # as large as it becomes
    talk = seat.api("/timeline")["recordings"][1]
    seat.open(f"/timeline?recording={talk['recording']}&at=3")
    seat.until(lambda: at(seat) > 2.9)
    assert seat.page.locator("video").count() == 1


def test_what_the_browser_cant_play_is_shown_frame_by_frame(seat: Seat, recorded: Recorded) -> None:
    stored_as(recorded, "talk.avi", codec="mpeg4", pixel_aspect=Fraction(4, 3))
    talk = seat.api("/timeline")["recordings"][1]
    first, second, third = (f"Person {one['person']}" for one in talk["people"])
    asked: list[str] = []
    seat.page.on("request", lambda request: asked.extend(re.findall(r"frame\?at=(.+)", request.url)))
    seat.open(f"/timeline?recording={talk['recording']}&at=3")
    player = seat.page.get_by_role("region", name="The recording", exact=True)
    expect(player.get_by_text("its frames are shown one by one")).to_be_visible()
    expect(player.get_by_role("button", name="Sound off")).to_be_hidden()
    expect(player.get_by_role("img", name="A frame of the recording")).to_have_attribute("src", re.compile(r"at=3\.\d"))
    square = "((image) => image.clientWidth / image.clientHeight)(document.querySelector('.player img'))"
    seat.until(lambda: seat.page.evaluate(square) == pytest.approx(4 / 3 * WIDTH / HEIGHT, rel=0.02))
    # It plays by itself, to the end, however few frames come in time.
    seat.until(lambda: len(asked) > 1 and player.get_by_role("button", name="Play", exact=True).is_visible())
    times = [float(time) for time in asked]
    assert times == sorted(set(times))
    assert times[0] == pytest.approx(3, abs=0.01)
    assert times[-1] == pytest.approx(3.92, abs=0.04)
    assert framed(seat) == sorted([first, second])
    player.get_by_role("slider").fill("2")
    seat.until(lambda: at(seat) == pytest.approx(2, abs=0.01) and framed(seat) == sorted([first, third]))
    player.get_by_role("slider").fill("0.5")
    seat.until(lambda: at(seat) == pytest.approx(0.5, abs=0.01) and len(framed(seat)) == 3)


# Counts what is done for the next moment on the screen.
MOMENTS = """const soon = requestAnimationFrame; window.moments = 0;
requestAnimationFrame = (run) => soon((time) => { window.moments += 1; run(time); });"""
# While the next frame is waited for, to be shown when its time comes.
SEEK = """document.querySelector(".player img").addEventListener("load", () => setTimeout(() => {
  const slider = document.querySelector(".player input");
  slider.value = 2.5;
  slider.dispatchEvent(new Event("input"));
}, 20), { once: true })"""


def test_what_is_sought_while_frames_play_is_shown_however_late_it_comes(seat: Seat, recorded: Recorded) -> None:
    stored_as(recorded, "talk.avi", codec="mpeg4")
    talk = seat.api("/timeline")["recordings"][1]
    asked: list[str] = []
    late: list[Route] = []
    seat.page.add_init_script(MOMENTS)
    seat.page.on("request", lambda request: asked.extend(re.findall(r"frame\?at=(.+)", request.url)))

    def frames(route: Route) -> None:
        if route.request.url.endswith("at=2.501"):
            late.append(route)
        else:
            route.fulfill(body=jpeg(), content_type="image/jpeg")  # in time

    seat.page.route(re.compile(r"frame\?at="), frames)
    seat.open(f"/timeline?recording={talk['recording']}&at=0")
    seat.until(lambda: len(asked) > 5)  # it plays
    seat.page.evaluate(SEEK)
    seat.until(lambda: bool(late))
    seen = "new Promise((done) => { const before = moments; setTimeout(() => done(moments - before), 300); })"
    assert seat.page.evaluate(seen) < 40  # as many as the screen shows, not as many for each frame before
    late[0].continue_()
    seat.until(lambda: asked[-1] != "2.501")
    assert all(float(time) > 2.5 for time in asked[asked.index("2.501") :])


def test_a_recording_that_is_gone_is_told_where_it_would_play(seat: Seat, recorded: Recorded) -> None:
    talk = seat.api("/timeline")["recordings"][1]
    seat.watch.refusals.add(404)
    (recorded.videos / "talk.mp4").unlink()
    seat.open(f"/timeline?recording={talk['recording']}&at=1")
    expect(seat.page.get_by_role("alert")).to_contain_text("No such file or directory. Put the file back where it was.")
    expect(seat.page.locator(".bar-time")).to_have_count(4)
    seat.open("/timeline?recording=999")
    expect(seat.page.get_by_role("heading", name="There is no such recording")).to_be_visible()


def test_a_face_leads_to_its_moment(seat: Seat) -> None:
    (face,) = seat.faces(1)[:1]
    seat.page.goto(f"{seat.watch.origin}/pictures/{face}")
    seat.dialog().get_by_role("link", name="Play", exact=True).click()
    told = seat.api(f"/faces/{face}")
    expect(seat.page).to_have_url(re.compile(rf"recording={told['recording']}&at={told['time']:.2f}$"))
    seat.until(lambda: seat.page.evaluate("document.querySelector('.player') !== null"))
