import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmingle.demo.cast import CAST
from unmingle.demo.meeting import Crop, Meeting, draw, draw_meeting, draw_photograph, plan_meeting
from unmingle.demo.people import SCENES, Look, Scene
from unmingle.errors import SettingsError, SourceError
from unmingle.faces.detect import find_faces
from unmingle.models.runtime import Session
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings
from unmingle.sources.names import NameParts, parse_name


@pytest.fixture(scope="module")
def yunet() -> Session:
    return open_yunet(precision="f32", threads=1)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    return draw_meeting(tmp_path_factory.mktemp("meeting"), people=4, frames=20, size=64)


def parts_of(crop: Crop) -> NameParts:
    parts = parse_name(crop.name)
    assert parts is not None
    return parts


def cells_of(workbook: Path) -> list[tuple[object, ...]]:
    """All cells of the sheet as they lie, empty rows and columns too."""
    import fastexcel

    sheet = fastexcel.read_excel(str(workbook)).load_sheet(0, header_row=None, skip_whitespace_tail_rows=False)
    rows: list[tuple[object, ...]] = sheet.to_polars().rows()
    return rows


def test_each_crop_is_a_picture_on_disk(drawn: Meeting) -> None:
    assert sorted(path.name for path in drawn.faces.iterdir()) == sorted(crop.name for crop in drawn.crops)
    for crop in drawn.crops:
        picture = cv2.imread(str(drawn.faces / crop.name))
        assert picture is not None
        assert picture.shape == (64, 64, 3)


def test_the_workbook_has_the_seeds_columns(drawn: Meeting) -> None:
    header = cells_of(drawn.labels)[0]
    assert header[-4:] == ("No", "File Name", "ID", "Mask")
    assert header[:-4] in ((), (None,))  # the empty first column, where the reader keeps it


def test_the_workbook_says_the_truth_but_for_its_dirt(drawn: Meeting) -> None:
    rows = [row[-4:] for row in cells_of(drawn.labels)[1:]]
    filled = [row for row in rows if row[1] is not None]
    assert [int(str(row[0])) for row in filled] == list(range(1, len(filled) + 1))
    told = {str(name): (int(str(person)), mask) for _, name, person, mask in filled}
    truth = {crop.name: (crop.person, "Y" if crop.look.mask else "N") for crop in drawn.crops}
    assert {name: told[name] for name in truth.keys() & told.keys()} == {
        name: label for name, label in truth.items() if name not in drawn.unlisted
    }
    assert sorted(told.keys() - truth.keys()) == sorted(drawn.missing)
    assert drawn.missing
    assert drawn.unlisted
    assert len(rows) > len(filled)  # empty rows between
    names = [str(row[1]) for row in filled]
    assert names != sorted(names)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (
        draw_meeting(tmp_path / name, people=2, frames=2, size=64, seed=seed)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first.labels.read_bytes() == second.labels.read_bytes()
    for path in first.faces.iterdir():
        assert path.read_bytes() == (second.faces / path.name).read_bytes()
    assert first.labels.read_bytes() != other.labels.read_bytes()


def test_drawing_again_into_the_same_folder_is_fine(tmp_path: Path) -> None:
    first, second = (draw_meeting(tmp_path, people=1, frames=1, size=64) for _ in range(2))
    assert first == second


def test_the_pictures_pass_through_the_callers_progress(tmp_path: Path) -> None:
    seen: list[Crop] = []

    def track(crops: Sequence[Crop]) -> Iterable[Crop]:
        for crop in crops:
            seen.append(crop)
            yield crop

    drawn = draw_meeting(tmp_path, people=1, frames=2, size=64, track=track)
    assert tuple(seen) == drawn.crops


@given(people=st.integers(1, len(CAST)), frames=st.integers(1, 40), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_a_plan_is_a_meeting(people: int, frames: int, seed: int) -> None:
    crops = plan_meeting(people=people, frames=frames, seed=seed)
    assert len({crop.name for crop in crops}) == len(crops)
    assert {crop.person for crop in crops} - {0} == set(range(1, people + 1))
    by_frame = itertools.groupby(crops, key=lambda crop: (parts_of(crop).meeting, parts_of(crop).frame))
    for _, group in by_frame:
        together = list(group)
        assert [parts_of(crop).index for crop in together] == list(range(len(together)))
        assert len({crop.person for crop in together}) == len(together)


def test_the_usual_meeting_has_everything_in_it() -> None:
    crops = plan_meeting()
    pictures = [sum(crop.person == person for crop in crops) for person in range(13)]
    assert pictures[0] == 8
    assert all(18 <= count <= 20 for count in pictures[1:])
    assert min(pictures[1:]) < 20  # someone leaves
    assert 8 <= sum(crop.look.mask for crop in crops) <= 24
    assert not any(crop.look.mask for crop in crops if crop.person == 0)
    assert len({parts_of(crop).meeting for crop in crops}) == 2


@pytest.mark.parametrize("scene", SCENES)
def test_no_face_is_found_in_an_empty_room(yunet: Session, scene: Scene) -> None:
    rooms = [draw(Crop("", 0, Look(background=scene, background_seed=seed)), 256) for seed in range(6)]
    assert [len(found.faces) for found in find_faces(yunet, rooms, DetectionSettings())] == [0] * 6


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"people": 0}, "0 people"),
        ({"people": 99}, "99 people"),
        ({"frames": 0}, "0 frames"),
        ({"size": 10}, "10 pixels"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        draw_meeting(tmp_path, **wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(SourceError, match=r"holiday\.jpg"):
        draw_meeting(tmp_path, people=1, frames=1, size=64)
    assert [path.name for path in (tmp_path / "faces").iterdir()] == ["holiday.jpg"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SourceError, match="can't be made"):
        draw_meeting(tmp_path / "taken", people=1, frames=1, size=64)


@pytest.mark.parametrize("seed", range(3))
def test_every_face_of_a_photograph_is_found_in_its_box(yunet: Session, seed: int) -> None:
    photograph = draw_photograph(CAST[:6], width=1200, height=420, seed=seed)
    assert photograph.picture.shape == (420, 1200, 3)
    assert photograph.people == CAST[:6]
    faces = find_faces(yunet, [photograph.picture], DetectionSettings(crops="never"))[0].faces
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    inside = [np.all((centres > box[:2]) & (centres < box[:2] + box[2:]), axis=1).sum() for box in photograph.boxes]
    assert inside == [1] * 6
    assert len(faces) == 6
    assert photograph.boxes[:, 3].max() > 1.2 * photograph.boxes[:, 3].min()  # some near, some far


def test_a_photograph_without_room_is_refused() -> None:
    with pytest.raises(SettingsError, match="no room"):
        draw_photograph(CAST, width=400, height=400)
