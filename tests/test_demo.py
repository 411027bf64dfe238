import io
import itertools
from pathlib import Path

import pytest
from PIL import Image

from unmingle.demo import FRAMES, PEOPLE, Crop, Meeting, plan_meeting, write_meeting
from unmingle.errors import SettingsError, SourceError
from unmingle.faces.detect import find_faces
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.names import NameParts, parse_name


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    return write_meeting(tmp_path_factory.mktemp("meeting"), people=4)


def parts_of(crop: Crop) -> NameParts:
    parts = parse_name(crop.name)
    assert parts is not None
    return parts


def cells_of(workbook: Path) -> list[tuple[object, ...]]:
    """All cells of the sheet as they lie, empty rows and columns too."""
    import fastexcel

    sheet = fastexcel.read_excel(str(workbook)).load_sheet(0, header_row=None)
    rows: list[tuple[object, ...]] = sheet.to_polars().rows()
    return rows


def test_each_crop_is_a_picture_on_disk(written: Meeting) -> None:
    assert sorted(path.name for path in written.faces.iterdir()) == sorted(crop.name for crop in written.crops)
    for path in written.faces.iterdir():
        with Image.open(io.BytesIO(path.read_bytes())) as picture:
            assert picture.size == (152, 152)


def test_workbook_has_the_seeds_columns(written: Meeting) -> None:
    header = cells_of(written.labels)[0]
    assert header[-4:] == ("No", "File Name", "ID", "Mask")
    assert header[:-4] in ((), (None,))  # the empty first column, where the reader keeps it


def test_workbook_says_the_truth_but_for_its_dirt(written: Meeting) -> None:
    rows = [row[-4:] for row in cells_of(written.labels)[1:]]
    filled = [row for row in rows if row[1] is not None]
    assert [int(str(row[0])) for row in filled] == list(range(1, len(filled) + 1))
    told = {str(name): (int(str(person)), mask) for _, name, person, mask in filled}
    truth = {crop.name: (crop.person, "Y" if crop.masked else "N") for crop in written.crops}
    listed = truth.keys() & told.keys()
    assert {name: told[name] for name in listed} == {name: truth[name] for name in listed}
    assert len(told.keys() - truth.keys()) == 3  # rows without a file
    assert 0 < len(truth.keys() - told.keys()) <= len(truth) // 40  # files without a row
    assert len(rows) > len(filled)  # empty rows between
    names = [str(row[1]) for row in filled]
    assert names != sorted(names)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_meeting(tmp_path / name, people=2, frames=2) for name in ("a", "b"))
    assert first.labels.read_bytes() == second.labels.read_bytes()
    assert write_meeting(tmp_path / "a", people=2, frames=2) == first  # into the same folder once more


@pytest.mark.parametrize(("people", "frames"), list(itertools.product((1, 5, PEOPLE), (1, 2, 7, FRAMES))))
def test_plan_is_a_meeting(people: int, frames: int) -> None:
    crops = plan_meeting(people=people, frames=frames)
    assert len({crop.name for crop in crops}) == len(crops)
    assert {crop.person for crop in crops} - {0} == set(range(1, people + 1))
    groups = [
        list(group)
        for _, group in itertools.groupby(crops, key=lambda crop: (parts_of(crop).meeting, parts_of(crop).frame))
    ]
    assert len(groups) == frames
    for together in groups:
        assert [parts_of(crop).index for crop in together] == list(range(len(together)))
        assert len({crop.person for crop in together}) == len(together)


def test_the_usual_meeting_has_everything_in_it() -> None:
    crops = plan_meeting()
    seen = [sum(crop.person == person for crop in crops) for person in range(PEOPLE + 1)]
    assert seen[0] == 8
    assert all(18 <= count <= 20 for count in seen[1:])
    assert min(seen[1:]) < 20  # someone leaves
    assert 8 <= sum(crop.masked for crop in crops) <= 24
    assert not any(crop.masked for crop in crops if crop.person == 0)
    assert len({parts_of(crop).meeting for crop in crops}) == 2


def test_no_face_is_found_in_an_empty_room() -> None:
    rooms = [decode(crop.jpeg) for crop in plan_meeting() if not crop.person]
    found = find_faces(open_yunet(EngineSettings(precision="f32", threads=1)), rooms, DetectionSettings())
    assert [len(one.faces) for one in found] == [0] * len(rooms)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [({"people": 0}, "0 people"), ({"people": 99}, "99 people"), ({"frames": 0}, "0 frames"), ({"frames": 21}, "21")],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        write_meeting(tmp_path, **wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_folder_with_other_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(SourceError, match=r"holiday\.jpg"):
        write_meeting(tmp_path, people=1, frames=1)
    assert [path.name for path in (tmp_path / "faces").iterdir()] == ["holiday.jpg"]


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SourceError, match="can't be made"):
        write_meeting(tmp_path / "taken", people=1, frames=1)
