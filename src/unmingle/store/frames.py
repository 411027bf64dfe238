"""In which frames each face was seen: a frame of a recording, as file names tell, or else the picture itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.store.name_evidence import follows

if TYPE_CHECKING:
    from unmingle.records import I64
    from unmingle.store.face_rows import StoredFaces
    from unmingle.store.frame_names import FrameNames
    from unmingle.store.sqlite import Store


def seen_frames(store: Store, faces: StoredFaces, names: FrameNames, recorded_k2: I64 | None = None) -> I64:
    """(k, 2) a face, by its position in `faces`, and the number of a frame in which it was seen.

    Faces of one picture were seen together. Crops whose names carry meeting and frame were seen together if both agree;
    a picture that is there under several names may be of several frames. Frames that follow each other in a meeting
    get consecutive numbers, others don't.

    Args:
        store: the library.
        faces: the n faces.
        names: what file names are taken to say.
        recorded_k2: what is known of faces of recordings, see `recordings.followed`; None: there are none.
    """
    held = rows_of_pictures(store, faces)
    recordings = names.pictures(store, held)
    recorded_k2 = np.zeros((0, 2), np.int64) if recorded_k2 is None else recorded_k2
    seen: set[tuple[int, int]] = {(row, frame) for row, frame in recorded_k2.tolist()}
    number = int(recorded_k2[:, 1].max(initial=0))
    for recording, frames in sorted(recordings.items()):
        numbers, in_order = sorted(frames), names.in_order(recording)
        for frame, near in zip(numbers, follows(numbers), strict=True):
            number += 1 if near and in_order else 2
            seen.update((row, number) for picture in frames[frame] for row in held[picture].tolist())
    named = {picture for frames in recordings.values() for pictures in frames.values() for picture in pictures}
    for picture, rows in held.items():
        # One face of a picture is of its frame; several are of their picture in any case.
        if picture not in named or len(rows) > 1:
            number += 2
            seen.update((row, number) for row in rows.tolist())
    return np.array(sorted(seen), np.int64).reshape(-1, 2)


def recording_of(store: Store, faces: StoredFaces, names: FrameNames) -> I64:
    """(n,) the recording of which each face shows a frame, numbered from 0, or -1.

    A picture that is there under several names may be of several recordings: then it is of the last of them.
    """
    held = rows_of_pictures(store, faces)
    found = np.full(len(faces.pictures), -1, np.int64)
    for number, (recording, frames) in enumerate(sorted(names.pictures(store, held).items())):
        if names.in_order(recording):
            found[[row for pictures in frames.values() for picture in pictures for row in held[picture]]] = number
    return found


def rows_of_pictures(store: Store, faces: StoredFaces) -> dict[int, I64]:
    """The rows of the faces of each picture that is no frame of a recording."""
    frames = [row for (row,) in store.connection.execute("SELECT id FROM analysis WHERE frame IS NOT NULL")]
    rows = np.flatnonzero(~np.isin(faces.pictures, frames))
    rows = rows[np.argsort(faces.pictures[rows], kind="stable")]
    pictures, first = np.unique(faces.pictures[rows], return_index=True)
    return dict(zip(pictures.tolist(), np.split(rows, first)[1:], strict=True))
