"""Single faces of cells are judged among the whole collection."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from tests.distributed.test_cells import in_cells, table

from unmingle.distributed import cells, outliers
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

PEOPLE, FACES, ODD = 60, 8, 40


def test_the_same_faces_join_the_same_people_whatever_the_cells() -> None:
    random = np.random.default_rng(4)
    mean_pd = random.normal(size=(PEOPLE, 128))
    faces_nd = np.repeat(mean_pd, FACES, axis=0) + random.normal(size=(PEOPLE * FACES, 128))
    odd_nd = np.concatenate([0.9 * mean_pd[: ODD // 2], np.zeros((ODD // 2, 128))])
    odd_nd += 1.6 * random.normal(size=odd_nd.shape)
    vectors_nd = np.concatenate([faces_nd, odd_nd]).astype(np.float32)
    key_n = np.arange(len(vectors_nd))
    plan = cells.Plan.of(faces_nd, len(faces_nd), GroupingSettings(), SFACE_CURVE)
    slot_n = np.append(key_n[: len(faces_nd)] // FACES * FACES, key_n[len(faces_nd) :])
    picture_n = key_n.copy()
    picture_n[len(faces_nd)] = 0  # the first odd face is in a picture with one of whom it is like
    singles = cells.singles(table(vectors_nd, key_n, picture_n), plan)
    rows = cells.merged(singles.append_column("group", pa.array(np.where(key_n < len(faces_nd), slot_n, -1))))
    moments = outliers.moments(rows, plan)
    parts = [outliers.moments(rows.slice(start, 17), plan) for start in range(0, len(rows), 17)]
    assert np.array_equal(sum(parts[::-1]), moments)  # in whatever parts and order

    def found(many: int) -> dict[int, int]:
        sent = cells.placed(rows, plan.centres(0, len(faces_nd) // many), single=many)
        named = [outliers.attach(cell, plan, moments) for cell in in_cells(sent)]
        return dict(zip(*outliers.attached(pa.concat_tables(named), plan).to_pydict().values(), strict=True))

    whole = found(1)
    assert sum((face - len(faces_nd)) * FACES == person for face, person in whole.items()) >= ODD // 4
    assert len(faces_nd) not in whole
    assert found(5) == whole
