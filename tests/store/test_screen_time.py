"""Timelines of recordings, from tracks made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests.made_library import RECIPE, analysis

from unmingle.records import Analysis, Sightings
from unmingle.sources.recordings import RecordingInfo
from unmingle.store import sightings
from unmingle.store.screen_time import count_recordings, timelines
from unmingle.store.sqlite import open_to_write
from unmingle.tracking.tracks import Keyframe, Segment, Track

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.records import F64
    from unmingle.store.sqlite import Store


def track(times: F64, looks: dict[int, float], *, still: bool = False) -> Track:
    """A face seen at these seconds; looks: the sightings that stand for it, and their quality."""
    n = len(times)
    frames = np.rint(times * 10).astype(np.int64)
    boxes = np.tile(np.array([0, 0, 80, 90], np.float32), (n, 1))
    sightings = Sightings(frames, times, np.zeros(n, np.int64), boxes, np.ones(n, np.float32))
    return Track(sightings, still, tuple(Keyframe(at, _analysis(quality)) for at, quality in looks.items()))


def _analysis(quality: float) -> Analysis:
    return analysis(np.ones((1, 8)), size=(200, 100), quality=quality)


def add(store: Store, *tracks: Track, of: int) -> None:
    """One recording, all of whose faces are a person's."""
    store.recipe = RECIPE
    with store.transaction() as connection:
        connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
        connection.execute("INSERT INTO file (source, path, name, digest) VALUES (1, X'61', 'a.mp4', 'a')")
        connection.execute("INSERT INTO person (id, name) VALUES (?, 'Ada')", (of,))
        times = np.arange(100) / 10
        row, _ = sightings.begin(store, "a", 0.1, RecordingInfo(200, 100, 100, 10.0, 10.0))
        sightings.add_segment(connection, row, "f32", Segment(0.0, 10.0, times, times + 0.1, 2, tracks))
        connection.execute("INSERT INTO member (face, person) SELECT id, ? FROM face", (of,))


def test_each_time_has_the_best_face_of_then_or_the_nearest(tmp_path: Path) -> None:
    early, late = np.arange(10) / 10, 5 + np.arange(20) / 10
    with open_to_write(tmp_path) as store:
        # Nothing of the early time stands for it: the look at 5.5 seconds is the nearest.
        add(store, track(np.concatenate([early, late]), {15: 0.4, 25: 0.9}), of=7)
        (found,) = timelines(store)
        face = dict(
            store.connection.execute("SELECT analysis.frame, face.id FROM face JOIN analysis ON analysis.id = analysis")
        )
    assert not found.complete
    assert (found.looked_at, found.skipped) == (100, 2)
    (ada,) = found.people
    assert (ada.person, ada.name, ada.face, ada.seconds) == (7, "Ada", face[65], 3.0)
    assert [(one.start, one.end, one.faces, one.face) for one in ada.intervals] == [
        (0.0, 1.0, 10, face[55]),
        (5.0, 7.0, 20, face[65]),
    ]


def test_a_time_after_the_last_look_has_the_last(tmp_path: Path) -> None:
    seen = np.array([0.0, 0.1, 5.0, 5.1])
    with open_to_write(tmp_path) as store:
        add(store, track(seen, {0: 0.4, 1: 0.2}), of=7)
        (found,) = timelines(store)
        last = store.connection.execute("SELECT max(id) FROM face").fetchone()[0]
    assert [one.face for one in found.people[0].intervals] == [last - 1, last]


def test_still_pictures_are_nobody_on_screen(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        add(store, track(np.arange(40) / 10, {0: 0.9}, still=True), of=7)
        (found,) = timelines(store)
        assert found.people == []
        assert found.only(7) is None
        assert count_recordings(store) == 1
        with store.transaction() as connection:
            connection.execute("UPDATE file SET present = 0")
        assert count_recordings(store) == len(timelines(store)) == 0
