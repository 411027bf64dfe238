"""A picture is what it shows: faces, names and corrections stay when its file changes, moves, or is reached anew."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
import polars as pl
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.command import Command
from tests.videos import write_video

import unmingle
from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.errors import SettingsError, SourceError
from unmingle.review.session import PictureReader
from unmingle.sources.decoding import pixel_digest
from unmingle.sources.recordings import Recording
from unmingle.store.face_query import original
from unmingle.store.sqlite import open_to_read
from unmingle.summary import summary_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmingle.api import Library
    from unmingle.records import U8, Added

PEOPLE, LOOKS = 2, 4


@dataclass
class Album:
    """Drawn people in a folder, sorted, named and corrected; before: what the tables said then."""

    folder: Path
    before: pl.DataFrame

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    @property
    def library(self) -> Library:
        return unmingle.open(self.folder / "library")

    def again(self, *sources: Path) -> Added:
        """Add and group; the tables."""
        library = self.library
        added = library.add(*(sources or (self.pictures,)))
        library.cluster()
        return added

    def is_as_before(self) -> bool:
        return told(self.library).equals(self.before)

    def each(self, change: Callable[[Path], None]) -> None:
        for file in sorted(self.pictures.rglob("*.png")):
            change(file)


def told(library: Library) -> pl.DataFrame:
    """What is said of each file, wherever it lies; boxes left out."""
    return library.faces.select("file", "person", "name", "status").sort("file")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "pictures").mkdir()
    for person in range(PEOPLE):
        for look in range(LOOKS):
            drawn = render(Person.from_seed(CAST[person]), Look.from_seed(10 * person + look), 240)
            Image.fromarray(drawn).save(folder / "pictures" / f"{'ab'[person]}{look}.png")
    library = unmingle.open(folder / "library")
    library.add(folder / "pictures")
    library.cluster()
    faces = dict(library.faces.select("file", "person").iter_rows())
    library.name(faces["a0.png"], "Ada")
    library.not_a_face(["b0.png"])
    library.reject(["a3.png"], "Ada")
    library.name(faces["b1.png"], "Bob")
    library.undo()
    library.redo()
    library.cluster()
    return folder


@pytest.fixture
def album(made: Path, tmp_path: Path) -> Album:
    folder = tmp_path / "album"
    shutil.copytree(made, folder)
    library = unmingle.open(folder / "library")
    assert library.relocate(made / "pictures", folder / "pictures") == PEOPLE * LOOKS
    before = told(library)
    assert set(before["name"].drop_nulls()) == {"Ada", "Bob"}
    assert "not_a_face" in set(before["status"])
    return Album(folder, before)


def of_before(folder: Path) -> None:
    """Make a library what the version before would have left."""
    with closing(sqlite3.connect(folder / "library.sqlite")) as connection, connection:
        connection.executescript("UPDATE file SET bytes = '', former = NULL; DELETE FROM shown;")
    connection.close()


def rate(file: Path) -> None:
    """Write metadata into a picture, and nothing else."""
    note = PngInfo()
    note.add_text("Rating", "5")
    with Image.open(file) as picture:
        picture.load()
        picture.save(file, pnginfo=note)


def smaller(file: Path) -> None:
    with Image.open(file) as picture:
        picture.resize((180, 180), Image.Resampling.LANCZOS).save(file)


def turned(file: Path) -> None:
    with Image.open(file) as picture:
        picture.transpose(Image.Transpose.ROTATE_90).save(file)


def mirrored(file: Path) -> None:
    with Image.open(file) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(file)


def cut(file: Path) -> None:
    with Image.open(file) as picture:
        picture.crop((20, 20, 240, 240)).save(file)


@pytest.mark.parametrize("older", [False, True])
def test_a_rating_changes_nothing(album: Album, older: bool) -> None:
    if older:
        of_before(album.folder / "library")
    album.each(rate)
    added = album.again()
    assert (added.analysed, added.changed, added.copies) == (0, PEOPLE * LOOKS, 0)
    assert album.is_as_before()
    with open_to_read(album.folder / "library") as store:
        face = album.library.find_face("a0.png").id
        where = original(store, face)
        assert where is not None
        assert PictureReader().read(where.files[0], where).shape == (240, 240, 3)
    assert "8 changed but showing the same picture" in summary_lines(added, album.library.cluster())[0]
    assert album.again().known == PEOPLE * LOOKS


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("change", [smaller, turned, mirrored, cut])
def test_what_was_said_goes_on_in_pictures_that_were_saved_again(
    album: Album, change: Callable[[Path], None], older: bool
) -> None:
    if older:
        of_before(album.folder / "library")
    album.each(change)
    added = album.again()
    assert (added.analysed, added.carried, added.lost) == (PEOPLE * LOOKS, PEOPLE * LOOKS, 0)
    assert album.is_as_before()
    library = album.library
    library.undo()  # the name of Bob
    assert set(library.faces["name"].drop_nulls()) == {"Ada", ""}
    library.redo()
    assert album.is_as_before()


def converted(file: Path) -> None:
    """Save it in another format, with loss, and by another ending."""
    with Image.open(file) as picture:
        picture.save(file.with_suffix(".webp"), quality=70)
    file.unlink()


@pytest.mark.parametrize("stopped", [False, True])
def test_what_was_said_goes_on_in_pictures_of_another_format(
    album: Album, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(album.pictures, album.folder / "backup")
    album.each(converted)
    if stopped:  # after the pictures were analysed
        with monkeypatch.context() as patch:
            patch.setattr("unmingle.ingest.take_places", None)
            with pytest.raises(TypeError):
                album.again()
    added = album.again()
    assert (added.carried, added.lost, added.gone) == (PEOPLE * LOOKS, 0, 0)
    assert told(album.library).with_columns(pl.col("file").str.replace("webp", "png")).equals(album.before)
    shutil.rmtree(album.pictures)
    (album.folder / "backup").rename(album.pictures)
    assert album.again().carried == PEOPLE * LOOKS
    assert album.is_as_before()


def test_a_journal_of_before_does_not_take_decisions_back_to_pictures_that_were_saved_again(album: Album) -> None:
    journal = album.folder / "library" / "decisions.jsonl"
    before = journal.read_bytes()
    album.each(smaller)
    album.again()
    journal.write_bytes(before)  # from a backup
    library = album.library
    assert not library.check(repair=True).faults
    library.cluster()
    assert album.is_as_before()


def test_a_copy_that_was_there_before_takes_no_place(album: Album) -> None:
    """Not even where an earlier version did not note what was grouped."""
    with Image.open(album.pictures / "a1.png") as picture:
        picture.save(album.pictures / "copy.webp", quality=70)
    album.again()
    copy = album.library.find_face("copy.webp").id
    (album.pictures / "a1.png").unlink()
    with closing(sqlite3.connect(album.folder / "library" / "library.sqlite")) as connection, connection:
        connection.execute("DELETE FROM grouped")
    added = album.again()
    assert (added.carried, added.gone, album.library.find_face("copy.webp").id) == (0, 1, copy)


def test_what_was_saved_again_and_put_back_is_as_it_was(album: Album) -> None:
    shutil.copytree(album.pictures, album.folder / "backup")
    album.each(smaller)
    album.again()
    shutil.rmtree(album.pictures)
    (album.folder / "backup").rename(album.pictures)
    album.again()
    assert album.is_as_before()


def test_decisions_stay_with_a_copy_of_what_was_changed(album: Album) -> None:
    shutil.copy(album.pictures / "b0.png", album.pictures / "copy.png")
    album.again()
    smaller(album.pictures / "b0.png")
    album.again()
    statuses = dict(album.library.faces.select("file", "status").iter_rows())
    assert statuses["copy.png"] == "not_a_face"
    (album.pictures / "copy.png").unlink()
    album.again()
    assert album.is_as_before()


def test_decisions_about_a_picture_that_was_replaced_are_told_of(album: Album) -> None:
    drawn = render(Person.from_seed(CAST[5]), Look.from_seed(77), 240)
    Image.fromarray(drawn).save(album.pictures / "b0.png")
    added = album.again()
    assert (added.carried, added.lost) == (0, 1)
    assert any("1 face that was decided about" in line for line in summary_lines(added, album.library.cluster()))
    assert album.again().lost == 0


def test_what_has_no_face_takes_another_s_place_and_gives_it_back(album: Album) -> None:
    file = album.pictures / "b0.png"
    for grey in (90, 160):
        Image.new("RGB", (240, 240), (grey, grey, grey)).save(file)
        assert album.again().carried == 0
    assert "b0.png" in album.library.faces.filter(pl.col("status") == "not_a_face")["file"].to_list()
    Image.fromarray(render(Person.from_seed(CAST[5]), Look.from_seed(77), 240)).save(file)
    assert album.again().analysed == 1


def test_a_picture_that_was_cut_short_for_a_while_loses_nothing(album: Album) -> None:
    file = album.pictures / "b0.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:200])
    assert album.again().unreadable == 1
    file.write_bytes(whole)
    smaller(file)
    album.again()
    assert album.is_as_before()


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("change", [None, rate])
def test_a_renamed_folder_counts_once(album: Album, change: Callable[[Path], None] | None, older: bool) -> None:
    if older:
        of_before(album.folder / "library")
    if change is not None:
        album.each(change)
    new = album.folder / "photographs"
    album.pictures.rename(new)
    added = album.again(new)
    assert (added.files, added.analysed, added.moved, added.gone) == (8, 0, 8, 0)
    assert album.is_as_before()
    assert set(album.library.faces["source"]) == {str(new)}
    assert not added.out_of_reach


def test_what_was_not_moved_with_a_folder_is_gone(album: Album) -> None:
    new = album.folder / "photographs"
    album.pictures.rename(new)
    kept = (new / "a3.png").read_bytes()
    (new / "a3.png").unlink()
    added = album.again(new)
    assert (added.moved, added.gone) == (7, 1)
    assert album.library.faces.height == 7
    (new / "later.png").write_bytes(kept)
    assert album.again(new).moved == 1
    assert album.library.faces.height == 8


def test_files_that_are_moved_between_sources_count_once(album: Album) -> None:
    other = album.folder / "other"
    other.mkdir()
    (album.pictures / "a0.png").rename(other / "x.png")
    added = album.again(other)  # the first source is not even looked at
    assert (added.moved, added.gone) == (1, 0)
    faces = album.library.faces
    assert faces.height == 8
    assert faces.filter(pl.col("file") == "x.png")["name"].to_list() == ["Ada"]


def test_files_that_are_gone_are_in_no_table_whichever_source_is_added(album: Album) -> None:
    other = album.folder / "other"
    other.mkdir()
    shutil.copy(album.pictures / "a1.png", other)
    (album.pictures / "a0.png").unlink()
    assert album.again(other).gone == 1
    assert album.again(other).gone == 0  # which was told
    library = album.library
    assert "a0.png" not in set(library.faces["file"])
    assert "a0.png" not in (library.folder / "faces.csv").read_text(encoding="utf-8")
    exported = album.library.export("json", album.folder / "tables")
    assert exported.written
    assert "a0.png" not in (album.folder / "tables" / "faces.json").read_text(encoding="utf-8")


def test_pictures_on_a_disk_that_was_taken_out_are_kept_and_told_of(album: Album) -> None:
    away, other = album.folder / "away", album.folder / "other"
    album.pictures.rename(away)
    other.mkdir()
    shutil.copy(away / "a1.png", other)
    added = album.again(other)
    assert added.out_of_reach == (str(album.pictures),)
    assert any("unmingle relocate" in line for line in summary_lines(added, album.library.cluster()))
    assert {"Ada", "Bob"} <= set(album.library.people["name"])
    album.pictures.mkdir()  # where a disk would be put in
    assert album.again(other).out_of_reach == (str(album.pictures),)
    assert album.library.add().gone == 0  # which looks into all that is remembered, and there is nothing in it
    album.pictures.rmdir()
    away.rename(album.pictures)
    shutil.rmtree(other)
    album.again()
    assert album.is_as_before()


@pytest.mark.parametrize("order", ["child first", "parent first", "together"])
def test_a_folder_beside_its_parent_counts_once(album: Album, order: str) -> None:
    child = album.pictures / "child"
    child.mkdir()
    for name in ("a0.png", "b1.png"):
        (album.pictures / name).rename(child / name)
    if order == "child first":
        library = unmingle.open(album.folder / "fresh")
        library.add(child)
        added = library.add(album.pictures)
    elif order == "parent first":
        library = unmingle.open(album.folder / "fresh")
        library.add(album.pictures)
        added = library.add(child)
        assert added.known == 2
    else:
        library = unmingle.open(album.folder / "fresh")
        added = library.add(child, album.pictures)
    library.cluster()
    assert library.faces.height == 8
    assert added.gone == 0
    assert library.add(album.pictures).known == 8
    (child / "a0.png").unlink()
    assert library.add(album.pictures).gone == 1


def test_a_folder_through_a_link_or_with_steps_back_counts_once(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    link = album.folder / "link"
    link.symlink_to(album.pictures)
    monkeypatch.chdir(album.pictures)
    for way in (link, f"{album.pictures}/", ".", album.pictures / ".." / "pictures", link / ".." / "pictures"):
        added = album.library.add(way)
        assert (added.files, added.known, added.gone) == (8, 8, 0), way
    album.library.cluster()
    assert album.is_as_before()


def test_a_library_that_counted_a_folder_twice_is_mended(album: Album) -> None:
    with closing(sqlite3.connect(album.folder / "library" / "library.sqlite")) as connection, connection:
        connection.execute("INSERT INTO source (id, path) VALUES (99, ?)", (os.fsencode(album.folder),))
        connection.execute(
            "INSERT INTO file (source, path, name, size, modified, digest, problem, present)"
            " SELECT 99, CAST('pictures/' || CAST(path AS TEXT) AS BLOB), 'pictures/' || name, size, modified, digest,"
            " problem, present FROM file"
        )
    connection.close()
    assert album.library.faces.height == 16
    album.again()
    assert album.is_as_before()


def test_two_hard_links_are_two_files(album: Album) -> None:
    (album.pictures / "again.png").hardlink_to(album.pictures / "a0.png")
    added = album.again()
    assert (added.files, added.copies, added.moved) == (9, 1, 0)
    assert album.library.faces.height == 9


def test_a_source_that_is_forgotten_leaves_and_comes_back(album: Album) -> None:
    gone = album.library.forget(album.pictures)
    assert (gone.files, gone.people) == (8, album.before["person"].n_unique() - 1)
    library = album.library
    assert library.faces.height == library.people.height == 0
    assert library.recordings.height == 0
    assert library.log.height
    album.again()
    assert album.is_as_before()


def test_a_part_of_a_source_can_be_forgotten(album: Album) -> None:
    gone = album.library.forget(album.pictures / "a0.png")
    assert (gone.files, gone.faces, gone.people) == (1, 1, 0)
    assert album.library.faces.height == 7
    with pytest.raises(SourceError, match="no files in") as caught:
        album.library.forget(album.folder / "elsewhere")
    assert str(album.pictures) in caught.value.mend


def test_a_source_is_somewhere_else_only_if_its_files_are(album: Album) -> None:
    new = album.folder / "new"
    new.mkdir()
    with pytest.raises(SourceError, match="8 of 8 files are not in"):
        album.library.relocate(album.pictures, new)
    assert album.is_as_before()
    new.rmdir()
    album.pictures.rename(new)
    assert album.library.relocate(album.pictures, new) == 8
    assert set(album.library.faces["source"]) == {str(new)}
    assert album.again(new).known == 8
    assert album.is_as_before()
    (new / "a0.png").unlink()
    (new / "broken.png").symlink_to("nowhere")
    album.again(new)
    new.rename(album.pictures)
    assert album.library.relocate(new, album.pictures) == 7
    album.pictures.rename(new)
    (new / "a1.png").unlink()
    with pytest.raises(SourceError, match="1 of 9 files are not in") as caught:
        album.library.relocate(album.pictures, new)
    assert f"unmingle cluster {new} -o {album.folder / 'library'}" in caught.value.mend


def test_what_is_another_picture_of_the_library_is_no_place_for_a_file(album: Album) -> None:
    pictures, library = album.pictures, album.library
    (pictures / "a0.png").rename(album.folder / "kept.png")
    with pytest.raises(SourceError, match=r"1 of 1 files are others in .*a1\.png, which the library has too"):
        library.relocate(pictures / "a0.png", pictures / "a1.png")
    assert album.is_as_before()
    other = album.folder / "other"
    other.mkdir()
    shutil.copy(pictures / "a1.png", other)
    shutil.copy(pictures / "b0.png", other / "a0.png")  # a0 is gone by now
    album.again(other)
    for file in pictures.glob("*.png"):
        file.rename(other / file.name)
    assert library.relocate(pictures, other) == 8  # a1 too, of which a copy was there
    names = set(library.faces.filter(pl.col("file") == "a0.png")["name"])
    assert names == set(library.faces.filter(pl.col("file") == "b0.png")["name"])


def test_a_folder_that_went_into_itself_keeps_all_files(album: Album) -> None:
    inner, outer = album.pictures / "in", album.pictures / "in" / "z"
    outer.mkdir(parents=True)
    shutil.copy(album.pictures / "a1.png", inner / "x.png")
    shutil.copy(album.pictures / "a2.png", outer / "x.png")
    album.again()
    inner.rename(album.folder / "aside")
    inner.mkdir()
    (album.folder / "aside").rename(outer)
    assert album.library.relocate(inner, outer) == 2
    album.library.cluster(sheets=0)
    assert {"in/z/x.png", "in/z/z/x.png"} <= set(album.library.faces["file"])


def test_crops_and_exports_don_t_go_into_a_source(album: Album) -> None:
    library = album.library
    with pytest.raises(SettingsError, match="is inside"):
        library.save_crops(album.pictures / "crops")
    library.export("folders", album.folder / "export")
    everything = unmingle.open(album.folder / "fresh").add(album.folder)
    assert everything.made == (str(album.folder / "export"),)
    assert everything.files == 8


def test_pixels_name_a_picture_and_shape_counts() -> None:
    picture = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    assert pixel_digest(picture) == pixel_digest(picture.copy())
    assert pixel_digest(picture) != pixel_digest(picture.reshape(9, 8, 3))
    assert pixel_digest(picture[::-1]) != pixel_digest(picture)


def remuxed(file: Path, to: Path) -> None:
    """The same coded frames in another container."""
    with av.open(file) as source, av.open(to, "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)


def called(persons: tuple[int, int], side: int = 160) -> list[U8]:
    """The frames of a call of two of the cast, beside each other."""
    people = [Person.from_seed(CAST[person]) for person in persons]
    looks = [
        np.concatenate([render(one, Look.from_seed(400 + look), side) for one in people], axis=1) for look in range(3)
    ]
    return [np.roll(looks[frame // 7 % 3], frame % 3, axis=0) for frame in range(42)]


@pytest.mark.parametrize("older", [False, True])
def test_a_recording_is_what_it_shows(tmp_path: Path, older: bool) -> None:
    (tmp_path / "calls").mkdir()
    file = write_video(tmp_path / "calls" / "call.mp4", called((4, 5)), rate=6)
    library = unmingle.open(tmp_path / "library")
    library.add(file.parent)
    library.cluster()
    library.name(library.people["person"][0], "Ada")
    before = library.faces.drop("file")
    if older:
        of_before(library.folder)
    with file.open("ab") as end:
        end.write(struct.pack(">I4s", 16, b"free") + b"Rating 5")
    added = library.add(file.parent)
    assert (added.analysed, added.changed) == (0, 1)
    library.cluster()
    assert library.faces.drop("file").equals(before)
    remuxed(file, file.with_suffix(".mkv"))
    file.unlink()
    added = library.add(file.parent)
    assert (added.analysed, added.moved, added.gone) == (0, 1, 0)
    library.cluster()
    assert library.faces.drop("file").equals(before)
    assert set(library.faces["file"]) == {"call.mkv"}


def test_names_go_on_in_a_recording_that_was_loaded_on_or_encoded_again_and_in_no_other(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    file, library = tmp_path / "calls" / "call.mkv", unmingle.open(tmp_path / "library")
    names: list[int] = []
    for frames in (called((4, 5))[:20], called((4, 5)), called((4, 5), 144), called((6, 7))):
        write_video(file, frames, rate=6)
        library.add(file.parent)
        library.cluster()
        if not names:
            library.name(library.faces.filter(pl.col("left") < 160)["person"][0], "Ada")
        ada = library.faces.filter(pl.col("name") == "Ada")
        assert (ada["left"] < frames[0].shape[1] / 2 - 10).all()
        names.append(len(ada))
    assert names == [20, 42, 42, 0]


def test_the_same_frames_at_another_speed_are_another_recording(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    for speed in (1, 2):
        times = [400 * frame // speed for frame in range(10)]
        write_video(tmp_path / "calls" / f"{speed}.mkv", 10, milliseconds=times)
    assert unmingle.open(tmp_path / "library").add(tmp_path / "calls").analysed == 2


def test_a_recording_is_the_same_without_the_sound_that_it_begins_with(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    file = write_video(tmp_path / "calls" / "call.mkv", 40, sound=True, sound_alone=20.5)
    library = unmingle.open(tmp_path / "library")
    library.add(file.parent)
    remuxed(file, tmp_path / "calls" / "silent.mkv")
    file.unlink()
    added = library.add(file.parent)
    assert (added.analysed, added.moved) == (0, 1)


def test_a_recording_takes_another_s_place(tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    library = unmingle.open(tmp_path / "library")
    for frames in (5, 8):
        write_video(tmp_path / "calls" / "call.mp4", frames)
        assert library.add(tmp_path / "calls").analysed == 1
        library.cluster()
        assert library.recordings["frames"].to_list() == [frames]


def test_other_frames_are_another_recording(tmp_path: Path) -> None:
    shown = set()
    for name, frames, turn in (("a", 12, 0), ("b", 13, 0), ("c", 12, 90)):
        with Recording(write_video(tmp_path / f"{name}.mp4", frames, rotation=turn)) as recording:
            shown.add(recording.shown())
    assert len(shown) == 3


def test_the_commands_say_what_they_did(
    album: Album,
) -> None:
    def unmingle(*words: str | Path) -> str:
        done = Command(album.folder)(*words)
        return f"{done.code} {done.out}{done.err}"

    library, new = album.folder / "library", album.folder / "new"
    assert unmingle("relocate", library, album.pictures, new).startswith("1 Error: 8 of 8 files are not in")
    album.pictures.rename(new)
    assert unmingle("relocate", library, album.pictures, new) == f"0 8 files are in {new} now.\n"
    told = unmingle("forget", library, new / "a0.png", "--json").removeprefix("0 ")
    assert json.loads(told) == {"files": 1, "faces": 1, "people": 0}
    assert unmingle("forget", library, new).startswith("0 Forgotten: 7 files, 7 faces, ")
    assert unmingle("forget", library, new).startswith("1 Error: The library has no files in ")
    words = ("cluster", new, "-o", album.folder / "other", "--save-crops", new / "crops")
    assert unmingle(*words).startswith(f"1 Error: {new / 'crops'} is inside {new}")
    assert not (album.folder / "other").exists()
