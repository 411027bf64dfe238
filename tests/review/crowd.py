"""A library of very many made-up people, made without any model and without grouping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from tests.made_library import analysis, empty, put

from unmingle.decisions.assignment import Measured, store_assignment
from unmingle.decisions.state import State
from unmingle.store import facts
from unmingle.store.face_rows import ALONE, faces_to_group
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path


def crowd(folder: Path, *, people: int, lone: int) -> Path:
    """Person 1 has six faces and everybody else one, since each is a request of the page; `lone` faces are nobody's."""
    random = np.random.default_rng(3)
    owner_n = [0] * 5 + list(range(people)) + [ALONE] * lone
    centres = random.normal(size=(people, 64))
    jpegs = [cv2.imencode(".jpg", np.full((96, 96, 3), shade, np.uint8))[1].tobytes() for shade in range(40, 240, 10)]
    with open_to_write(empty(folder)) as store:
        store.set_fact(facts.SCALE, "1.0")
        with store.transaction() as connection:
            for face, owner in enumerate(owner_n):
                vector = (0 if owner == ALONE else centres[owner]) + random.normal(size=64) * (
                    1 if owner == ALONE else 0.4
                )
                jpeg = jpegs[owner % len(jpegs)]
                box = (80, 80, 80, 80)
                found = analysis(vector[None], box, size=(300, 300), quality=0.9, thumbnail=jpeg)
                put(connection, f"c_{face:06}.jpg", found)
            state = State.read(store)
        grouped = faces_to_group(store)
        row = dict(store.connection.execute("SELECT face.id, digest FROM face JOIN analysis ON analysis.id = analysis"))
        labels = np.array([owner_n[int(row[face][2:8])] for face in grouped.ids.tolist()])
        sure = np.full(len(labels), 0.99)
        store_assignment(store, grouped, Measured(labels, np.full(people, 0.8), sure, sure), state)
    return folder
