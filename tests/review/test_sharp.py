"""Faces that are shown larger than they are stored: cut out of their pictures, as long as these are there."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from playwright.sync_api import expect
from tests.made_library import Shot, jpeg, library, take
from tests.review.browser import PATIENCE, TOKEN, Seat
from tests.review.conftest import ORIGIN, Browser

from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.sources.decoding import open_pyramid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.sources.pyramid import Pyramid

expect.set_options(timeout=PATIENCE * 1000)

WIDTH = "images => images.map((image) => image.naturalWidth)"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Photographs of two people, of whom the first is near and the second far away."""
    shots = [Shot(f"{n}.png", (0, 1), [(300, 100, 300, 380), (800, 300, 40, 50)], size=(1200, 900)) for n in range(5)]
    take(tmp_path / "pictures", shots)
    library(tmp_path / "library", tmp_path / "pictures", shots)
    return tmp_path / "pictures"


@pytest.fixture
def library_folder(pictures: Path) -> Path:
    """A library of them; the stored faces are grey."""
    return pictures.parent / "library"


@pytest.fixture
def seen(library_folder: Path) -> Iterator[Browser]:
    """Somebody who looks at it."""
    with TestClient(create_app(library_folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        yield Browser(client)


def faces(browser: Browser) -> tuple[list[int], list[int]]:
    """Those near, and those far away."""
    found = [browser.get(f"/api/people/{person}/faces")["faces"] for person in (1, 2)]
    one, other = ([face["face"] for face in those] for those in found)
    return (one, other) if browser.get(f"/api/faces/{one[0]}")["box"][2] == 300 else (other, one)


def cut(browser: Browser, face: int, side: int) -> Image.Image:
    answer = browser.client.get(f"/api/faces/{face}/thumbnail", params={"side": side})
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


def test_a_face_comes_from_its_picture_in_the_size_that_is_asked_for(seen: Browser) -> None:
    near, far = faces(seen)
    for side, came in ((256, 256), (512, 512), (1024, 570), (112, 112), (1, 112)):  # no more than there is: 1.5 × 380
        with cut(seen, near[0], side) as picture:
            assert picture.size == (came, came)
            red, green, blue = picture.convert("RGB").getpixel((came // 2, came // 2))  # type: ignore[misc]
            assert (abs(int(blue) - 90) < 4, abs(int(red) - int(green)) > 100) == ((side > 112), False)
    stored = seen.client.get(f"/api/faces/{far[0]}/thumbnail", params={"side": 512})
    assert stored.content == jpeg()
    assert seen.client.get("/api/faces/9999/thumbnail", params={"side": 512}).status_code == 404
    assert seen.client.get(f"/api/faces/{near[0]}/thumbnail", params={"side": 1025}).status_code == 422


def test_what_is_gone_or_changed_is_shown_as_it_was_stored(seen: Browser, pictures: Path) -> None:
    near, _ = faces(seen)
    file = pictures / seen.get(f"/api/faces/{near[0]}")["file"]
    shutil.copyfile(next(path for path in sorted(pictures.iterdir()) if path != file), file)
    address = f"/api/faces/{near[0]}/thumbnail?side=512"
    assert seen.client.get(address).content == jpeg()
    file.unlink()
    assert seen.client.get(address).content == jpeg()


def test_a_picture_is_read_once_for_a_size(seen: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    near, _ = faces(seen)
    read: list[bytes] = []

    def counted(content: bytes, *, half: bool) -> Pyramid:
        read.append(content)
        return open_pyramid(content, half=half)

    monkeypatch.setattr("unmingle.review.session.open_pyramid", counted)
    for side in (256, 256, 512, 256):
        cut(seen, near[0], side).close()
    assert len(read) == 2
    seen.post("/api/erase", {"person": seen.get(f"/api/faces/{near[0]}")["person"]})
    assert seen.client.get(f"/api/faces/{near[0]}/thumbnail?side=256").status_code == 404


def test_large_faces_on_the_page_become_sharp(seat: Seat) -> None:
    seat.open()
    covers = seat.page.locator(".covers .thumb:first-child[data-ready=yes]")
    expect(covers).to_have_count(2)
    seat.until(lambda: sorted(covers.evaluate_all(WIDTH)) == [112, 320])
    small = seat.page.locator(".covers .thumb:not(:first-child)[data-ready=yes]")
    assert set(small.evaluate_all(WIDTH)) == {112}


def test_the_whole_picture_is_there_while_space_is_held(seat: Seat) -> None:
    seat.open("/people/1")
    seat.cells().nth(1).focus()
    whole = seat.page.get_by_role("img", name="The whole picture")
    seat.page.keyboard.down("Space")
    expect(whole).to_be_visible()
    seat.until(lambda: whole.evaluate("image => image.naturalWidth") == 1200)
    expect(seat.page.locator(".peek .frame")).to_be_visible()
    seat.page.keyboard.up("Space")
    expect(whole).to_have_count(0)
    expect(seat.page.get_by_role("toolbar")).to_have_count(0)  # nothing was selected by it
    seat.press("Space")
    expect(seat.page.get_by_role("toolbar")).to_contain_text("1 face selected")
    expect(whole).to_have_count(0)
