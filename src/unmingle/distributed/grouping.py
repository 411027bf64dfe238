"""Grouping on a Ray cluster: the parts of `cells`, in rounds of Ray Data.

Rows are sorted into cells by tasks: what a lost node had is computed again, and comes out the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from ray.data.expressions import col

from unmingle.distributed import cells, outliers
from unmingle.errors import SourceError
from unmingle.grouping.cluster import Evidence, cluster_with_quality
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.progress import Progress, silent
from unmingle.records import F32, F64, I64, Bool
from unmingle.settings import GroupingSettings

# Keys are spread evenly below this: the part of all faces with keys below a share of it is an even sample.
KEYS = 1 << 63
SPARE = 1.2  # room for a sample that comes out smaller than its share
PARTS, PAIRS_A_PART = 2000, 1000  # tasks among which cells, and merged clusters, are shared out
LEAST_FACES = 2  # faces that make a person


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """What came out: who is whose, and the people."""

    assignment: ray.data.Dataset  # columns face and person, of those who are somebody
    people: pa.Table  # columns person (from 1 on) and faces, largest first
    notes: dict[str, float]  # see `FaceClusterer.notes_`
    plan: cells.Plan | None = None  # by which cells were judged, and
    clusters: ray.data.Dataset | None = None  # what they made; None where one machine grouped all
    moments: F64 | None = None  # of these clusters; see `outliers.moments`


def group(
    faces: ray.data.Dataset,
    settings: GroupingSettings | None = None,
    *,
    curve: ImpostorModel = SFACE_CURVE,
    progress: Progress = silent,
) -> Grouped:
    """Group faces by person, as `FaceClusterer` does, but on all nodes, none of which holds them all.

    faces: columns face (int64 keys, spread evenly from 0 to 2**63), picture (int64, of two faces of one picture none
    are one person), core and doubtful (bool, see `cluster_with_quality`), vector (list of float16) and, unless no
    cluster is to be taken for a crowd, quality (float, see `faces.quality`). The same face twice counts once.
    SourceError if there are none. What one cell can hold is grouped here, as on one machine; of more faces, doubtful
    ones are nobody.
    """
    settings = settings or GroupingSettings()
    faces = faces.materialize()
    if faces.count() <= cells.CELL_FACES:
        return _whole(whole(faces), settings, curve)
    faces = faces.filter(expr=~col("doubtful")).materialize()
    sample, count = _sample(faces)
    vectors_nd = cells.flat(sample, "vector").reshape(len(sample), -1)
    made = cells.Plan.of(vectors_nd, count, settings, curve)
    plan, told = ray.put(made), ray.put((made,))
    everyone = on_blocks(faces, cells.singles, plan).materialize()
    core, border = everyone.filter(expr=col("core")).materialize(), everyone.filter(expr=~col("core")).materialize()
    for turn in range(cells.WHOLE_ROUNDS):
        core = in_cells(core, made.centres(turn), cells.link, told=told).materialize()
        progress("cluster", turn + 1, cells.WHOLE_ROUNDS + 3)
    clusters, turn = core.count(), cells.WHOLE_ROUNDS
    while True:
        found = in_cells(core, made.centres(turn), cells.pairs, cells.COPIES, told=told, clusters=clusters)
        first, second = cells.surest(whole(found))
        if not len(first):
            break
        core = merged(core, first, second)
        clusters, turn = core.count(), turn + 1
        progress("cluster", min(turn, cells.WHOLE_ROUNDS + 2), cells.WHOLE_ROUNDS + 3)
    core, clusters = parted(core, plan, clusters)
    both = core.union(border) if border.count() else core
    parts = [ray.remote(outliers.moments).remote(block, plan) for block in both.to_arrow_refs()]
    moments = sum(ray.get(part) for part in parts)
    told = ray.put((made, moments))
    named = in_cells(both, made.centres(turn + 1), outliers.attach, 1, outliers.COPIES, told=told)
    moved = outliers.attached(whole(named), made)
    progress("cluster", cells.WHOLE_ROUNDS + 3, cells.WHOLE_ROUNDS + 3)
    gone = ray.put(moved)
    found = whole(on_blocks(both, _counted, gone))
    people = _people(*(found[of].to_numpy() for of in ("person", "faces", "core")))
    assignment = on_blocks(both, _assigned, gone, ray.put(people))
    notes = {"scale": made.threshold.scale, "clusters": float(clusters), "rounds": float(turn), "core": float(count)}
    return Grouped(assignment, people.drop_columns(["cluster"]), notes, made, both, moments)


def _whole(faces: pa.Table, settings: GroupingSettings, curve: ImpostorModel) -> Grouped:
    """Who is whose of so few faces that the usual passes see all of them."""
    if not len(faces):
        raise SourceError("There are no faces to group.", "Analyse pictures first.")
    key_n, first = np.unique(faces["face"].to_numpy(), return_index=True)
    faces = faces.take(pa.array(first))
    core_n, doubtful_n = (faces[of].to_numpy().astype(np.bool_) for of in ("core", "doubtful"))
    constraints = Constraints.of_frames(np.unique(faces["picture"].to_numpy(), return_inverse=True)[1])
    vectors_nd = cells.flat(faces, "vector").reshape(len(faces), -1)
    found = cluster_with_quality(
        vectors_nd,
        settings,
        curve=curve,
        constraints=constraints,
        core_n=core_n,
        doubtful_n=doubtful_n,
        quality_n=cells.quality(faces),
    )
    shown_n = np.where(Evidence.of(found, core_n, doubtful_n=doubtful_n).people_n, found.labels, -1)
    people = _people(shown_n[shown_n >= 0], np.ones(np.count_nonzero(shown_n >= 0), np.int64), core_n[shown_n >= 0])
    person_n = cells.lookup(shown_n, people["cluster"].to_numpy(), people["person"].to_numpy(), 0)
    assignment = pa.table({"face": key_n[person_n > 0], "person": person_n[person_n > 0]})
    notes = {"clusters": found.labels.max() + 1.0, "rounds": 1.0, "core": float(core_n.sum()), **dict(found.notes)}
    return Grouped(ray.data.from_arrow(assignment), people.drop_columns(["cluster"]), notes)


def _sample(faces: ray.data.Dataset) -> tuple[pa.Table, int]:
    """An even sample of the core faces, in order of their keys, and how many core faces there are."""
    core = faces.filter(expr=col("core"))
    count = core.count()
    below = min(KEYS - 1, int(KEYS * SPARE * cells.SAMPLE / max(1, count)))
    sample = whole(core.filter(expr=col("face") <= below))
    keys, first = np.unique(sample["face"].to_numpy(), return_index=True)
    return sample.take(pa.array(first[: cells.SAMPLE])), count if below < KEYS - 1 else len(keys)


def on_blocks(rows: ray.data.Dataset, work: Callable[..., pa.Table], *refs: ray.ObjectRef[Any]) -> ray.data.Dataset:
    """What is made of each block of rows, and of what is fetched where that is done, once for each task."""
    return rows.map_batches(_on_block, batch_format="pyarrow", fn_kwargs={"work": work, "refs": refs})


def in_cells(
    rows: ray.data.Dataset,
    centres_cd: F32,
    work: Callable[..., pa.Table],
    copies: int = 1,
    single: int | None = None,  # copies of single faces, if they are others
    **known: Any,  # whatever the work asks for
) -> ray.data.Dataset:
    """What is made of each cell of some rows."""
    placed = partial(cells.placed, copies=copies, single=single), ray.put(centres_cd)
    return in_groups(rows, work, len(centres_cd), *placed, **known)


def in_groups(
    rows: ray.data.Dataset, work: Callable[..., pa.Table], parts: int = 1, *placed: Any, told: Any, **known: Any
) -> ray.data.Dataset:
    """What is made of the rows of each `cell`; told: what the work asks for first; see `_split`."""
    return _shuffled(rows, "cell", min(parts, PARTS), _of_cells, (work, told, known), *placed)


def _shuffled(
    rows: ray.data.Dataset, by: str, parts: int, work: Callable[..., pa.Table], known: tuple[Any, ...], *placed: Any
) -> ray.data.Dataset:
    """What is made of some rows in so many parts, in each of which are all that have the same key."""
    # Tasks get rows as arguments, and so begin when these are there. Those of Ray's own shuffle wait with a core in
    # hand, for good if whoever makes anew what a lost node had needs that core (Ray 2.60).
    split = ray.remote(_split).options(num_returns=parts)
    shards = [split.remote(block, by, parts, *placed) for block in rows.to_arrow_refs()]
    columns = zip(*shards, strict=True) if parts > 1 else [shards]
    task = ray.remote(work)
    return ray.data.from_arrow_refs([task.remote(*known, *column) for column in columns])


def merged(rows: ray.data.Dataset, first: I64, second: I64) -> ray.data.Dataset:
    """The rows, with each second cluster in the first."""
    named = on_blocks(rows, _grouped, ray.put(first), ray.put(second)).materialize()
    alone = named.filter(expr=col("group") < 0).map_batches(cells.merged, batch_format="pyarrow")
    parts = min(1 + len(first) // PAIRS_A_PART, PARTS)
    together = _shuffled(named.filter(expr=col("group") >= 0), "group", parts, _merged, ())
    return alone.union(together).materialize()


def parted(core: ray.data.Dataset, plan: Any, clusters: int) -> tuple[ray.data.Dataset, int]:
    """What `cells.parted` makes of some of so many clusters, and how many there are then."""
    made = on_blocks(core, cells.parted, plan, ray.put(clusters)).materialize()
    return made, clusters + made.count() - core.count()


def _people(cluster_n: I64, faces_n: I64, core_n: I64 | Bool) -> pa.Table:
    """Clusters of several faces, with a core face among them, largest first, from counts of parts of them."""
    name, at = np.unique(cluster_n, return_inverse=True)
    faces, core = (np.bincount(at, of, len(name)).astype(np.int64) for of in (faces_n, core_n))
    somebody = np.flatnonzero((core > 0) & (faces >= LEAST_FACES))  # each of another picture
    order = somebody[np.lexsort((name[somebody], -faces[somebody]))]
    return pa.table({"person": np.arange(1, len(order) + 1), "cluster": name[order], "faces": faces[order]})


def whole(rows: ray.data.Dataset) -> pa.Table:
    """The few rows of a dataset, in one table."""
    tables = [table for table in rows.iter_batches(batch_size=None, batch_format="pyarrow") if len(table)]
    return pa.concat_tables(tables).combine_chunks() if tables else pa.table({})


# What workers run.


def _on_block(rows: pa.Table, work: Callable[..., pa.Table], refs: Sequence[ray.ObjectRef[Any]]) -> pa.Table:
    return work(rows, *ray.get(list(refs))) if len(rows) else rows


def _split(
    rows: pa.Table, by: str, parts: int, place: Callable[..., pa.Table] | None = None, centres_cd: F32 | None = None
) -> list[pa.Table] | pa.Table:
    """The rows, or what `place` makes of them, in so many parts."""
    if place and len(rows):
        rows = place(rows, centres_cd)
    part = rows[by].to_numpy() % parts if len(rows) else np.zeros(0, np.int64)
    return [rows.filter(pa.array(part == one)) for one in range(parts)] if parts > 1 else rows


def _together(shards: Sequence[pa.Table]) -> pa.Table:
    some = [shard for shard in shards if len(shard)]
    return pa.concat_tables(some or shards[:1]).combine_chunks()


def _of_cells(
    work: Callable[..., pa.Table], told: tuple[Any, ...], known: dict[str, Any], *shards: pa.Table
) -> pa.Table:
    rows = _together(shards)
    cell = rows["cell"].to_numpy() if len(rows) else np.zeros(0, np.int64)
    found = [work(rows.filter(pa.array(cell == one)), *told, **known) for one in np.unique(cell)]
    return _together(found) if found else pa.table({})


def _merged(*shards: pa.Table) -> pa.Table:
    rows = _together(shards)
    return cells.merged(rows) if len(rows) else pa.table({})


def _grouped(rows: pa.Table, first: I64, second: I64) -> pa.Table:
    group = cells.lookup(
        rows["cluster"].to_numpy(), np.concatenate([first, second]), np.concatenate([first, first]), -1
    )
    return rows.append_column("group", pa.array(group))


def members(rows: pa.Table, moved: pa.Table) -> pa.Table:
    """Columns face, cluster and core; see `cells.members`."""
    return pa.table(dict(zip(("face", "cluster", "core"), cells.members(rows, moved), strict=True)))


def _counted(rows: pa.Table, moved: pa.Table) -> pa.Table:
    _, cluster, core = cells.members(rows, moved)
    name, at = np.unique(cluster, return_inverse=True)
    return pa.table({"person": name, "faces": np.bincount(at), "core": np.bincount(at, core).astype(np.int64)})


def _assigned(rows: pa.Table, moved: pa.Table, people: pa.Table) -> pa.Table:
    face, cluster, _ = cells.members(rows, moved)
    person = cells.lookup(cluster, people["cluster"].to_numpy(), people["person"].to_numpy(), 0)
    keep = person > 0
    return pa.table({"face": face[keep], "person": person[keep]})
