"""New faces among people who are there: only the cells that they fall into are read, compared and written again.

Clusters of the last grouping are kept in cells, by the files that the state names, which is written last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
import ray.data
from ray.data.expressions import col

from unmingle.distributed import cells, grouping, outliers
from unmingle.distributed.grouping import LEAST_FACES, Grouped, in_cells, in_groups, members, merged, on_blocks, whole
from unmingle.distributed.place import CLUSTERS, Place
from unmingle.grouping.impostors import ImpostorModel
from unmingle.grouping.threshold import FalseMergeThreshold, local_excess
from unmingle.records import F32, F64, I64, Bool
from unmingle.settings import GroupingSettings
from unmingle.store.face_rows import ALONE, look_up

STATE, FORMAT = f"{CLUSTERS}/state.json", 3
WHOLE = ("centres", "cohort", "moments")  # what the last grouping of all leaves, besides the cells
GROWN = 0.25  # faces that may come to those that were grouped all together before all are grouped again


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What the last grouping left in a place."""

    place: Place
    # By which settings, of how many core faces, how many clusters; parts of faces that were grouped; each cell's file.
    state: dict[str, Any]
    centres_cd: F32
    cohort: pa.Table  # see `local_excess`: mean, size and person of each cluster
    moments: F64  # see `outliers.moments`

    @classmethod
    def read(cls, place: Place, settings: GroupingSettings) -> Kept | None:
        """None if there is nothing, or other settings judged."""
        state = json.loads(place.read_text(STATE) or "{}")
        if state.get("format") != FORMAT or state["settings"] != asdict(settings):
            return None
        centres, cohort, moments = (place.read(f"{CLUSTERS}/{name}-{state['whole']:04}.parquet") for name in WHOLE)
        centres_cd = cells.flat(centres, "centre").reshape(len(centres), -1)
        width = centres_cd.shape[1] + 2
        return cls(place, state, centres_cd, cohort, cells.flat(moments, "moments").reshape(-1, width, width))

    def has_room(self, faces: int) -> bool:
        """Whether so many more are few beside those that were grouped all together."""
        return bool(self.state["added"] + faces <= GROWN * self.state["core"])

    def plan(self, curve: ImpostorModel) -> cells.Plan:
        """By which the last grouping judged."""
        state, cohort = self.state, self.cohort
        expected = state["settings"]["expected_false_merges"]
        threshold = FalseMergeThreshold(curve=curve, expected=expected, scale=state["scale"])
        measure = partial(
            local_excess,
            mean_cd=cells.flat(cohort, "mean").reshape(len(cohort), -1),
            curve=curve,
            size_c=cohort["size"].to_numpy(),
            person_c=cohort["person"].to_numpy(),
        )
        return cells.Plan(threshold, measure, self.centres_cd, state["core"], state["together"])

    def cell(self, number: int, hidden: I64) -> pa.Table:
        """The clusters of a cell but the `hidden` ones, at home and not fresh."""
        if str(number) not in self.state["cells"]:
            return cells.Cell.empty(self.centres_cd.shape[1]).table()
        table = self.place.read(f"{CLUSTERS}/{self.state['cells'][str(number)]}")
        table = table.filter(pc.invert(pc.is_in(table["cluster"], value_set=pa.array(hidden))))
        no = np.zeros(len(table), np.bool_)
        table = table.drop_columns(["home", "fresh"]).append_column("home", [~no]).append_column("fresh", [no])
        return table.select(cells.ROWS.names).cast(cells.ROWS)

    def store(self, rows: ray.data.Dataset, hidden: I64, lost: Sequence[int] = ()) -> None:
        """Write the cells in which these rows are, without the hidden, and those that lost some; then the state."""
        told = ray.put((self, hidden))
        written = [whole(in_cells(rows, self.centres_cd, _written, told=told))] if rows.count() else []
        if left := sorted(set(lost).difference(*(table["cell"].to_pylist() for table in written))):
            written.append(whole(in_groups(ray.data.from_arrow(pa.table({"cell": left})), _written, told=told)))
        for table in written:
            self.state["cells"].update((str(row["cell"]), row["file"]) for row in table.to_pylist())
        self.place.write_text(STATE, json.dumps(self.state))
        needed = {*self.state["cells"].values(), *(f"{of}-{self.state['whole']:04}.parquet" for of in WHOLE)}
        for name in set(self.place.names(CLUSTERS)) - needed:
            self.place.delete(f"{CLUSTERS}/{name}")


def keep(place: Place, grouped: Grouped, settings: GroupingSettings, parts: Sequence[str]) -> None:
    """Keep what a whole grouping made, if it was made in cells."""
    plan, run = grouped.plan, json.loads(place.read_text(STATE) or "{}").get("run", 0) + 1
    if plan is None or grouped.clusters is None or grouped.moments is None:
        return
    of: dict[str, Any] = plan.measure.keywords
    lists = {"centre": plan.centres(0, cells.KEPT_FACES), "mean": of["mean_cd"]}
    centre, mean = (pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1]) for rows in lists.values())
    cohort = pa.table({"mean": mean, "size": of["size_c"], "person": of["person_c"]})
    moments = pa.table({"moments": list(grouped.moments.reshape(len(grouped.moments), -1))})
    for name, table in zip(WHOLE, (pa.table({"centre": centre}), cohort, moments), strict=True):
        place.write(f"{CLUSTERS}/{name}-{run:04}.parquet", table)
    state = {"format": FORMAT, "run": run, "whole": run, "settings": asdict(settings), "together": plan.together}
    state |= {"scale": plan.threshold.scale, "core": plan.faces, "added": 0, "parts": list(parts), "cells": {}}
    state["clusters"] = int(grouped.notes["clusters"])
    Kept(place, state, lists["centre"], cohort, grouped.moments).store(grouped.clusters, np.zeros(0, np.int64))


def add(
    faces: ray.data.Dataset, kept: Kept, parts: Sequence[str], curve: ImpostorModel, face_n: I64, person_n: I64
) -> tuple[Grouped, Callable[[], None]]:
    """Group new faces, those of some parts, with the clusters that are kept; and what keeps these, once they are told.

    faces: see `grouping.group`; none of them may be there. face_n, person_n: whose the faces of before are, by rising
    face. The people of what comes out have the numbers of before, where they had any.
    """
    plan, centres_cd, state = kept.plan(curve), kept.centres_cd, kept.state
    hidden, lost, found = np.zeros(0, np.int64), set[int](), pa.table({})
    faces, by = faces.filter(expr=~col("doubtful")), ray.put(plan)
    rows = on_blocks(faces, cells.singles, by).materialize()
    core, border = rows.filter(expr=col("core")).materialize(), rows.filter(expr=~col("core")).materialize()
    new = core.count()
    clusters, told = state["clusters"] + new, ray.put((kept, hidden, plan))
    while new:
        found = whole(in_cells(core, centres_cd, _beside, cells.COPIES, told=told, clusters=clusters))
        first, second = cells.surest(found)
        if not len(first):
            break
        here = whole(core.select_columns(["cluster"]))["cluster"].to_numpy()
        wanted = np.setdiff1d(np.concatenate([first, second]), here)
        if len(wanted):
            name = np.concatenate([found["first"].to_numpy(), found["second"].to_numpy()])
            cell = cells.lookup(wanted, name, np.tile(found["cell"].to_numpy(), 2), ALONE)  # each is kept in one only
            some = ray.data.from_arrow(pa.table({"cell": cell, "cluster": wanted}))
            core = core.union(in_groups(some, _fetched, told=told))
            hidden, lost = np.concatenate([hidden, wanted]), lost | set(cell.tolist())
            told = ray.put((kept, hidden, plan))
        core = merged(core, first, second)
        clusters -= len(first)
    was = cells.MOVED.empty_table()  # in which cluster each face was before crowds were parted
    if new:
        was = whole(on_blocks(core, members, ray.put(was)))
        core, clusters = grouping.parted(core, by, clusters)
    both = core.union(border) if border.count() else core
    face = cluster = hidden[:0]
    is_core = face > 0
    if rows.count():
        named = in_cells(both, centres_cd, _attached, 1, outliers.COPIES, told=told)
        moved = outliers.attached(whole(named), plan)
        now = whole(on_blocks(both, members, ray.put(moved)))
        face, cluster, is_core = (now[of].to_numpy() for of in ("face", "cluster", "core"))
        # Those whom faces joined where they are kept, by the face that names them.
        hosts = np.setdiff1d(moved["person"].to_numpy(), cluster) if len(moved) else hidden[:0]
        face, cluster, is_core = np.append(face, hosts), np.append(cluster, hosts), np.append(is_core, hosts >= 0)
    crowd = cells.lookup(cluster, was[0].to_numpy(), was[1].to_numpy(), ALONE)
    assignment, people = _named(face_n, person_n, face, cluster, is_core, np.where(crowd == ALONE, cluster, crowd))
    state |= {"run": state["run"] + 1, "added": state["added"] + new, "clusters": clusters}
    state["parts"] = [*state["parts"], *parts]
    notes = {"scale": plan.threshold.scale, "clusters": float(clusters), "core": float(state["core"] + state["added"])}
    grouped = Grouped(ray.data.from_arrow(assignment), people, notes | {"added": float(new)}, plan, both)
    return grouped, lambda: kept.store(both, hidden, sorted(lost))


def _named(
    face_n: I64, person_n: I64, face_m: I64, cluster_m: I64, core_m: Bool, crowd_m: I64
) -> tuple[pa.Table, pa.Table]:
    """Whose all faces are, where some clusters changed, and the people; crowd_m: what each is a piece of."""
    name_k, some_k, at_m = np.unique(cluster_m, return_index=True, return_inverse=True)
    size_k, core_k = np.bincount(at_m, minlength=len(name_k)), np.bincount(at_m, core_m, len(name_k))
    before_m = look_up(face_n, person_n, face_m)
    pair, count = np.unique(np.stack([at_m, before_m])[:, before_m != ALONE], axis=1, return_counts=True)
    # A cluster is whose most of its faces were.
    order = np.lexsort((pair[1], -count, pair[0]))
    known, first = np.unique(pair[0][order], return_index=True)
    label_k = np.full(len(name_k), ALONE)
    label_k[known] = pair[1][order][first]
    # Of the pieces of a crowd one is who that was, as more of those faces are in it.
    piece = known[np.lexsort((-count[order][first], label_k[known], crowd_m[some_k[known]]))]
    same_2k = np.diff(np.stack([label_k[piece], crowd_m[some_k[piece]]]), axis=1) == 0
    label_k[piece[1:][same_2k.all(axis=0)]] = ALONE
    somebody = np.flatnonzero((label_k == ALONE) & (core_k > 0) & (size_k >= LEAST_FACES))
    somebody = somebody[np.lexsort((name_k[somebody], -size_k[somebody]))]
    label_k[somebody] = person_n.max(initial=0) + 1 + np.arange(len(somebody))
    # Who lost most of the faces to somebody else becomes one with them.
    gone = np.flatnonzero((label_k[pair[0]] != pair[1]) & (2 * count >= np.bincount(person_n)[pair[1]]))[::-1]
    now_p = np.arange(person_n.max(initial=0) + 1)
    now_p[pair[1][gone]] = label_k[pair[0][gone]]
    others_n, some_m = np.ones(len(face_n), np.bool_), label_k[at_m] != ALONE
    others_n[np.searchsorted(face_n, face_m[before_m != ALONE])] = False
    person = np.concatenate([now_p[person_n[others_n]], label_k[at_m[some_m]]])
    face = np.concatenate([face_n[others_n], face_m[some_m]])
    faces_p = np.bincount(person)
    there = np.flatnonzero(faces_p)
    return pa.table({"face": face, "person": person}), pa.table({"person": there, "faces": faces_p[there]})


# What workers run on the rows of a cell.


def _beside(rows: pa.Table, kept: Kept, hidden: I64, plan: cells.Plan, clusters: int) -> pa.Table:
    cell = rows["cell"][0].as_py()
    found = cells.beside(rows, kept.cell(cell, hidden), plan, clusters)
    return found.append_column("cell", pa.array(np.full(len(found), cell)))


def _fetched(rows: pa.Table, kept: Kept, hidden: I64, plan: cells.Plan) -> pa.Table:
    there = kept.cell(rows["cell"][0].as_py(), hidden)
    return there.filter(pc.is_in(there["cluster"], value_set=rows["cluster"].combine_chunks()))


def _attached(rows: pa.Table, kept: Kept, hidden: I64, plan: cells.Plan) -> pa.Table:
    there = kept.cell(rows["cell"][0].as_py(), hidden) if (cells.sizes(rows) == 1).any() else None
    return outliers.attach(rows, plan, kept.moments, there)


def _written(rows: pa.Table, kept: Kept, hidden: I64) -> pa.Table:
    cell = rows["cell"][0].as_py()
    there = kept.cell(cell, hidden)
    name = f"{cell:06}-{kept.state['run']:04}.parquet"
    new = [rows.select(cells.ROWS.names)] if "faces" in rows.column_names else []
    kept.place.write(f"{CLUSTERS}/{name}", pa.concat_tables([there, *new]))
    return pa.table({"cell": [cell], "file": [name]})
