"""Grouping in parts, without an engine: what the parts make is what one machine makes of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.grouping.test_crowded import of_quality, small_crowd, strays

from unmingle.distributed import cells, outliers
from unmingle.evaluation import metrics
from unmingle.evaluation.metrics import contingency
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.records import F32, I64

SIZES = [40] * 4 + [12] * 20 + [5] * 60 + [2] * 60 + [1] * 120


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> tuple[F32, I64, I64]:
    """Vectors of 880 faces whose persons lie in several cells, who each is, and their keys."""
    monkeypatch.setattr(cells, "CELL_FACES", 150)
    random = np.random.default_rng(3)
    person_n = random.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    vectors_nd = random.normal(size=(len(SIZES), 128))[person_n] + random.normal(size=(len(person_n), 128))
    key_n = random.permutation(len(person_n)) * 1000
    return vectors_nd.astype(np.float16).astype(np.float32), person_n, key_n


def table(vectors_nd: F32, key_n: I64, picture_n: I64 | None = None, core_n: object = None) -> pa.Table:
    vectors = pa.array(list(vectors_nd.astype(np.float16)), pa.list_(pa.float16()))
    core = np.ones(len(key_n), np.bool_) if core_n is None else core_n
    return pa.table(
        {"face": key_n, "picture": key_n if picture_n is None else picture_n, "core": core, "vector": vectors}
    )


def with_quality(faces: pa.Table, quality: float) -> pa.Table:
    return faces.append_column("quality", pa.array(np.full(len(faces), quality, np.float32)))


def in_cells(rows: pa.Table) -> Iterator[pa.Table]:
    """The groups of a table, as any engine makes them."""
    for cell in np.unique(rows["cell"].to_numpy()):
        yield rows.filter(pa.array(rows["cell"].to_numpy() == cell))


def grouped(parts: list[pa.Table]) -> tuple[dict[int, int], int]:
    """The person of each face, and the number of rounds, where the rows come in such parts."""
    faces = pa.concat_tables(parts)
    faces = faces.take(pa.array(np.unique(faces["face"].to_numpy(), return_index=True)[1]))
    core = faces.filter(faces["core"])
    plan = cells.Plan.of(cells.flat(core, "vector").reshape(len(core), -1), len(core), GroupingSettings(), SFACE_CURVE)
    singles = pa.concat_tables([cells.singles(part, plan) for part in parts])
    rows, border = singles.filter(singles["core"]), singles.filter(pc.invert(singles["core"]))
    for turn in range(cells.WHOLE_ROUNDS):
        rows = pa.concat_tables([cells.link(cell, plan) for cell in in_cells(cells.placed(rows, plan.centres(turn)))])
    while True:
        turn += 1
        sent = cells.placed(rows, plan.centres(turn), copies=cells.COPIES)
        first, second = cells.surest(pa.concat_tables([cells.pairs(cell, plan, len(rows)) for cell in in_cells(sent)]))
        if not len(first):
            break
        of = cells.lookup(rows["cluster"].to_numpy(), np.append(first, second), np.append(first, first), -1)
        rows = cells.merged(rows.append_column("group", pa.array(of)))
    rows = cells.parted(rows, plan, len(rows))
    both = pa.concat_tables([rows, border])
    sent, moments = cells.placed(both, plan.centres(turn), single=outliers.COPIES), outliers.moments(both, plan)
    named = pa.concat_tables([outliers.attach(cell, plan, moments) for cell in in_cells(sent)])
    moved = outliers.attached(named, plan)
    face, cluster, _ = cells.members(pa.concat_tables([rows, border]), moved)
    return dict(zip(face.tolist(), cluster.tolist(), strict=True)), turn


def score(true_n: I64, found_n: object) -> float:
    return metrics.pairwise(contingency(true_n, np.unique(np.asarray(found_n), return_inverse=True)[1])).f1


def test_parts_make_what_the_whole_makes(faces: tuple[F32, I64, I64]) -> None:
    vectors_nd, person_n, key_n = faces
    found, rounds = grouped([table(vectors_nd, key_n)])
    whole = cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    assert rounds > cells.WHOLE_ROUNDS  # some people did lie in several cells
    assert score(person_n, [found[key] for key in key_n.tolist()]) >= score(person_n, whole) - 0.002


def test_it_matters_neither_how_faces_are_divided_nor_in_which_order(faces: tuple[F32, I64, I64]) -> None:
    vectors_nd, _, key_n = faces
    once, _ = grouped([table(vectors_nd, key_n)])
    order = np.random.default_rng(8).permutation(len(key_n))
    parts = np.array_split(order, 7)
    again, _ = grouped([table(vectors_nd[part], key_n[part]) for part in parts])
    assert once == again


def test_a_face_that_comes_twice_counts_once(faces: tuple[F32, I64, I64]) -> None:
    vectors_nd, _, key_n = faces
    once, _ = grouped([table(vectors_nd, key_n)])
    twice, _ = grouped([table(vectors_nd, key_n), table(vectors_nd[:50], key_n[:50])])
    assert once == twice


def test_two_faces_of_a_picture_are_two_people(faces: tuple[F32, I64, I64]) -> None:
    vectors_nd, person_n, key_n = faces
    one, other = np.flatnonzero(person_n == 0)[:2]
    picture_n = key_n.copy()
    picture_n[other] = picture_n[one]
    found, _ = grouped([table(vectors_nd, key_n, picture_n)])
    assert found[int(key_n[one])] != found[int(key_n[other])]


def test_border_faces_join_and_make_nobody(faces: tuple[F32, I64, I64]) -> None:
    vectors_nd, person_n, key_n = faces
    core_n = np.ones(len(key_n), np.bool_)
    core_n[np.flatnonzero(person_n == 0)[:3]] = False  # of 40
    core_n[person_n == 4] = False  # all twelve
    found, _ = grouped([table(vectors_nd, key_n, core_n=core_n)])
    mates = {found[key] for key in key_n[person_n == 0].tolist()}
    assert len(mates) == 1
    assert len({found[key] for key in key_n[person_n == 4].tolist()}) == 12


@pytest.mark.parametrize("cell_faces", [1000, 30])
def test_a_crowd_is_taken_apart_where_pictures_are_good(cell_faces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "CELL_FACES", cell_faces)
    vectors_nd, person_n = small_crowd(0)
    vectors_nd = vectors_nd.astype(np.float16).astype(np.float32)
    key_n = np.random.default_rng(0).permutation(len(person_n)) * 1000
    faces = table(vectors_nd, key_n)
    unknown, good = (
        np.unique([found[key] for key in key_n.tolist()], return_inverse=True)[1]
        for found, _ in map(grouped, ([faces], [with_quality(faces, 1.0)]))
    )
    assert strays(unknown, person_n) > 0.8
    assert score(of_quality(vectors_nd, 1.0), good) == 1  # as on one machine


def test_it_matters_not_with_whom_a_crowd_is_in_a_table() -> None:
    vectors_nd, _ = small_crowd(0)
    plan = cells.Plan.of(vectors_nd, len(vectors_nd), GroupingSettings(), SFACE_CURVE)
    key_n = np.arange(len(vectors_nd))
    crowd = cells.link(
        cells.placed(cells.singles(with_quality(table(vectors_nd, key_n), 1.0), plan), plan.centres(0)), plan
    )
    whole = cells.parted(crowd, plan, 500)
    parts = [cells.parted(crowd.slice(row, 1), plan, 500) for row in range(len(crowd))]
    assert len(whole) > len(crowd)
    assert whole.sort_by("cluster").equals(pa.concat_tables(parts).combine_chunks().sort_by("cluster"))


def test_no_rows() -> None:
    assert not len(cells.surest(pa.table({}))[0])
    assert cells.lookup(np.array([1, 2]), np.zeros(0, np.int64), np.zeros(0, np.int64), -1).tolist() == [-1, -1]
