"""SFace, the default face embedding (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss", 2021)."""

from __future__ import annotations

import numpy as np

from unmingle.models.cards import SFACE
from unmingle.models.graphs import BANDS, prepared_model
from unmingle.models.runtime import Session, open_session
from unmingle.records import F32, U8
from unmingle.settings import Engine, Precision

EMBEDDING = "fc1"
TOP_BAND = 2  # of seven bands of 16 pixels: the two above the brows show hair and hats


def open_sface(*, engine: Engine = "auto", precision: Precision = "auto", threads: int = 0) -> Session:
    """A session of the embedding; it maps (n, 112, 112, 3) uint8 RGB aligned faces to the outputs `describe` reads."""
    int8 = precision == "int8"
    graph = prepared_model(SFACE, "embedding", int8=int8)
    return open_session(graph, engine=engine, precision=precision, threads=threads, quantised=int8)


def embed(session: Session, aligned_nhwc: U8) -> F32:
    """Embed aligned faces: the first of what `describe` returns."""
    return describe(session, aligned_nhwc)[0]


def describe(session: Session, aligned_nhwc: U8) -> tuple[F32, F32]:
    """Embed aligned faces (n, 112, 112, 3) uint8 RGB, and tell what the network saw, from the brows to the chin.

    (n, 128) float32, each of length 1; and (n, 512, 5) float32, the averages of the channels of the twelfth block over
    five bands across the face, 16 pixels high each.
    """
    outputs = session(aligned_nhwc)
    vectors_nd = outputs[EMBEDDING]
    length_n1 = np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    unit_nd = np.asarray(vectors_nd / np.maximum(length_n1, np.finfo(np.float32).tiny), np.float32)
    return unit_nd, outputs[BANDS][:, :, TOP_BAND:, 0]
