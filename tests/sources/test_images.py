from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.videos import write_video

from unmingle.errors import LabelsError, ModelError, PictureError, SourceError
from unmingle.evaluation.sheets import read_sheets
from unmingle.models.registry import checksum
from unmingle.records import Added
from unmingle.sources import images
from unmingle.sources.formats import file_digest
from unmingle.sources.regions import read_stored
from unmingle.summary import Summary, summary_lines

if TYPE_CHECKING:
    from collections.abc import Callable


def test_reading_tells_an_empty_file_from_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PictureError, match="0 bytes"):
        images.read_bytes(images.PictureFile(str(tmp_path), "empty.jpg"))
    with pytest.raises(PictureError, match="can't be opened"):
        images.read_bytes(images.PictureFile(str(tmp_path), "gone.jpg"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_waited_for_by_no_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "a.jpg"
    os.mkfifo(pipe)
    file = images.PictureFile(str(tmp_path), pipe.name)
    assert not file.is_recording
    readers: list[Callable[[], object]] = [
        lambda: images.read_bytes(file),
        lambda: file_digest(pipe),
        lambda: read_stored(pipe),
    ]
    for read in readers:
        with pytest.raises(PictureError, match="not a file"):
            read()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_waited_for_at_no_other_door(tmp_path: Path) -> None:
    for name in ("manifest.csv", "list.txt", "labels.csv", "model.onnx"):
        os.mkfifo(tmp_path / name)
    assert images.scan([tmp_path]).files == ()
    with pytest.raises(SourceError, match=r"list.txt can't be read"):
        images.scan([tmp_path / "list.txt"])
    with pytest.raises(LabelsError, match="not a file"):
        read_sheets(tmp_path / "labels.csv")
    with pytest.raises(ModelError, match="is not a file"):
        checksum(tmp_path / "model.onnx")


def test_what_is_larger_than_any_picture_is_not_read(tmp_path: Path) -> None:
    for name in ("a.jpg", "labels.csv"):
        with (tmp_path / name).open("wb") as file:
            file.write(b"\xff\xd8\xff\xe0")
            file.truncate(1 << 40)  # it takes no room on the disk
    with pytest.raises(PictureError, match="1,099,511,627,776 bytes, over 500,000,000"):
        images.read_bytes(images.PictureFile(str(tmp_path), "a.jpg"))
    with pytest.raises(LabelsError, match="over 300,000,000"):
        read_sheets(tmp_path / "labels.csv")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_scan_finds_pictures_by_their_ending_and_counts_the_rest(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "sub/c.webp", "notes.docx", ".hidden.jpg", "sub/deep/d.HEIC")
    found = images.scan([tmp_path])
    assert [file.name for file in found.files] == ["a.png", "b.JPG", "sub/c.webp", "sub/deep/d.HEIC"]
    assert found.folders == (str(tmp_path),)
    assert found.others == ((".docx", 1), ("hidden .jpg", 1))


def test_what_systems_keep_for_themselves_is_passed_over_and_told(tmp_path: Path) -> None:
    """Thumbnails and deleted pictures of network drives, as Photoview's issue 430 and PhotoPrism's 4921 have them."""
    touch(
        tmp_path,
        "a.jpg",
        "b/@eaDir/a.jpg/SYNOFILE_THUMB_M.jpg",
        "c/@eadir/x.jpg",
        "#recycle/old.jpg",
        "e/.f.jpg.icloud",
    )
    mac = "Photos Library.photoslibrary"
    touch(tmp_path, f"{mac}/originals/0/A.heic", f"{mac}/resources/derivatives/0/A_1.jpeg", "resources/mine.jpg")
    found = images.scan([tmp_path])
    assert [file.name for file in found.files] == [f"{mac}/originals/0/A.heic", "a.jpg", "resources/mine.jpg"]
    assert dict(found.others) == {"@eaDir/": 1, "@eadir/": 1, "#recycle/": 1, "resources/": 1, ".icloud": 1}
    named = images.scan([tmp_path / "#recycle", tmp_path / mac / "resources"])
    assert [file.name for file in named.files] == ["old.jpg", "derivatives/0/A_1.jpeg"]


def test_what_is_hidden_is_passed_over_and_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "._a.jpg", ".trashed-1-b.JPG", ".picasa.ini", ".thumbnails/1.jpg", ".git/2.jpg")
    found = images.scan([tmp_path])
    assert [file.name for file in found.files] == ["a.jpg"]
    assert dict(found.others) == {"hidden .jpg": 1, ".thumbnails/": 1, ".git/": 1}
    added = Added(1, 1, 0, 0, 0, 1, 0, others=found.others)
    told = "\n".join(summary_lines(added, Summary(1, 0, 0, 0, (), {}, {})))
    assert "1 other file passed over" in told
    assert "or that are hidden: 1 .git, 1 .thumbnails" in told


def test_the_moving_parts_of_pictures_are_passed_over_and_told(tmp_path: Path) -> None:
    touch(tmp_path, "IMG_1.HEIC", "IMG_2.jpg", "IMG_3.HEIC", "1F.heic", "PXL_4.MP.jpg", "IMG_5.JPG", "IMG_6.jpg")
    for name in ("IMG_1.MOV", "IMG_2_HEVC.MOV", "IMG_3.HEIC.MOV", "1F_3.mov", "PXL_4.MP", "alone.mov"):
        write_video(tmp_path / "clip.mov", 40).rename(tmp_path / name)
    write_video(tmp_path / "IMG_5.MOV", 160)
    (tmp_path / "IMG_6.mov").write_bytes(b"\0\0\0\x08wide" + b"\xff" * 50)  # how long it is can't be known
    (tmp_path / "IMG_2.mov").write_bytes(b"\0\0\0\x01free" + b"\xff" * 8)  # a box of more bytes than there are
    os.mkfifo(tmp_path / "IMG_3.mov")  # to open it would wait for ever
    (tmp_path / ".x.icloud").mkdir()
    found = images.scan([tmp_path])
    assert [file.name for file in found.files if file.is_recording] == [
        *("IMG_2.mov", "IMG_3.mov", "IMG_5.MOV", "IMG_6.mov", "alone.mov")
    ]
    assert found.others == ((images.MOVING_PARTS, 5), (".x.icloud/", 1))
    assert images.scan([tmp_path / "IMG_1.MOV"]).files[0].is_recording


def test_files_of_unknown_endings_are_found_by_their_first_bytes(tmp_path: Path) -> None:
    picture = b"\xff\xd8\xff\xe0" + b"\0" * 40
    for name in ("a.jpg_large", "noending", "b.JPE", "d.insp", "c.jpg_original", "raw.dng", "e.thm", "f.jpg.part"):
        (tmp_path / name).write_bytes(picture)
    (tmp_path / "clip.dat").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 40)
    (tmp_path / "words").write_bytes(b"just words")
    (tmp_path / "notes.md").write_bytes(b"BMI of all, by years and by sex")
    (tmp_path / "code.py").write_bytes(b"P1 = 4")
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for ever
    found = images.scan([tmp_path])
    assert [file.name for file in found.files] == ["a.jpg_large", "b.JPE", "clip.dat", "d.insp", "noending"]
    assert dict(found.others) == {"": 2, ".md": 1, ".py": 1, ".jpg_original": 1, ".dng": 1, ".thm": 1, ".part": 1}
    (tmp_path / "list.txt").write_text("raw.dng\nwords\n", encoding="utf-8")
    assert [file.name for file in images.scan([tmp_path / "list.txt"]).files] == ["raw.dng", "words"]


def test_the_small_copy_that_a_raw_picture_begins_with_is_no_picture_of_its_own(tmp_path: Path) -> None:
    for name in ("a.NEF", "b.rwl", "c.GPR", "d.tif"):
        (tmp_path / name).write_bytes(b"II*\0" + b"\0" * 40)
    assert [file.name for file in images.scan([tmp_path]).files] == ["d.tif"]


def test_raw_pictures_that_are_there_in_no_other_format_are_told(tmp_path: Path) -> None:
    both = ("IMG_1.DNG", "img_1.heic", "PXL_2.RAW-02.ORIGINAL.dng", "PXL_2.RAW-01.MP.COVER.jpg", "a.b.NEF", "a.b.jpg")
    touch(tmp_path, *both, "IMG_3.dng", "IMG_3.xmp", "x/IMG_1.DNG", "a.c.NEF", "note.txt")
    (tmp_path / "y.dng").mkdir()
    found = images.scan([tmp_path])
    assert (found.lone_raws, dict(found.others)) == (3, {".dng": 4, ".nef": 2, ".xmp": 1, ".txt": 1})
    added = Added(1, 1, 0, 0, 0, 8, 0, others=found.others, lone_raws=found.lone_raws)
    told = "\n".join(summary_lines(added, Summary(1, 0, 0, 0, (), {}, {})))
    assert "3 of these are raw pictures that are there in no other format" in told


def test_scan_finds_recordings_in_folders_by_themselves_and_in_lists(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "talk.MP4", "sub/old.avi", "code.ts", ".hidden.mp4", "out/library.sqlite", "out/clip.mp4")
    found = images.scan([tmp_path])
    assert [(file.name, file.is_recording) for file in found.files] == [
        ("a.jpg", False),
        ("sub/old.avi", True),
        ("talk.MP4", True),
    ]
    assert found.others == ((".ts", 1), ("hidden .mp4", 1))
    (tmp_path / "list.txt").write_text("sub/old.avi\n", encoding="utf-8")
    alone = images.scan([tmp_path / "talk.MP4", tmp_path / "list.txt"])
    assert [(file.name, file.is_recording) for file in alone.files] == [("talk.MP4", True), ("old.avi", True)]


def test_scan_keeps_names_with_spaces_emoji_and_newlines(tmp_path: Path) -> None:
    names = ["a b.jpg", "😀.jpg", "line\nbreak.jpg"]
    touch(tmp_path, *names)
    assert sorted(file.name for file in images.scan([tmp_path]).files) == sorted(names)


def test_a_name_that_is_no_text_can_be_read_and_shown(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (file,) = images.scan([tmp_path]).files
    assert file.name == r"caf\xe9.jpg"
    assert images.read_bytes(file) == b"x"


def test_loops_of_links_end_and_linked_folders_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "here/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "here" / "loop").symlink_to(tmp_path / "here")
    (tmp_path / "here" / "album").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "self").symlink_to(tmp_path / "here" / "self")
    names = [file.name for file in images.scan([tmp_path / "here"]).files]
    assert names == ["a.jpg", "album/b.jpg"]


def test_what_a_link_leads_to_is_called_as_it_is_without_it(tmp_path: Path) -> None:
    touch(tmp_path, "2024/a.jpg", "2024/trip/b.jpg")
    (tmp_path / "latest").symlink_to(tmp_path / "2024")
    (tmp_path / "2024" / "years").symlink_to(tmp_path)
    (tmp_path / "trip").symlink_to(tmp_path / "2024" / "trip")
    assert [file.name for file in images.scan([tmp_path]).files] == ["2024/a.jpg", "2024/trip/b.jpg"]


def test_a_library_inside_a_source_is_no_source(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "out/library.sqlite", "out/sheets/person-0001.jpg")
    assert [file.name for file in images.scan([tmp_path]).files] == ["a.jpg"]
    with pytest.raises(SourceError, match="a library's own folder"):
        images.scan([tmp_path / "out"])


def test_a_picture_that_is_called_nearly_as_a_library_is_read(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite_1.jpg").write_bytes(b"content")
    (file,) = images.scan([tmp_path]).files
    assert images.read_bytes(file) == b"content"


def test_folder_that_is_called_like_a_library_is_none(tmp_path: Path) -> None:
    touch(tmp_path, "library.sqlite/a.jpg")
    assert [file.name for file in images.scan([tmp_path]).files] == ["library.sqlite/a.jpg"]


def test_single_files_and_lists_are_sources(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "x/b.jpg", "y/c.jpg", "y/d.jpg")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "list.txt").write_text(f'x/b.jpg\n\n"{tmp_path / "y"}"\n', encoding=encoding)
        found = images.scan([tmp_path / "x" / "a.jpg", tmp_path / "list.txt"])
        assert [file.name for file in found.files] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
        assert found.folders == (str(tmp_path / "y"),)


@pytest.mark.parametrize(
    ("name", "problem"), [("missing", "no"), ("loop.txt", "another list"), ("print0.txt", "read as a list")]
)
def test_a_source_that_cannot_be_read_is_a_clear_error(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "loop.txt").write_text("loop.txt\n", encoding="utf-8")
    (tmp_path / "print0.txt").write_bytes(b"a.jpg\0b.jpg\0")
    with pytest.raises(SourceError, match=problem) as caught:
        images.scan([tmp_path / name])
    assert caught.value.mend


def test_a_folder_without_permission_is_named_and_the_rest_is_read(
    open_folder: Path, request: pytest.FixtureRequest
) -> None:
    touch(open_folder, "a.jpg", "locked/b.jpg")
    (open_folder / "locked").chmod(0)
    request.getfixturevalue("ordinary_user")
    files = images.scan([open_folder]).files
    assert [(file.name, bool(file.problem)) for file in files] == [("a.jpg", False), ("locked", True)]
    with pytest.raises(PictureError, match="Permission denied"):
        images.read_bytes(files[1])
    with pytest.raises(SourceError, match="Permission denied"):
        images.scan([open_folder / "locked"])


def test_what_was_said_in_a_meeting_is_no_list_of_paths(tmp_path: Path) -> None:
    touch(tmp_path, "talk.mp4")
    (tmp_path / "chat.txt").write_text(
        "10:01:02\t Ada: hello\n10:02:02\t Ben: see notes.txt\n10:03:00\t Ada: a/b.jpg\n"
    )
    said, talk = images.scan(sorted(tmp_path.iterdir())).files
    assert (said.name, said.problem) == (
        "chat.txt",
        "no list of paths: none of its 3 lines is one of a file that is there",
    )
    assert (talk.name, talk.problem) == ("talk.mp4", "")


@pytest.mark.parametrize("lines", ["old/a.jpg\nold/b.jpg\n", "/disk/2019\n/disk/2020\n"])
def test_a_list_of_what_is_gone_is_a_list_of_paths(lines: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(lines)
    files = images.scan([tmp_path / "list.txt"]).files
    assert [str(file.path) for file in files] == [str(tmp_path / line) for line in lines.split()]


def test_line_of_a_list_that_leads_nowhere_is_a_row(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "list.txt").write_text(f"a.jpg\ngone.jpg\n{'x' * 300}.jpg\n", encoding="utf-8")
    files = images.scan([tmp_path / "list.txt"]).files
    assert [(file.name[:4], bool(file.problem)) for file in files] == [("a.jp", False), ("gone", True), ("xxxx", True)]
