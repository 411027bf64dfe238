"""The faces of recordings as files of their own, named as the main job reads them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.errors import PictureError, SourceError
from unmingle.exchange.exporting import check_outside
from unmingle.files import check_inside, sync_all, write_atomically
from unmingle.sources.names import distinct
from unmingle.sources.recordings import Recording
from unmingle.store.file_rows import walked_folders
from unmingle.store.screen_time import file_of_recording, screen_times
from unmingle.store.sightings import tracks
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.progress import Progress
    from unmingle.records import F32, U8
    from unmingle.store.sqlite import Store

MARGIN = 0.3  # of the box, on each side: as much as a cutter usually adds, so that the crop is seen as one
JPEG_QUALITY = 95


def save_crops(store: Store, recipe: str, folder: Path, progress: Progress) -> int:
    """Cut out every sighting of every recording; see `Library.save_crops`."""
    check_outside(folder, walked_folders(store))
    # By recording and frame: numbers and boxes of the faces.
    sightings: defaultdict[tuple[int, int], list[tuple[int, F32]]] = defaultdict(list)
    for track in tracks(store.connection, recipe):
        seen = track.sightings
        for frame, number, box in zip(seen.frames.tolist(), seen.numbers.tolist(), seen.boxes, strict=True):
            sightings[track.recording, frame].append((number, box))
    recordings = screen_times(store, recipe)
    names = distinct(str(PurePosixPath(one.file).with_suffix("")) for one in recordings)
    written, before, total = 0, 0, sum(int(one.duration) for one in recordings)
    failed = []
    for one, name in zip(recordings, names, strict=True):
        try:
            with Recording(file_of_recording(store, one.row).path) as recording:
                for frame in recording.frames(every=one.every):
                    progress("write", before + int(frame.time), total)
                    for number, box in sightings.get((one.row, frame.number), ()):
                        file = folder / f"{name}_{frame.number:08}_{number}.jpg"
                        check_inside(folder, file)
                        write_atomically(file, _crop(frame.pixels, box))
                        written += 1
        except PictureError as error:
            failed.append(f"{one.file} ({error.problem})")
        before += int(one.duration)
    sync_all()
    progress("write", total, total)
    if failed:
        raise SourceError(
            f"{counted(written, 'crop was', 'crops were')} saved, and none, or not all, of {', '.join(failed)}.",
            "Put these recordings back as they were, or leave --save-crops out.",
        )
    return written


def _crop(picture_hw3: U8, box: F32) -> bytes:
    left, top, width, height = box.tolist()
    rows, columns = picture_hw3.shape[:2]
    low = np.clip([left - MARGIN * width, top - MARGIN * height], 0, [columns - 1, rows - 1]).astype(int)
    high = np.clip([left + (1 + MARGIN) * width, top + (1 + MARGIN) * height], low + 1, [columns, rows]).astype(int)
    part = picture_hw3[low[1] : high[1], low[0] : high[0], ::-1]
    _, jpeg = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)
