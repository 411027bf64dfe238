"""One factory of what an analysis finds, made without any model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import Analysis, Faces, Triage

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from unmingle.records import F32


def faces(boxes_n4: ArrayLike, *, score: float = 1.0) -> Faces:
    """Faces in these boxes: left, top, width, height."""
    boxes = np.asarray(boxes_n4, np.float32).reshape(-1, 4)
    n = len(boxes)
    return Faces(boxes, np.ones((n, 5, 2), np.float32), np.full(n, score, np.float32))


def analysis(
    vectors_nd: ArrayLike,
    boxes_n4: ArrayLike | None = None,
    *,
    size: tuple[int, int] | None = None,
    quality: ArrayLike = 1.0,
    thumbnail: bytes = b"",
    triage: Triage | None = None,
) -> Analysis:
    """A picture whose faces have these embeddings; side by side if not told where."""
    vectors: F32 = np.asarray(vectors_nd, np.float32)
    n = len(vectors)
    found = faces([(100 * i, 0, 80, 90) for i in range(n)] if boxes_n4 is None else boxes_n4)
    width, height = size or (100 * n, 100)
    quality_n = np.broadcast_to(np.asarray(quality, np.float32), n).copy()
    return Analysis(width, height, found, vectors, quality_n, (thumbnail,) * n, triage or Triage.alike(n))
