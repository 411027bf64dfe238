"""YuNet, the face detector (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np

from unmingle.models.graphs import prepared_model
from unmingle.models.registry import YUNET
from unmingle.models.runtime import Session, open_session
from unmingle.records import F32, I64, U8, Faces
from unmingle.settings import EngineSettings

PADDED = 256 * 256  # pixels, of which small canvases are filled up to a multiple: that costs less than a new shape
STRIDES = (8, 16, 32)  # pixels between the anchors of the three output levels


def open_yunet(engine: EngineSettings | None = None) -> Session:
    """A session of the detector; it maps (n, h, w, 3) uint8 RGB to the raw outputs that `decode` reads."""
    return open_session(prepared_model(YUNET, "detector"), engine)


def detect(session: Session, canvases_nhwc: U8, *, min_score: float, max_overlap: float) -> list[Faces]:
    """The faces on canvases (n, h, w, 3) uint8 RGB, whose h and w are multiples of 32: best first, in canvas pixels.

    Faces below `min_score` (0 to 1) are dropped; of two boxes whose intersection over union is above `max_overlap`, the
    better one stays. Boxes may reach over the border.
    """
    count, *size = canvases_nhwc.shape[:3]
    blank = -count % max(1, PADDED // (size[0] * size[1]))
    outputs = session(np.pad(canvases_nhwc, ((0, blank), (0, 0), (0, 0), (0, 0))) if blank else canvases_nhwc)
    scores_na = np.concatenate([_scores(outputs, stride) for stride in STRIDES], axis=1)
    canvas_k, anchor_k = np.nonzero(scores_na[:count] >= min_score)
    boxes_k4, points_k52 = _decode(outputs, canvas_k, anchor_k, size)
    scores_k = scores_na[canvas_k, anchor_k]
    ends = np.searchsorted(canvas_k, np.arange(count + 1))
    found = []
    for start, end in pairwise(ends.tolist()):
        faces = Faces(boxes_k4[start:end], points_k52[start:end], scores_k[start:end])
        found.append(faces.take(suppress(faces, max_overlap)))
    return found


def suppress(faces: Faces, max_overlap: float, *, contained: float = np.inf) -> I64:
    """Greedy non-maximum suppression: indices of the faces to keep, best score first.

    Of two kept boxes the intersection over union is at most `max_overlap`, and at most `contained` of the smaller one
    lies inside the other.
    """
    order = np.argsort(-faces.scores, kind="stable")
    if len(order) < 2:
        return order
    left, top, width, height = faces.boxes.T
    area = width * height
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        across = np.minimum(left[best] + width[best], left[rest] + width[rest]) - np.maximum(left[best], left[rest])
        down = np.minimum(top[best] + height[best], top[rest] + height[rest]) - np.maximum(top[best], top[rest])
        common = np.clip(across, 0, None) * np.clip(down, 0, None)
        apart = common <= max_overlap * (area[best] + area[rest] - common)
        order = rest[apart & (common <= contained * np.minimum(area[best], area[rest]))]
    return np.asarray(kept, np.int64)


def _scores(outputs: dict[str, F32], stride: int) -> F32:
    """(n, a) confidence at the anchors of one level: the geometric mean of "is a face" and "there is an object"."""
    face, there = outputs[f"cls_{stride}"][..., 0], outputs[f"obj_{stride}"][..., 0]
    return np.asarray(np.sqrt(np.clip(face, 0, 1) * np.clip(there, 0, 1)), np.float32)


def _decode(outputs: dict[str, F32], canvas_k: I64, anchor_k: I64, size: Sequence[int]) -> tuple[F32, F32]:
    """(k, 4) boxes and (k, 5, 2) landmarks at anchors of canvases, numbered over all levels; in canvas pixels."""
    boxes, points = np.zeros((len(anchor_k), 4), np.float32), np.zeros((len(anchor_k), 5, 2), np.float32)
    first = 0
    for stride in STRIDES:
        corners_a2 = _corners(size[0] // stride, size[1] // stride)
        where = np.flatnonzero((anchor_k >= first) & (anchor_k < first + len(corners_a2)))
        here = anchor_k[where] - first
        first += len(corners_a2)
        box, point = (outputs[f"{name}_{stride}"][canvas_k[where], here] for name in ("bbox", "kps"))
        centre, extent = (corners_a2[here] + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride
        boxes[where] = np.concatenate([centre - extent / 2, extent], axis=1)
        points[where] = (point.reshape(-1, 5, 2) + corners_a2[here, None]) * stride
    return boxes, points


@lru_cache(maxsize=64)
def _corners(rows: int, columns: int) -> F32:
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
