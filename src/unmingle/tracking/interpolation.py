"""Faces of frames that nobody looked at, from the frames before and after: a face hardly moves in half a second.

A box moves on a straight line from where it was to where it is found next. That counts only where the two frames have
the same faces, and where each box shows the same all the way; else the frame in the middle is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unmingle.faces.boxes import assigned
from unmingle.records import Faces
from unmingle.tracking.tracker import SAME_SCENE, Grey, correlation

TOUCHING = 0.05  # intersection over union: what lies between shows whether it is the same face


def between(first: Faces, last: Faces, greys: Sequence[Grey]) -> list[Faces] | None:
    """The faces of the frames between the first and the last of `greys`; None where they must be looked at."""
    pairs = assigned(first.boxes, last.boxes, least=TOUCHING)
    if not len(first) == len(last) == len(pairs):
        return None
    order = np.array(pairs, np.int64).reshape(-1, 2)
    one, other = first.take(order[:, 0]), last.take(order[:, 1])
    there = [greys[0].patches(box) for box in one.boxes]
    found = []
    for grey, share in zip(greys[1:], np.linspace(0, 1, len(greys), dtype=np.float32)[1:], strict=True):
        faces = _on_the_way(one, other, share)
        here = [grey.patches(box) for box in faces.boxes]
        if any(correlation(before, now) < SAME_SCENE for before, now in zip(there, here, strict=True)):
            return None
        found.append(faces.take(np.argsort(-faces.scores, kind="stable")))
        there = here
    return found[:-1]


def _on_the_way(one: Faces, other: Faces, share: np.float32) -> Faces:
    """Faces at so much of the way from one frame to another."""
    parts = ((getattr(one, name), getattr(other, name)) for name in ("boxes", "points", "scores"))
    return Faces(*(before + share * (after - before) for before, after in parts))
