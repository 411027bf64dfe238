"""Where faces were that somebody had erased: by picture and box, so that they are not found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.faces.boxes import SAME_FACE, overlap_of_pairs
from unmingle.store.sqlite import insert

if TYPE_CHECKING:
    import sqlite3

    from unmingle.records import F32, F64, I64, Bool

REASON = "its faces were erased"
PICTURE = -1  # the frame of what is no recording
# A face that a track shows so many frames before or after is still in the same place.
NEAR_FRAMES = 30
WHOLE = 0.98  # of a picture, which a recipe took for one face


@dataclass(frozen=True, slots=True, eq=False)
class ErasedRegions:
    """The m places of a file where faces were; frames_m: rising, of a recording, else PICTURE."""

    frames_m: I64
    boxes_m4: F64

    @classmethod
    def read(cls, connection: sqlite3.Connection, content: str) -> ErasedRegions:
        """Those of a file, by its digest."""
        rows = connection.execute("SELECT frames, boxes FROM erased WHERE content = ?", (content,)).fetchall()
        frames, boxes = (np.frombuffer(b"".join(row[i] for row in rows), kind) for i, kind in enumerate(("<i4", "<f4")))
        order = np.argsort(frames, kind="stable")
        return cls(frames[order].astype(np.int64), boxes.reshape(-1, 4)[order].astype(np.float64))

    def __len__(self) -> int:
        return len(self.frames_m)

    def of_picture(self, boxes_n4: F32, width: int, height: int) -> Bool:
        """(n,) which of the faces that were found in a picture are erased.

        Boxes that are of the same face overlap; a recipe may take the whole picture as the face.
        """
        if (self.boxes_m4[:, 2:].prod(axis=1) >= WHOLE * width * height).any():
            return np.ones(len(boxes_n4), np.bool_)
        found_n = self.of_frames(boxes_n4, np.full(len(boxes_n4), PICTURE))
        if len(boxes_n4) == 1:
            middle_m2 = self.boxes_m4[:, :2] + self.boxes_m4[:, 2:] / 2 - boxes_n4[0, :2]
            found_n |= ((middle_m2 >= 0) & (middle_m2 <= boxes_n4[0, 2:])).all(axis=1).any()
        return found_n

    def of_frames(self, boxes_n4: F32, frames_n: I64) -> Bool:
        """(n,) which of the faces that were seen in frames of a recording are erased."""
        low_n = np.searchsorted(self.frames_m, frames_n - NEAR_FRAMES)
        high_n = np.searchsorted(self.frames_m, frames_n + NEAR_FRAMES, "right")
        found = [
            bool((overlap_of_pairs(box[None], self.boxes_m4[low:high]) >= SAME_FACE).any())
            for box, low, high in zip(boxes_n4.astype(np.float64), low_n.tolist(), high_n.tolist(), strict=True)
        ]
        return np.array(found, np.bool_)


def remember(connection: sqlite3.Connection, content: str, frames_n: I64, boxes_n4: F32) -> None:
    """Note where faces were."""
    columns = {"frames": frames_n.astype("<i4").tobytes(), "boxes": boxes_n4.astype("<f4").tobytes()}
    insert(connection, "erased", content=content, **columns)


def forget(connection: sqlite3.Connection, content: str) -> None:
    """Let the faces of a file be found again."""
    connection.execute("DELETE FROM erased WHERE content = ?", (content,))


def contents(connection: sqlite3.Connection) -> set[str]:
    """The files of which something was erased, by their digests."""
    return {content for (content,) in connection.execute("SELECT DISTINCT content FROM erased")}
