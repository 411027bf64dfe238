"""dlib's face embedding (King 2017): a network in a format of its own, which dlib runs, of faces cut out wider."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import ModelError
from unmingle.models.cards import DLIB
from unmingle.models.registry import model_file

if TYPE_CHECKING:
    from unmingle.models.embedding import Embedder
    from unmingle.records import F32, U8

SIDE = 150
# Where YuNet finds the landmarks of `align.TEMPLATE_52` in faces that dlib cut out by landmarks of its own: medians
# over 1,000 photographs of Labeled Faces in the Wild.
TEMPLATE_52 = np.array([[43.1, 44.3], [103.2, 44.7], [71.5, 74.4], [45.3, 101.2], [96.4, 102.9]])


def open_dlib() -> Embedder:
    """The embedding of (n, 150, 150, 3) uint8 RGB; ModelError if dlib or the network is not here."""
    try:
        import dlib
    except ImportError as error:
        raise ModelError("dlib, which runs this model, is not here.", "Run: pip install 'unmingle[dlib]'") from error
    network, lock = dlib.face_recognition_model_v1(str(model_file(DLIB))), Lock()

    def embed(cut_nhwc: U8) -> F32:
        with lock:
            vectors_nd = np.array(network.compute_face_descriptor(list(np.ascontiguousarray(cut_nhwc))), np.float32)
        return np.asarray(vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True), np.float32)

    return embed
