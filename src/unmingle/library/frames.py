"""In which frames each face was seen: a frame of a recording, as file names tell, or else the picture itself."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from unmingle.sources.names import MEETING_PATTERN, parse_name, stem

if TYPE_CHECKING:
    from unmingle.library.pictures import StoredFaces
    from unmingle.library.store import Store
    from unmingle.records import I64

    Recording = tuple[int, str, str]  # row of the source, folder, meeting

# Frames this many times further apart than usual do not follow each other.
USUAL_STEPS = 2.0


def seen_frames(
    store: Store, faces: StoredFaces, recorded_k2: I64 | None = None, *, pattern: str = MEETING_PATTERN
) -> I64:
    """(k, 2) a face, by its position in `faces`, and the number of a frame in which it was seen.

    Faces of one picture were seen together. Crops whose names carry meeting and frame were seen together if both agree;
    a picture that is there under several names may be of several frames. Frames that follow each other in a meeting
    get consecutive numbers, others don't.

    Names like `Scan_2020_001.jpg` look like a meeting but are none. The usual pattern is believed where a meeting has
    at least as many frames as its fullest frame has faces, or where all faces of a frame are counted with one digit. A
    pattern of one's own is always believed.

    Args:
        store: the library.
        faces: the n faces.
        recorded_k2: what is known of faces of recordings, see `recordings.followed`; None: there are none.
        pattern: how a file name carries meeting, frame and index, see `sources.names.parse_name`.

    Raises:
        SettingsError: the pattern is no regular expression, or lacks a group.
    """
    held = _held(store, faces)
    recordings = _recordings(store, held, pattern)
    recorded_k2 = np.zeros((0, 2), np.int64) if recorded_k2 is None else recorded_k2
    seen: set[tuple[int, int]] = {(row, frame) for row, frame in recorded_k2.tolist()}
    number = int(recorded_k2[:, 1].max(initial=0))
    for key in sorted(recordings):
        for frame, follows in _in_order(recordings[key]):
            number += 1 if follows else 2
            seen.update((row, number) for picture in recordings[key][frame] for row in held[picture])
    named = {picture for frames in recordings.values() for pictures in frames.values() for picture in pictures}
    for picture, rows in held.items():
        # One face of a picture is of its frame; several are of their picture in any case.
        if picture not in named or len(rows) > 1:
            number += 2
            seen.update((row, number) for row in rows)
    return np.array(sorted(seen), np.int64).reshape(-1, 2)


def recording_of(store: Store, faces: StoredFaces, *, pattern: str = MEETING_PATTERN) -> I64:
    """(n,) the recording of which each face shows a frame, numbered from 0, or -1; arguments as for `seen_frames`.

    A picture that is there under several names may be of several recordings: then it is of the last of them.
    """
    held = _held(store, faces)
    found = np.full(len(faces.pictures), -1, np.int64)
    for number, (_, frames) in enumerate(sorted(_recordings(store, held, pattern).items())):
        found[[row for pictures in frames.values() for picture in pictures for row in held[picture]]] = number
    return found


def _held(store: Store, faces: StoredFaces) -> dict[int, list[int]]:
    """The rows of the faces of each picture that is no frame of a recording."""
    frames = {row for (row,) in store.connection.execute("SELECT id FROM analysis WHERE frame IS NOT NULL")}
    held: defaultdict[int, list[int]] = defaultdict(list)
    for row, picture in enumerate(faces.pictures.tolist()):
        if picture not in frames:
            held[picture].append(row)
    return held


def _recordings(store: Store, held: dict[int, list[int]], pattern: str) -> dict[Recording, dict[int, list[int]]]:
    """The pictures of each frame of each recording, as far as the names are to be believed."""
    names = _names(store)
    found: defaultdict[Recording, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    serial: set[Recording] = set()  # those with numbers that are no count of faces: padded, or large
    for picture in held:
        for source, name in names.get(picture, ()):
            parts = parse_name(name, pattern=pattern)
            if parts is not None:
                key = (source, name.rpartition("/")[0], parts.meeting)
                found[key][parts.frame].append(picture)
                if parts.index > 9 or stem(name).endswith(f"0{parts.index}"):
                    serial.add(key)
    if pattern != MEETING_PATTERN:
        serial.clear()
    return {
        key: dict(frames)
        for key, frames in found.items()
        if key not in serial or len(frames) >= max(map(len, frames.values()))
    }


def _names(store: Store) -> dict[int, list[tuple[int, str]]]:
    """Source and name of the files that hold each picture, by its analysis."""
    names: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    query = (
        "SELECT analysis.id, file.source, file.name FROM analysis JOIN file ON file.digest = analysis.digest"
        " WHERE file.present = 1 ORDER BY file.source, file.name"
    )
    for picture, source, name in store.connection.execute(query):
        names[picture].append((source, name))
    return names


def _in_order(frames: dict[int, list[int]]) -> list[tuple[int, bool]]:
    """The frames of a recording, and whether each follows the one before it at the usual step."""
    numbers = sorted(frames)
    steps = np.diff(numbers)
    usual = float(np.median(steps)) if len(steps) else 0.0
    return list(zip(numbers, [False, *(steps <= USUAL_STEPS * usual).tolist()], strict=True))
