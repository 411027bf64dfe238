import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import SettingsError
from unmingle.sources.names import NameParts, parse_name


def test_the_name_of_a_face_cut_from_a_meeting() -> None:
    assert parse_name("a6a476a3-f954_00000290_3.jpg") == NameParts("a6a476a3-f954", 290, 3)


@pytest.mark.parametrize("folder", ["", "faces/", "C:\\cut\\", "a_0001_1.d/"])
def test_folders_before_the_name_do_not_matter(folder: str) -> None:
    assert parse_name(f"{folder}weekly_0001_12.png") == NameParts("weekly", 1, 12)


def test_the_meeting_may_hold_anything() -> None:
    assert parse_name("été 2 📷\n_x_000123_0.jpeg") == NameParts("été 2 📷\n_x", 123, 0)


@pytest.mark.parametrize(
    "file",
    ["", "a.jpg", "John_0001.jpg", "a_001_1.jpg", "a_0001_1234.jpg", "_0001_1.jpg", "a_٠٠٠١_1.jpg", "a_0001_1 (2).jpg"],
)
def test_other_names_are_none(file: str) -> None:
    assert parse_name(file) is None


def test_a_pattern_of_ones_own() -> None:
    pattern = r"f(?P<frame>\w+)-(?P<index>\d+)@(?P<meeting>\w+)"
    assert parse_name("f12-7@board.png", pattern=pattern) == NameParts("board", 12, 7)
    assert parse_name("fxx-7@board.png", pattern=pattern) is None
    assert parse_name("weekly_0001_1.jpg", pattern=pattern) is None


def test_a_pattern_must_name_its_groups() -> None:
    with pytest.raises(SettingsError, match="no group frame, index"):
        parse_name("a.jpg", pattern=r"(?P<meeting>.+)")
    with pytest.raises(SettingsError, match="not a regular expression"):
        parse_name("a.jpg", pattern="(")


@given(
    meeting=st.text(st.characters(exclude_characters="/\\", exclude_categories=["Cs"]), min_size=1),
    frame=st.integers(0, 10**8),
    index=st.integers(0, 999),
)
def test_what_was_written_is_read(meeting: str, frame: int, index: int) -> None:
    assert parse_name(f"{meeting}_{frame:08d}_{index}.jpg") == NameParts(meeting, frame, index)
