"""Recordings as a user meets them: a call and an album in, one library with people, tables, timelines and crops out."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.command import Command
from tests.gallery import TILE, Call, people, record
from tests.videos import write_sound, write_video

from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.store.result_tables import FACES, INTERVALS, PEOPLE, RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.records import U8

IN_THE_ALBUM = 3  # of each of the four


@dataclass(frozen=True)
class Made:
    """What a folder with a call and an album became.

    persons: the id of each of the four, by position in the cast.
    """

    call: Call
    source: Path
    library: Path
    out: str
    err: str
    persons: dict[int, int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("recordings")
    source = folder / "source"
    (source / "album").mkdir(parents=True)
    call = record(source / "call.mp4", still=True)
    for person in range(4):
        for look in range(IN_THE_ALBUM):
            picture = render(Person.from_seed(CAST[person]), Look.from_seed(7000 + 10 * person + look), 200)
            Image.fromarray(picture).save(source / "album" / f"{person} {look}.png")
    done = Command(folder)("cluster", source, "-o", "out", "--webvtt")
    assert done.code == 0, done.err
    return Made(call, source, folder / "out", done.out, done.err, persons_of(faces_of(folder / "out"), call))


@pytest.fixture
def library(made: Made, unmingle: Command) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made.library, unmingle.folder / "out")
    return unmingle.folder / "out"


def faces_of(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "faces.csv", schema_overrides=FACES)


def intervals_of(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "intervals.csv", schema_overrides=INTERVALS)


def recordings_of(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "recordings.csv", schema_overrides=RECORDINGS)


def sightings(faces: pl.DataFrame, call: Call) -> pl.DataFrame:
    """The faces of a call, and who of the cast each is."""
    seen = faces.filter(pl.col("file") == call.path.name)
    columns = seen.select("frame", "left", "top", "width", "height").iter_rows()
    shown = [call.shown(frame, (x + width / 2, y + height / 2)) for frame, x, y, width, height in columns]
    return seen.with_columns(pl.Series("shown", shown, pl.Int64))


def persons_of(faces: pl.DataFrame, call: Call) -> dict[int, int]:
    """The id of each of the cast; an error if somebody is taken for two, or two for one."""
    found = set(sightings(faces, call).drop_nulls("person").select("shown", "person").iter_rows())
    assert len(found) == len(dict(found)) == len({person for _, person in found}), found
    return dict(found)


def query(folder: Path, text: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "library.sqlite")
    try:
        return connection.execute(text).fetchall()
    finally:
        connection.close()


def test_a_call_and_an_album_of_the_same_people_are_one_library(made: Made) -> None:
    faces = faces_of(made.library)
    assert set(made.persons) == {0, 1, 2, 3}
    album = faces.filter(pl.col("file").str.starts_with("album/"))
    assert album.height == 4 * IN_THE_ALBUM
    assert album["frame"].null_count() == album.height
    right = [made.persons[int(file[6])] == person for file, person in album.select("file", "person").iter_rows()]
    assert sum(right) >= 11  # of twelve: somebody may be hardly recognisable in one of them
    table = pl.read_csv(made.library / "people.csv")
    assert table.columns == list(PEOPLE)
    counted = Counter(faces["person"].drop_nulls())
    assert dict(table.select("person", "faces").iter_rows()) == counted
    assert set(counted) == set(made.persons.values())


def test_each_sighting_has_a_row(made: Made) -> None:
    faces = faces_of(made.library)
    assert faces.columns == list(FACES)
    seen = sightings(faces, made.call)
    assert not any(seen.select("frame", "face", "left", "top", "width", "height", "score").null_count().row(0))
    assert seen.select("frame", "face").is_unique().all()
    truth = set(people(made.call))
    found = set(seen.select("frame", "shown").iter_rows())
    assert found <= truth
    assert len(found) >= 0.97 * len(truth)
    moving = seen.filter(pl.col("shown") != 3)
    assert moving["person"].null_count() <= 0.03 * moving.height
    assert set(moving.drop_nulls("person")["status"]) == {"clustered"}
    boxes = seen.select("left", "top", "width", "height").to_numpy()
    assert boxes[:, 2:].min() > TILE / 5


def test_a_still_picture_says_so_and_is_nobody_on_screen(made: Made) -> None:
    still = sightings(faces_of(made.library), made.call).filter(pl.col("shown") == made.call.still)
    assert still.height >= 55
    assert set(still["reason"]) == {"a still picture: nothing in it moved for 6 seconds"}
    assert made.persons[3] not in intervals_of(made.library)["person"].to_list()


def test_who_is_away_for_a_while_has_two_intervals(made: Made) -> None:
    table = intervals_of(made.library)
    assert table.columns == list(INTERVALS)
    assert table["start"].is_sorted()
    assert set(table["file"]) == {"call.mp4"}
    spans = {
        person: table.filter(pl.col("person") == made.persons[person]).select("start", "end").rows()
        for person in range(3)
    }
    expected = {0: [(0.0, 6.0)], 1: [(0.0, 6.0)], 2: [(0.0, 3.0), (4.5, 6.0)]}
    for person, there in expected.items():
        assert len(spans[person]) == len(there), person
        np.testing.assert_allclose(spans[person], there, atol=0.31)
    counted = sightings(faces_of(made.library), made.call).filter(pl.col("shown") < 3)["person"].drop_nulls()
    assert table["faces"].sum() == len(counted)


def test_recordings_csv_says_what_was_looked_at(made: Made) -> None:
    (row,) = recordings_of(made.library).to_dicts()
    assert row == {
        "file": "call.mp4",
        "source": str(made.source),
        "width": 288,
        "height": 288,
        "frames": 60,
        "duration": 6.0,
        "every": 0.1,
        "looked_at": 60,
        "skipped": 0,
        "complete": "yes",
        "people": 3,
    }
    assert "Watching (seconds): 0 of 6" in made.err
    assert "13 files (13 analysed now)" in made.out


def test_timelines_and_captions_name_people(made: Made, unmingle: Command, library: Path) -> None:
    assert sorted(path.name for path in (library / "timelines").glob("[!.]*")) == ["call.png", "call.vtt"]
    person = made.persons[2]
    before = (library / "timelines" / "call.vtt").read_text(encoding="utf-8")
    assert before.startswith("WEBVTT\n\n00:00:00.")
    assert before.count(f"\nPerson {person}\n") == 2
    with Image.open(library / "timelines" / "call.png") as unnamed:
        unnamed.load()
    done = unmingle("name", "out", str(person), "Ada <3")
    assert done.code == 0, done.err
    after = (library / "timelines" / "call.vtt").read_text(encoding="utf-8")
    assert after == before.replace(f"\nPerson {person}\n", "\nAda &lt;3\n")
    with Image.open(library / "timelines" / "call.png") as named:
        assert named.size == unnamed.size
        assert named.tobytes() != unnamed.tobytes()


def test_a_face_of_a_frame_can_be_corrected(made: Made, unmingle: Command, library: Path) -> None:
    seen = sightings(faces_of(library), made.call)
    frame, face = seen.filter(pl.col("shown") == 0).select("frame", "face").row(20)
    done = unmingle("split", "out", f"call.mp4@{frame}#{face}")
    assert done.code == 0, done.err
    after = sightings(faces_of(library), made.call)
    (moved,) = after.filter(pl.col("frame") == frame, pl.col("face") == face)["person"].to_list()
    assert moved not in {*made.persons.values(), None}
    assert set(after.filter(pl.col("person") == moved)["shown"]) == {0}
    done = unmingle("split", "out", f"call.mp4@{frame}#9")
    assert done.code == 1
    assert f"no face 9 in frame {frame}" in done.err


def test_a_second_run_watches_nothing_and_a_copy_is_not_watched_again(
    made: Made, unmingle: Command, library: Path
) -> None:
    before = faces_of(library)
    done = unmingle("cluster", made.source, "-o", "out")
    assert "13 files (nothing new to embed, 13 known from before)" in done.out
    assert "Watching" not in done.err
    assert faces_of(library).equals(before)
    assert [path.name for path in (library / "timelines").glob("[!.]*")] == ["call.png"]  # no captions asked for now
    other = unmingle.folder / "other"
    other.mkdir()
    shutil.copy(made.call.path, other / "Call again.mp4")
    done = unmingle("cluster", made.source, other, "-o", "out")
    assert "14 files (nothing new to embed, 13 known from before, 1 copy of another)" in done.out
    assert query(library, "SELECT count(*) FROM recording") == [(1,)]
    again = faces_of(library).filter(pl.col("file") == "Call again.mp4").drop("file", "source")
    assert again.equals(before.filter(pl.col("file") == "call.mp4").drop("file", "source"))
    assert set(recordings_of(library)["file"]) == {"Call again.mp4", "call.mp4"}
    assert sorted(path.name for path in (library / "timelines").glob("[!.]*")) == ["Call again.png", "call.png"]


def test_other_instants_are_watched_anew_and_what_was_said_stays(made: Made, unmingle: Command, library: Path) -> None:
    person = made.persons[1]
    assert unmingle("name", "out", str(person), "Ada").code == 0
    done = unmingle("cluster", made.source, "-o", "out", "--every", "0.5s")
    assert "13 files (1 analysed now, 12 known from before)" in done.out, done.err
    assert recordings_of(library).select("every", "looked_at").row(0) == (0.5, 12)
    seen = sightings(faces_of(library), made.call)
    assert set(seen["frame"]) == set(range(0, 60, 5))
    ada = seen.filter(pl.col("name") == "Ada")
    assert set(ada["shown"]) == {1}
    assert set(ada["person"]) == {person}
    assert ada.height >= 11
    assert query(library, "SELECT count(*) FROM recording") == [(1,)]


@pytest.mark.parametrize(
    ("every", "problem", "mend"),
    [
        ("banana", "'banana' is no time.", "0.1s or 500ms"),
        ("nan", "every is nan.", "Give a number"),
        ("0s", "every is 0 seconds.", "0.001 to 60 seconds"),
    ],
)
def test_a_time_that_is_none_is_a_clear_error(
    made: Made, unmingle: Command, every: str, problem: str, mend: str
) -> None:
    done = unmingle("cluster", made.source, "-o", "out", "--every", every)
    assert done.code == 1
    assert done.err.startswith(f"Error: {problem}\n")
    assert mend in done.err
    assert not (unmingle.folder / "out").exists()


def test_the_classic_recipe_refuses_recordings_before_it_does_anything(made: Made, unmingle: Command) -> None:
    done = unmingle("cluster", made.source, "-o", "out", "--recipe", "classic", "--people", "4")
    assert done.code == 1
    assert done.err == "Error: The classic recipe can't watch recordings.\nLeave --recipe classic out, or call.mp4.\n"
    assert not (unmingle.folder / "out" / "faces.csv").exists()


@pytest.mark.slow
def test_crops_of_a_recording_become_the_same_people(made: Made, unmingle: Command, library: Path) -> None:
    done = unmingle("cluster", made.source, "-o", "out", "--every", "0.4s", "--save-crops", "crops", "--quiet")
    assert done.code == 0, done.err
    seen = sightings(faces_of(library), made.call)
    wanted = {f"call_{frame:08}_{face}.jpg" for frame, face in seen.select("frame", "face").iter_rows()}
    assert {path.name for path in (unmingle.folder / "crops").iterdir()} == wanted
    done = unmingle("cluster", "crops", made.source / "album", "-o", "again", "--quiet")
    assert done.code == 0, done.err
    again = faces_of(unmingle.folder / "again")
    both = seen.with_columns(
        file=pl.format("call_{}_{}.jpg", pl.col("frame").cast(pl.String).str.zfill(8), pl.col("face"))
    ).join(again.select("file", pl.col("person").alias("again")), on="file")
    assert both.height == seen.height
    pairs = Counter(both.select("person", "again").iter_rows())
    assert len(pairs) == 4, pairs
    assert both["again"].n_unique() == 4


CLOCKS = {
    "half a frame a second.mp4": [2_000 * frame for frame in range(8)],
    "one in ten seconds.mkv": [10_000 * frame for frame in range(7)],
    "uneven.mp4": [0, 1_200, 2_700, 4_700, 7_800, 9_300, 11_900],
    "frozen for a while.mkv": [*range(0, 600, 100), *range(21_000, 21_600, 100)],
    "two frames.mp4": [0, 30_000],
}


def test_who_is_there_throughout_is_on_screen_throughout(unmingle: Command) -> None:
    source = unmingle.folder / "source"
    source.mkdir()
    for name, times in CLOCKS.items():
        write_video(source / name, two_people(len(times)), milliseconds=times)
    done = unmingle("cluster", source, "-o", "out", "--webvtt")
    assert done.code == 0, done.err
    duration = dict(recordings_of(unmingle.folder / "out").select("file", "duration").iter_rows())
    assert all(duration[name] >= times[-1] / 1000 for name, times in CLOCKS.items())
    spans = intervals_of(unmingle.folder / "out").select("file", "person", "start", "end").rows()
    assert Counter(file for file, *_ in spans) == dict.fromkeys(CLOCKS, 2)
    assert len({person for _, person, *_ in spans}) == 2
    for file, _, start, end in spans:
        assert (start, end) == (0, pytest.approx(duration[file], abs=0.001)), file
    captions = (unmingle.folder / "out" / "timelines" / "two frames.vtt").read_text(encoding="utf-8")
    assert captions.count("\n00:00:00.000 --> 00:00:30.") == 2


SECONDS = 130  # two whole segments of a minute, and what is left


@pytest.fixture(scope="module")
def long_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people for two minutes, twice a second; after half a minute they change places, and so on."""
    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", two_people(2 * SECONDS), rate=2)


def two_people(frames: int) -> Iterator[U8]:
    faces = [
        [render(Person.from_seed(CAST[person]), Look.from_seed(400 + 10 * person + look), TILE) for look in range(3)]
        for person in (4, 5)
    ]
    for frame in range(frames):
        order = (0, 1) if frame // 60 % 2 == 0 else (1, 0)
        tiles = [np.roll(faces[person][frame // 7 % 3], frame % 3, axis=0) for person in order]
        yield np.concatenate(tiles, axis=1)


@pytest.mark.slow
def test_killed_in_the_middle_of_a_recording_it_goes_on_there(unmingle: Command, long_call: Path) -> None:
    words = ("cluster", long_call, "--every", "4s", "-o")
    killed = unmingle.ended(signal.SIGKILL, "unmingle.store.sightings", "add_segment", 2, *words, "out", "--quiet")
    assert killed.code == -signal.SIGKILL, killed.err
    out, seen = unmingle.folder / "out", 60
    assert query(out, "SELECT seen FROM recording") == [(seen,)]
    tracks = "SELECT id, times, boxes FROM track ORDER BY id"
    stored = query(out, tracks)
    assert stored
    done = unmingle(*words, "out")
    assert done.code == 0, done.err
    assert f"Watching (seconds): {seen} of {SECONDS}\n" in done.err
    assert "Watching (seconds): 0 of" not in done.err
    assert query(out, tracks)[: len(stored)] == stored
    assert unmingle(*words, "undisturbed", "--quiet").code == 0
    undisturbed = unmingle.folder / "undisturbed"
    same = faces_of(out).drop("score", "quality")
    assert same.equals(faces_of(undisturbed).drop("score", "quality"))
    assert same["person"].n_unique() == 2
    assert intervals_of(out).equals(intervals_of(undisturbed))
    assert recordings_of(out).equals(recordings_of(undisturbed))
    assert recordings_of(out).select("looked_at", "complete").row(0) == (33, "yes")


def test_each_bad_recording_has_its_reason_and_the_good_ones_are_sorted(made: Made, unmingle: Command) -> None:
    source = unmingle.folder / "source"
    source.mkdir()
    whole = made.call.path.read_bytes()
    (source / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (source / "text.mp4").write_text("not a recording at all", encoding="utf-8")
    (source / "empty.mp4").touch()
    write_sound(source / "sound.mp4")
    faces = list(two_people(40))
    write_video(source / "nobody.mp4", 20, rate=10)
    write_video(source / "one frame.mp4", faces[:1])
    write_video(source / "fast.mp4", [faces[frame // 48] for frame in range(240)], rate=240)
    write_video(source / "turned.mov", [np.rot90(picture).copy() for picture in faces], rate=20, rotation=90)
    damaged = bytearray(write_video(source / "damaged.mp4", faces, rate=10).read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 2000] = Random(0).randbytes(2000)
    (source / "damaged.mp4").write_bytes(damaged)
    done = unmingle("cluster", source, "-o", "out")
    assert done.code == 0, done.err
    assert "9 files (5 analysed now, 4 unreadable)" in done.out
    found = faces_of(unmingle.folder / "out")
    assert set(found["file"]) == {path.name for path in source.iterdir()}
    rows = {file: (status, reason) for file, status, reason in found.select("file", "status", "reason").iter_rows()}
    assert rows["cut.mp4"] == (
        "unreadable",
        "cut short: its index is missing, so copy it again or have it repaired",
    )
    assert rows["sound.mp4"] == ("unreadable", "no pictures in it: sound only")
    assert rows["text.mp4"] == ("unreadable", "not a recording in a format that is read")
    assert rows["empty.mp4"] == ("unreadable", "the file is empty (0 bytes)")
    assert rows["nobody.mp4"] == ("not_a_face", "no face found: 20 frames looked at")
    good = found.filter(pl.col("face").is_not_null())
    table = {row["file"]: row for row in recordings_of(unmingle.folder / "out").to_dicts()}
    assert set(table) == {"nobody.mp4", "one frame.mp4", "fast.mp4", "turned.mov", "damaged.mp4"}
    assert {row["complete"] for row in table.values()} == {"yes"}
    assert (table["one frame.mp4"]["looked_at"], table["fast.mp4"]["frames"]) == (1, 240)
    assert table["fast.mp4"]["looked_at"] == 10
    assert (table["turned.mov"]["width"], table["turned.mov"]["height"]) == (2 * TILE, TILE)
    assert table["damaged.mp4"]["skipped"] > 0
    assert [row["skipped"] for row in table.values()].count(0) == 4
    # The two people are found in all of them, also where pictures are turned, lost, or many.
    persons = good["person"].drop_nulls().unique().to_list()
    assert len(persons) == 2
    for file in ("one frame.mp4", "fast.mp4", "turned.mov", "damaged.mp4"):
        seen = good.filter((pl.col("file") == file) & (pl.col("person").is_not_null()))
        assert sorted(seen["person"].unique()) == sorted(persons), file
        assert all(width < TILE for width in seen["width"])
