"""SFace, the default face embedding (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss", 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.models.catalogue import SFACE, prepared_model
from unmingle.models.runtime import open_session

if TYPE_CHECKING:
    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8
    from unmingle.settings import Engine, Precision


def open_sface(*, engine: Engine = "auto", precision: Precision = "auto", threads: int = 0) -> Session:
    """A session of the embedding; it maps (n, 112, 112, 3) uint8 RGB aligned faces to (n, 128)."""
    return open_session(prepared_model(SFACE, "embedding"), engine=engine, precision=precision, threads=threads)


def embed(session: Session, aligned_nhwc: U8) -> F32:
    """Embed aligned faces.

    Args:
        session: from `open_sface`.
        aligned_nhwc: (n, 112, 112, 3) uint8, RGB, aligned to the five-point template.

    Returns:
        (n, 128) float32, each of length 1.
    """
    (vectors_nd,) = session(aligned_nhwc).values()
    length_n1 = np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    return np.asarray(vectors_nd / np.maximum(length_n1, np.finfo(np.float32).tiny), np.float32)
