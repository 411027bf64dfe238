"""The grouping of a collection that no machine holds, in parts, as plain functions on Arrow tables.

A row is a cluster with the vectors of all its faces. Each round divides the face space into cells anew: what of a
person lay in two meets later, as means of clusters are steadier than single faces. First every cluster is in one cell,
where the usual linkage merges; then copies are sent to further cells, which name pairs, and the surest are merged,
until there are none. One impostor model and the number of rivals of the whole collection judge everywhere. Nothing
depends on how rows are divided, on their order, or on who works on which cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from unmingle.grouping.cluster import measured_threshold
from unmingle.grouping.clusters import Clusters, unit_rows
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import ImpostorModel
from unmingle.grouping.index import exact_nearest
from unmingle.grouping.inverted_index import InvertedIndex
from unmingle.grouping.linkage import Linkage
from unmingle.grouping.refine import CROWD_FACES, join_fragments, part_crowds, reassign
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.records import F32, F64, I64, Bool
from unmingle.settings import GroupingSettings
from unmingle.store.face_rows import look_up

SAMPLE = 1 << 17  # faces of which the cells are learned, and on which it is measured how strangers spread
CELL_FACES = 25_000  # faces of a cell: all are compared with all
KEPT_FACES = 5_000  # faces of a cell in which clusters are kept for those that come later
WHOLE_ROUNDS = 2  # rounds in which each cluster is in one cell
# Of the false merges that are expected altogether, as many as these rounds may make: who is alone in its cell, away
# from its own, is not to be merged with a stranger, and what is left apart now meets again.
EARLY_SHARE = 0.1
COPIES = 3  # cells that each cluster is sent to, once cells only name pairs
NEAR = 8  # clusters that each is compared with in a cell
ROWS_A_CENTRE = 64  # rows of which each centre of a cell is learned


MOVED = pa.schema({"face": pa.int64(), "person": pa.int64()})


@dataclass(frozen=True, slots=True)
class Plan:
    """What all cells have in common; made once of a sample."""

    threshold: FalseMergeThreshold
    measure: partial[F64]  # how crowded it is where faces lie; see `local_excess`
    sample_nd: F32
    faces: int  # core faces of the whole collection
    together: str  # the column of which two faces with one value are two people

    @classmethod
    def of(cls, sample_nd: NDArray[Any], faces: int, settings: GroupingSettings, curve: ImpostorModel) -> Self:
        """From the vectors of a sample, at most `SAMPLE`, of so many core faces."""
        unit_nd = unit_rows(sample_nd)
        card = FalseMergeThreshold(curve=curve, expected=settings.expected_false_merges)
        threshold, measure = measured_threshold(unit_nd, card)
        together = "picture" if settings.co_occurrence else "face"
        return cls(threshold, measure, unit_nd, faces, together)

    def centres(self, turn: int, faces: int | None = None) -> F32:
        """(c, d) the middles of the cells of a round, of so many faces each; None: `CELL_FACES`."""
        cells = max(1, round(self.faces / (faces or CELL_FACES)))
        order = np.random.default_rng(turn).permutation(len(self.sample_nd))
        return InvertedIndex(self.sample_nd[order[: ROWS_A_CENTRE * cells]], cells=cells).centres_cd


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """The c clusters of a table, by rising name, and their n faces, cluster after cluster."""

    name_c: I64  # of each cluster: the least key of its faces
    size_c: I64
    core_c: Bool  # whether it has core faces; of border faces, each is a cluster by itself
    home_c: Bool  # whether this is the nearest of the cells that it was sent to
    fresh_c: Bool  # whether it changed since it was last compared
    face_n: I64  # the key of each face
    picture_n: I64  # the key of its picture, in which no two faces are one person
    excess_n: F64
    quality_n: F32  # see `faces.quality`
    vectors_nd: F32

    @classmethod
    def of(cls, table: pa.Table) -> Cell:
        """From the rows of a table, in any order."""
        table = _by_name(table)
        lists = {name: flat(table, name) for name in ("faces", "pictures", "excess", "quality", "vectors")}
        n = len(lists["faces"])
        return cls(
            table["cluster"].to_numpy(),
            sizes(table),
            _flags(table, "core"),
            _flags(table, "home"),
            _flags(table, "fresh"),
            lists["faces"],
            lists["pictures"],
            lists["excess"].astype(np.float64),
            lists["quality"].astype(np.float32),
            unit_rows(lists["vectors"].reshape(n, -1)) if n else np.zeros((0, 1), np.float32),
        )

    @classmethod
    def empty(cls, width: int) -> Cell:
        """Of no clusters."""
        key, flag, vectors_nd = np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros((0, width), np.float32)
        return cls(key, key, flag, flag, flag, key, key, np.zeros(0), vectors_nd[:, 0], vectors_nd)

    def _faces(self, rows_k: NDArray[Any]) -> tuple[Any, ...]:
        every = (self.face_n, self.picture_n, self.excess_n, self.quality_n, self.vectors_nd)
        return tuple(of[rows_k] for of in every)

    @property
    def start_c(self) -> I64:
        """The row of the first face of each cluster."""
        return np.cumsum(self.size_c) - self.size_c

    def clusters(self) -> Clusters:
        """The state of the usual passes, where a cluster's slot is the row of its first face."""
        clusters = Clusters(self.vectors_nd, self.slot_n, self.constraints())
        clusters.face_excess_n = self.excess_n
        return clusters

    def linkage(self) -> Linkage:
        """The same for linkage."""
        slot_n = self.slot_n
        tied = np.flatnonzero(slot_n != np.arange(len(slot_n)))
        linkage = Linkage(self.vectors_nd, self.constraints().with_same(np.stack([slot_n[tied], tied], axis=1)))
        linkage.clusters.face_excess_n = self.excess_n
        return linkage

    @property
    def slot_n(self) -> I64:
        """The row of the first face of each face's cluster."""
        return np.repeat(self.start_c, self.size_c)

    def constraints(self) -> Constraints:
        """No two faces of a picture are one person."""
        _, picture_n = np.unique(self.picture_n, return_inverse=True)
        return Constraints.of_frames(picture_n)

    def taken(self, some_c: Bool) -> Cell:
        """Some of the clusters."""
        core_c, home_c, fresh_c = self.core_c[some_c], self.home_c[some_c], self.fresh_c[some_c]
        faces = self._faces(np.repeat(some_c, self.size_c))
        return Cell(self.name_c[some_c], self.size_c[some_c], core_c, home_c, fresh_c, *faces)

    def regrouped(self, slot_n: I64) -> Cell:
        """The clusters in which the faces are now, at home and fresh."""
        order = np.lexsort((self.face_n, slot_n))
        _, start, size = np.unique(slot_n[order], return_index=True, return_counts=True)
        core_c = np.add.reduceat(np.repeat(self.core_c, self.size_c)[order], start) > 0
        faces = self._faces(order)
        yes = np.ones(len(start), np.bool_)
        return Cell(faces[0][start], size, core_c, yes, yes, *faces)

    def means(self) -> F32:
        """(c, d) mean of each cluster."""
        total = np.add.reduceat(self.vectors_nd, self.start_c, axis=0, dtype=np.float64)
        return np.asarray(total / self.size_c[:, None], np.float32)

    def table(self) -> pa.Table:
        """The rows again; vectors in half precision."""
        ends = np.concatenate([[0], np.cumsum(self.size_c)])
        width = self.vectors_nd.shape[1]

        def lists(values: NDArray[Any], factor: int = 1) -> pa.Array:
            return pa.LargeListArray.from_arrays(pa.array(ends * factor, pa.int64()), pa.array(values))

        return pa.table(
            {
                "cluster": self.name_c,
                "core": self.core_c,
                "home": self.home_c,
                "fresh": self.fresh_c,
                "faces": lists(self.face_n),
                "pictures": lists(self.picture_n),
                "excess": lists(self.excess_n.astype(np.float32)),
                "quality": lists(self.quality_n.astype(np.float16)),
                "vectors": lists(self.vectors_nd.astype(np.float16).ravel(), width),
            }
        )


ROWS = Cell.empty(1).table().schema


def _by_name(table: pa.Table) -> pa.Table:
    """By rising name, each once: the same picture may have been found at several places."""
    name_c = table["cluster"].to_numpy()
    rises = (name_c[1:] > name_c[:-1]).all()
    return table if rises else table.take(pa.array(np.unique(name_c, return_index=True)[1]))


def _flags(table: pa.Table, name: str) -> Bool:
    return np.asarray(table[name].to_numpy(), np.bool_)


def sizes(table: pa.Table) -> I64:
    """How many faces each row has."""
    return np.asarray(table["faces"].combine_chunks().value_lengths().to_numpy(zero_copy_only=False), np.int64)


def flat(table: pa.Table, name: str) -> NDArray[Any]:
    """What the lists of a column hold, one after another."""
    return np.asarray(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False))


def lookup(wanted_n: I64, key_m: I64, value_m: I64, other: int) -> I64:
    """(n,) the value of each wanted key, or `other` where it is none of them."""
    order = np.argsort(key_m, kind="stable")
    return look_up(key_m[order], value_m[order], wanted_n, other)


def members(rows: pa.Table, moved: pa.Table) -> tuple[I64, I64, Bool]:
    """Each face of some rows, the name of the cluster that it is in once some have moved, and whether it is core."""
    cell = Cell.of(rows)
    cluster_n = np.repeat(cell.name_c, cell.size_c)
    to_n = lookup(cell.face_n, moved["face"].to_numpy(), moved["person"].to_numpy(), -1)
    return cell.face_n, np.where(to_n < 0, cluster_n, to_n), np.repeat(cell.core_c, cell.size_c)


def quality(faces: pa.Table) -> F32:
    """(n,) the quality of each face; 0, of which no cluster is taken for a crowd, where it isn't known."""
    known = faces["quality"].to_numpy() if "quality" in faces.column_names else np.zeros(len(faces))
    return np.nan_to_num(known).astype(np.float32)


def singles(faces: pa.Table, plan: Plan) -> pa.Table:
    """A row for each face, from columns face, picture, core, vector and, if it is there, quality."""
    unit_nd = unit_rows(flat(faces, "vector").reshape(len(faces), -1))
    measured = (plan.measure(unit_nd), quality(faces), unit_nd)
    columns = (faces["face"].to_numpy(), faces[plan.together].to_numpy(), *measured)
    core_n = _flags(faces, "core")
    yes = np.ones_like(core_n)
    return Cell(columns[0], np.ones(len(faces), np.int64), core_n, yes, yes, *columns).table()


def placed(rows: pa.Table, centres_cd: F32, *, copies: int = 1, single: int | None = None) -> pa.Table:
    """Rows with the cell of each copy, of which single faces have `single`; `home` is true for the nearest."""
    rows = _by_name(rows)
    size_c = sizes(rows)
    vectors_nd = flat(rows, "vectors").astype(np.float32).reshape(size_c.sum(), -1)
    single = single or copies
    total_cd = np.add.reduceat(vectors_nd, np.cumsum(size_c) - size_c)
    near_cm = exact_nearest(total_cd, centres_cd, max(copies, single)).index_qk
    near_cm[size_c > 1, copies:] = near_cm[size_c == 1, single:] = -1
    row, rank = np.nonzero(near_cm >= 0)
    table = rows.drop_columns(["home"]).take(pa.array(row))
    table = table.append_column("cell", pa.array(near_cm[row, rank].astype(np.int32)))
    return table.append_column("home", pa.array(rank == 0))


def link(rows: pa.Table, plan: Plan) -> pa.Table:
    """Merge the clusters of a cell by average and top quartile, and move faces that went to the wrong person."""
    cell = Cell.of(rows)
    linkage = cell.linkage()
    # As many rivals as in the whole collection, of which this is an even part.
    linkage.clusters.rivals = plan.faces / len(cell.face_n)
    early = replace(plan.threshold, expected=EARLY_SHARE / WHOLE_ROUNDS * plan.threshold.expected)
    clusters, near_n = linkage.run(early), linkage.near_n
    clusters.measure(np.flatnonzero(clusters.size_n > 1))
    join_fragments(clusters, early)
    reassign(clusters, near_n, early)
    return cell.regrouped(clusters.slot_n).table()


def pairs(rows: pa.Table, plan: Plan, clusters: int) -> pa.Table:
    """The pairs of a cell, one of them fresh, that may be one person, with their score; clusters: of all cells."""
    cell = Cell.of(rows)
    state, slots = cell.clusters(), cell.start_c
    mean_cd, fresh = state.mean_nd[slots], np.flatnonzero(cell.fresh_c)
    found = exact_nearest(mean_cd[fresh], mean_cd, NEAR, own_q=fresh)
    row, rank = np.nonzero(found.index_qk >= 0)
    near = np.unique(np.sort(np.stack([fresh[row], found.index_qk[row, rank]], axis=1), axis=1), axis=0)
    first, second = slots[near].T
    free = ~state.links.pairs(first, second)
    near, first, second = near[free], first[free], second[free]
    score = np.maximum(*state.scores(first, second, plan.threshold))
    passes = plan.threshold.accepts(score, state.size_n[first], state.size_n[second], clusters=clusters)
    first, second = cell.name_c[near[passes]].T
    return pa.table({"first": first, "second": second, "score": score[passes]})


def beside(rows: pa.Table, there: pa.Table, plan: Plan, clusters: int) -> pa.Table:
    """As `pairs`, of the rows of a cell and the clusters that were there before, which are not compared again."""
    cell, old = Cell.of(rows), Cell.of(there)
    old = old.taken(old.core_c)
    if len(old.name_c):
        fresh_cd = cell.taken(cell.fresh_c).means() if cell.fresh_c.any() else cell.vectors_nd[:0]
        found = exact_nearest(fresh_cd, old.means(), NEAR).index_qk
        near_c = np.zeros(len(old.name_c), np.bool_)
        near_c[found[found >= 0]] = True
        near = replace(old.taken(near_c), fresh_c=np.zeros(np.count_nonzero(near_c), np.bool_))
        rows = pa.concat_tables([rows.select(ROWS.names), near.table()])
    return pairs(rows, plan, clusters)


def surest(found: pa.Table) -> tuple[I64, I64]:
    """What all cells found, the surest first, as clusters and those that they take in: none does both."""
    taken: dict[int, int] = {}
    hosts: set[int] = set()
    if len(found):
        columns = (found[name].to_numpy() for name in ("first", "second", "score"))
        first, second, score = columns
        order = np.lexsort((second, first, -score))
        for one, other in zip(first[order].tolist(), second[order].tolist(), strict=True):
            # The one that took in others before goes on doing so, else the one that is named first.
            host, guest = (other, one) if other in hosts else (one, other)
            if host in taken or guest in taken or guest in hosts:
                continue
            hosts.add(host)
            taken[guest] = host
    return np.array(list(taken.values()), np.int64), np.array(list(taken), np.int64)


def merged(rows: pa.Table) -> pa.Table:
    """One row of each `group`, and of who was in a picture with others of it; those of -1 stay, no longer fresh."""
    rows = _by_name(rows)
    cell, group_c = Cell.of(rows), rows["group"].to_numpy()
    alone = group_c < 0
    old = replace(cell.taken(alone), fresh_c=np.zeros(np.count_nonzero(alone), np.bool_)).table()
    if alone.all():
        return old
    cell, group_c = cell.taken(~alone), group_c[~alone]
    slot_n, there = cell.slot_n, set[tuple[int, int]]()
    for row in np.lexsort((cell.name_c, -cell.size_c, group_c)).tolist():
        own, group = slice(cell.start_c[row], cell.start_c[row] + cell.size_c[row]), int(group_c[row])
        pictures = {(group, picture) for picture in cell.picture_n[own].tolist()}
        if there.isdisjoint(pictures):
            there |= pictures
            slot_n[own] = -1 - group
    return pa.concat_tables([old, cell.regrouped(slot_n).table()])


def parted(rows: pa.Table, plan: Plan, clusters: int) -> pa.Table:
    """The rows, with crowds in pieces, which is told by the faces of each alone; see `part_crowds`."""
    rows = _by_name(rows)
    large_c = sizes(rows) >= CROWD_FACES
    found = [rows.filter(pa.array(~large_c))]
    for row in np.flatnonzero(large_c).tolist():
        one = Cell.of(rows.slice(row, 1))
        n, step = len(one.face_n), 1
        state = Clusters(one.vectors_nd, np.arange(n))
        state.face_excess_n, state.elsewhere = one.excess_n, clusters - 1
        while step < n:  # by halves: `merge_in_turn` takes a minute for 20,000
            gone = np.arange(step, n, 2 * step)
            state.merge(gone - step, gone, how="average")
            step *= 2
        part_crowds(state, plan.threshold, one.quality_n)
        found.append(replace(one, excess_n=state.face_excess_n).regrouped(state.slot_n).table())
    return pa.concat_tables(found)
