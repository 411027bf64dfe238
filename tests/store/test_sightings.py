"""Recordings in the library: segments that are stored one by one, and what tracks say of faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from tests.made_library import RECIPE, analysis, put

from unmingle import jobs
from unmingle.api import Library
from unmingle.decisions.references import faces_named
from unmingle.errors import DecisionError
from unmingle.models.registry import DLIB, SFACE, Card
from unmingle.records import Analysis, Sightings, Triage
from unmingle.settings import GroupingSettings
from unmingle.sources.recordings import RecordingInfo
from unmingle.store import sightings
from unmingle.store.analyses import note_read
from unmingle.store.face_query import face_detail, faceless_files, original
from unmingle.store.face_rows import faces_to_group
from unmingle.store.facts import note_model
from unmingle.store.identity import carry_over
from unmingle.store.people_query import face_cards
from unmingle.store.result_tables import faces_table
from unmingle.store.screen_time import screen_times, spans
from unmingle.store.sqlite import open_to_read, open_to_write
from unmingle.tracking.tracks import Keyframe, Segment, Track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.records import F32, F64
    from unmingle.store.sqlite import Store

INFO = RecordingInfo(200, 100, 120, 6.0, 20.0)
RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(size=(4, 64))


def seen(vector: F32, box: F32) -> Analysis:
    return analysis(vector[None], box, size=(200, 100), quality=0.5, thumbnail=b"jpeg")


def track(
    person: int,
    frames: Sequence[int],
    looks: Sequence[int],
    *,
    number: int = 0,
    still: bool = False,
    place: tuple[int, int, int, int] | None = None,
) -> Track:
    """A track of a made-up person in a place of their own, if none is given; looks by their frames."""
    n = len(frames)
    box = np.array(place or (50 * person, 10, 30, 40), np.float32)
    sightings = Sightings(
        np.array(frames), np.array(frames) / 20, np.full(n, number), np.tile(box, (n, 1)), np.full(n, 0.9, np.float32)
    )
    vectors = (CENTRES[person] + 0.4 * RANDOM.normal(size=64) for _ in looks)
    return Track(
        sightings,
        still,
        tuple(
            Keyframe(list(frames).index(frame), seen(vector, box)) for frame, vector in zip(looks, vectors, strict=True)
        ),
    )


def segment(*tracks: Track, start: float = 0.0, skipped: int = 0) -> Segment:
    """A minute in which a frame was looked at every tenth of a second for six."""
    times = start + np.array(FRAMES) / 20
    return Segment(start, start + 60, times, times + 0.1, skipped, tracks)


FRAMES = range(0, 120, 2)


def store_recording(store: Store, content: str, *segments: Segment, every: float = 0.1, finish: bool = True) -> None:
    store.recipe = RECIPE
    with store.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO source (id, path) VALUES (1, X'2F')")
        row = connection.execute(
            "INSERT INTO file (source, path, name) VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET present = 1 RETURNING id",
            (content.encode(), content),
        ).fetchone()[0]
        note_read(connection, row, 1, 1, content, "")
        recording, _ = sightings.begin(store, content, every, INFO)
        for one in segments:
            sightings.add_segment(connection, recording, "f32", one)
        if finish:
            sightings.finish(connection, recording, "f32")


def group(store: Store) -> None:

    jobs.cluster(store, GroupingSettings())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of two people who are there throughout, and of a third who comes later."""
    with open_to_write(tmp_path) as store:
        third = range(60, 120, 2)
        store_recording(
            store,
            "a.mp4",
            segment(
                track(0, FRAMES, [4, 40, 90]),
                track(1, FRAMES, [0, 50, 100], number=1),
                track(2, third, [60, 80, 118], number=2),
                skipped=3,
            ),
        )
        group(store)
    return tmp_path


def test_every_sighting_is_a_row(folder: Path) -> None:
    with open_to_read(folder) as store:
        faces = faces_table(store)
    assert faces.height == 60 + 60 + 30
    assert faces["frame"].is_sorted()
    assert faces["person"].n_unique() == 3
    assert set(faces["status"]) == {"clustered"}
    by_person = faces.group_by("person").agg(pl.col("left").n_unique(), pl.len()).sort("len")
    assert by_person["left"].to_list() == [1, 1, 1]  # everybody stays in their place
    assert by_person["len"].to_list() == [30, 60, 60]
    library = Library(folder)
    assert sorted(library.people["faces"].to_list()) == [30, 60, 60]
    assert library.recordings.row(0) == ("a.mp4", "/", 200, 100, 120, 6.0, 0.1, 60, 3, "yes", 3)


def test_when_people_are_on_screen(folder: Path) -> None:
    table = Library(folder).intervals
    assert [(round(start, 2), round(end, 2), n) for *_, start, end, n in table.rows()] == [
        (0.0, 6.0, 60),
        (0.0, 6.0, 60),
        (3.0, 6.0, 30),
    ]


def test_a_short_absence_does_not_end_an_interval() -> None:
    times = np.array([0, 0.1, 0.2, 1.1, 1.2, 3.0])
    assert on_screen(times, np.arange(31) / 10) == [(0, 1.3), (3.0, 3.1)]
    assert on_screen([0, 2, 4], np.arange(5.0), every=1.0) == [(0, 5)]
    assert on_screen([0, 3, 4], np.arange(5.0), every=1.0) == [(0, 1), (3, 5)]


def on_screen(
    seen: Sequence[float] | F64, times: Sequence[float] | F64, every: float = 0.1
) -> list[tuple[float, float]]:
    """Intervals of somebody who is seen in some of the frames that come at these times; the last lasts like others."""
    times = np.asarray(times, np.float64)
    ends = np.append(times[1:], 2 * times[-1] - times[-2])
    found = spans(7, np.asarray(seen, np.float64), (times, ends), every=every)
    assert sum(one.faces for one in found) == len(seen)
    return [(one.start, round(one.end, 6)) for one in found]


def test_a_frame_stands_until_the_next_one_comes() -> None:
    sparse = [0.0, 2, 4, 6, 8]
    assert on_screen(sparse, sparse) == [(0, 10)]
    assert on_screen([0, 2, 6, 8], sparse) == [(0, 4), (6, 10)]  # two seconds away are not passed over
    frozen = [0.0, 0.1, 0.2, 20.2, 20.3, 20.4]
    assert on_screen(frozen, frozen) == [(0, 20.5)]
    assert on_screen([0, 0.1, 0.2, 20.3, 20.4], frozen) == [(0, 20.5)]  # missed for a tenth of a second
    assert on_screen([0, 0.1, 20.2, 20.3, 20.4], frozen) == [(0, 0.2), (20.2, 20.5)]


def test_faces_of_one_frame_are_told_of_looks_in_others(folder: Path) -> None:
    with open_to_read(folder) as store:
        faces = faces_to_group(store)
        seen_k2, same_m2 = sightings.followed(store, faces)
    assert len(faces.ids) == 9
    frames = {number: set(seen_k2[seen_k2[:, 1] == number, 0]) for number in np.unique(seen_k2[:, 1])}
    assert len(frames) == 9  # one for each frame with a look
    assert sorted(map(len, frames.values())) == [2] * 4 + [3] * 5  # the third is there from frame 60 on
    numbers = sorted(frames)
    assert numbers == list(range(numbers[0], numbers[0] + 9))  # they follow each other within two seconds
    assert len(same_m2) == 6


def test_still_pictures_are_nobody_on_screen(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store_recording(
            store, "a.mp4", segment(track(0, FRAMES, [4, 40]), track(0, FRAMES, [10, 50], number=1, still=True))
        )
        group(store)
        seen_k2, _ = sightings.followed(store, faces_to_group(store))
        assert set(np.bincount(seen_k2[:, 1])) <= {0, 1}  # so it may be the one who is there
        (one,) = screen_times(store)
        assert [interval.faces for interval in one.intervals] == [60]
        assert faces_table(store)["person"].n_unique() == 1


def test_a_glimpse_of_a_still_picture_makes_nobody_with_it(tmp_path: Path) -> None:
    slide = track(0, FRAMES[20:], [60], still=True)
    shown = [replace(one.analysis, triage=Triage.alike(1, "join", "", "still")) for one in slide.keyframes]
    keyframes = tuple(replace(one, analysis=look) for one, look in zip(slide.keyframes, shown, strict=True))
    with open_to_write(tmp_path) as store:
        store_recording(store, "a.mp4", segment(track(0, FRAMES[:10], [4]), replace(slide, keyframes=keyframes)))
        group(store)
        assert faces_table(store)["person"].null_count() == 50
        assert not screen_times(store)[0].intervals
        with store.transaction() as connection:  # a photograph of them is no glimpse
            put(connection, "ada.jpg", seen(CENTRES[0], np.array([10, 10, 30, 40], np.float32)))
        group(store)
        assert faces_table(store)["person"].null_count() == 0


def test_a_name_stays_when_a_recording_is_watched_at_other_instants(folder: Path) -> None:
    library = Library(folder, views="on request")
    who = library.faces.filter(pl.col("face") == 2)["person"][0]
    library.name(who, "Ada")
    with open_to_write(folder) as store:
        assert sightings.seen_otherwise(store, RECIPE, 0.3) == {"a.mp4"}
        store_recording(
            store,
            "a.mp4",
            segment(
                track(0, FRAMES, [6, 42]),
                track(1, FRAMES, [6, 54], number=1),
                track(2, range(60, 120, 6), [66, 90], number=2),
            ),
            every=0.3,
        )
        group(store)
    named = library.faces.filter(pl.col("name") == "Ada")
    assert named.height == 10
    assert set(named["left"]) == {100.0}


def test_a_name_stays_where_a_layout_changes_between_two_instants(tmp_path: Path) -> None:
    def call(step: int, last: int) -> Segment:
        before, after = range(0, 60, step), range(60, 120, step)
        return segment(
            track(0, before, [0, last]),
            track(1, after, [60], place=(4, 16, 26, 30)),  # in the first one's place
            track(0, after, [60], number=1, place=(60, 10, 30, 40)),
            track(1, before, [0], number=1),
        )

    with open_to_write(tmp_path) as store:
        store_recording(store, "a.mp4", call(2, last=58))
        group(store)
    library = Library(tmp_path, views="on request")
    library.name(library.faces.filter(pl.col("left") == 0)["person"][0], "Ada")
    with open_to_write(tmp_path) as store:
        store_recording(store, "a.mp4", call(6, last=54), every=0.3)
        group(store)
    assert set(library.faces.filter(pl.col("name") == "Ada")["left"]) == {0.0, 60.0}


def test_faces_are_named_by_recording_frame_and_number(folder: Path) -> None:
    with open_to_read(folder) as store:
        (face,) = faces_named(store, ["a.mp4@70#2"])
        detail = face_detail(store, face)
        assert detail is not None
        assert (detail.file, detail.frame) == ("a.mp4", 60)  # the look nearest to frame 70
        assert [(card.face, card.frame) for card in face_cards(store, [face])] == [(face, 60)]
        where = original(store, face)
        assert where is not None
        assert (where.digest, where.frame) == ("a.mp4", 60)
        with pytest.raises(DecisionError, match="no face 2 in frame 10"):
            faces_named(store, ["a.mp4@10#2"])
        with pytest.raises(DecisionError, match="is a recording") as caught:
            faces_named(store, ["a.mp4"])
        assert "a.mp4@0#0" in caught.value.mend
        with pytest.raises(DecisionError, match="There is no picture"):
            faces_named(store, ["b.mp4@0#0"])


def test_a_recording_without_faces_says_so(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store_recording(store, "a.mp4", segment(skipped=2))
        table = faces_table(store)
        assert table.select("file", "status", "reason").rows() == [
            ("a.mp4", "not_a_face", "no face found: 60 frames looked at, 2 could not be decoded")
        ]
        assert [row.file for row in faceless_files(store)] == ["a.mp4"]


def test_a_recording_goes_on_where_it_was_left(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store_recording(store, "a.mp4", segment(track(0, FRAMES, [0])), finish=False)
        with store.transaction():
            assert sightings.begin(store, "a.mp4", 0.1, INFO)[1] == 60
            assert sightings.begin(store, "a.mp4", 0.2, INFO)[1] == 0
        assert not len(faces_to_group(store).ids)


@pytest.mark.parametrize("otherwise", [{"duration": 7.5}, {"width": 400, "height": 200}])
def test_a_recording_that_is_read_otherwise_now_is_watched_from_its_beginning(
    tmp_path: Path, otherwise: dict[str, Any]
) -> None:
    with open_to_write(tmp_path) as store:
        store_recording(store, "a.mp4", segment(track(0, FRAMES, [0])), finish=False)
        with store.transaction():
            assert sightings.begin(store, "a.mp4", 0.1, replace(INFO, **otherwise))[1] == 0
        assert not len(faces_to_group(store).ids)


def test_a_recording_with_faces_is_not_listed_as_faceless(folder: Path) -> None:
    with open_to_read(folder) as store:
        assert faceless_files(store) == []


@pytest.mark.parametrize(("model", "who", "goes_on"), [(SFACE, 0, 1), (SFACE, 1, 0), (DLIB, 1, 0)])
@pytest.mark.parametrize("later", [0.0, 9.0])  # after sound that did not count before
def test_what_was_said_goes_on_with_whom_the_model_knows_and_with_no_stranger(
    tmp_path: Path, model: Card, who: int, goes_on: int, later: float
) -> None:
    assert model.calibration
    alike = model.calibration.mean  # any two strangers
    looks = np.hstack([np.full((2, 1), alike**0.5), (1 - alike) ** 0.5 * np.eye(2)]).astype(np.float32)
    with open_to_write(tmp_path) as store:
        store.recipe = RECIPE
        note_model(store, RECIPE, model)
        for content, person, start in (("before", 0, 0.0), ("after", who, later)):
            one = track(0, FRAMES, [4])
            one = replace(one, sightings=replace(one.sightings, times=one.sightings.times + start))
            (keyframe,) = one.keyframes
            told = replace(keyframe.analysis, vectors=looks[[person]])
            one = replace(one, keyframes=(replace(keyframe, analysis=told),))
            store_recording(store, content, segment(one, start=start))
        with store.transaction() as connection:
            connection.execute("INSERT INTO place VALUES (1, 'before#4', 0, 10, 30, 40)")
            connection.execute("UPDATE file SET former = 'before' WHERE digest = 'after'")
            connection.execute("UPDATE file SET present = 0 WHERE digest = 'before'")
        assert carry_over(store) == (goes_on, 1 - goes_on)
