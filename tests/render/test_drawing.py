from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unmingle.render import drawing
from unmingle.render.drawing import (
    COLUMNS,
    EDGE,
    GAP,
    HEAD,
    TILE,
    as_jpeg,
    contact_sheet,
    fit,
    overview,
    text_width,
    timeline,
)


def jpeg(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (TILE, TILE), colour).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_every_face_is_on_the_sheet_in_its_place() -> None:
    page = contact_sheet([jpeg("red"), jpeg("blue"), jpeg("green")], title="Ada", note="3 faces")
    colours = []
    for i in range(3):
        place = (EDGE + i * (TILE + GAP) + TILE // 2, EDGE + HEAD + TILE // 2)
        pixel = page.getpixel(place)
        assert isinstance(pixel, tuple)
        colours.append(int(np.argmax(pixel)))
    assert colours == [0, 2, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 10, 37, 100])
def test_a_page_fits_its_faces(count: int) -> None:
    page = contact_sheet([jpeg("red")] * count, title="x" * 90, note="a long note " * 9)
    reds = (np.asarray(page)[..., 0] > 200) & (np.asarray(page)[..., 1] < 60)
    assert abs(reds.sum() - count * TILE * TILE) < 0.02 * count * TILE * TILE + 1
    assert page.width <= 2 * EDGE + max(COLUMNS * (TILE + GAP), page.width - 2 * EDGE)


@pytest.mark.parametrize("people", [0, 1, 7, 100])
def test_the_overview_holds_everyone(people: int) -> None:
    cards = [(f"Person {i}", "9 faces", (jpeg("red"),) * 3) for i in range(people)]
    page = overview(cards, title=f"{people} people", note="largest first")
    reds = (np.asarray(page)[..., 0] > 200) & (np.asarray(page)[..., 1] < 60)
    assert abs(reds.sum() - people * 3 * TILE * TILE) <= 0.02 * people * 3 * TILE * TILE


@pytest.mark.parametrize("name", ["Zoë Åström", "李小龍", "two\nlines", "😀", ""])
def test_any_name_can_be_written(name: str) -> None:
    with Image.open(io.BytesIO(as_jpeg(contact_sheet([jpeg("red")], title=name, note=name)))) as page:
        assert page.format == "JPEG"


@pytest.mark.parametrize("name", ["Zoë Åström", "Αθηνά", "Жанна", "שרה", "ليلى", "ქეთი"])
def test_the_alphabets_of_a_name_need_no_font_of_the_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_machine_fonts", tuple)
    assert {drawing._font_of(sign, False) for sign in name} == {drawing._own_font(bold=False)}
    assert all(drawing._has(drawing._own_font(bold), sign) for sign in name for bold in (False, True))


@pytest.mark.skipif(sys.platform != "linux", reason="fonts lie elsewhere")
def test_signs_that_the_own_font_lacks_are_drawn_with_one_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = drawing._own_font(bold=False)
    assert not drawing._has(own, "李")
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "meiryo.ttc").write_bytes(Path(own).read_bytes())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    drawing._machine_fonts.cache_clear()
    assert str(tmp_path / "fonts" / "meiryo.ttc") in drawing._machine_fonts()
    drawing._machine_fonts.cache_clear()


def test_a_text_is_measured_as_it_is_drawn() -> None:
    wide, narrow = (fit(sign * 100, 120, 11) for sign in "Wi")
    assert 5 < len(wide) < len(narrow) < 100
    assert text_width(wide, 11) <= 120
    assert fit("short", 120, 11, bold=True) == "short"
    assert fit("W" * 9, 1, 11, bold=True) == "…"


def test_a_recording_without_anybody_and_without_length_has_a_timeline() -> None:
    assert timeline([], 0, title="empty.mp4").width > 1000
