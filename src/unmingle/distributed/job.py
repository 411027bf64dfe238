"""The whole job on a Ray cluster: pictures in, people out, as Parquet in a folder or an object store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
import ray.data

from unmingle.decisions.assignment import keep_ids
from unmingle.distributed import adding, analysis, cells
from unmingle.distributed.grouping import Grouped, group
from unmingle.distributed.place import ASSIGNMENT, FACES, FILES, PEOPLE, STATISTICS, Place, key
from unmingle.distributed.review import Decided, owners
from unmingle.errors import SettingsError
from unmingle.grouping.impostors import curve_of
from unmingle.progress import Progress, silent
from unmingle.records import I64
from unmingle.settings import GroupingSettings
from unmingle.store.face_rows import ALONE, look_up


def cluster(
    sources: Iterable[str],
    destination: str,
    how: analysis.AnalysisSettings | None = None,
    *,
    grouping: GroupingSettings | None = None,
    regroup: bool = False,
    progress: Progress = silent,
    tell: Callable[[dict[str, int]], None] = lambda counts: None,
) -> dict[str, Any]:
    """Find the faces of all pictures and group them by person on the cluster that Ray is initialised with.

    `destination` gets faces/, thumbnails/ and files/ (see `analysis`), people.parquet (person, faces, name, ignored;
    largest first), assignment/ (face and person) and statistics.json, which is returned. What is there is not found
    again, and unless `regroup`, few new faces are grouped with the clusters that are kept there (see `adding`); people
    keep their ids, and what was decided in libraries of them counts (see `review`). tell: see `analysis.analyse`.
    """
    place, how = Place(destination), how or analysis.AnalysisSettings()
    model = how.model
    if model.calibration is not None and model.calibration.adapts:
        problem = (
            f"How {model.name} compares faces is learned from each collection, which is not done on a Ray cluster."
        )
        raise SettingsError(problem, "Take another model, such as sface.")
    counts = analysis.analyse(sources, destination, how, progress=progress, tell=tell)
    assert model.calibration is not None  # else there are no faces
    settings, curve, parts = grouping or GroupingSettings(), curve_of(model.calibration), place.names(FILES)
    decided, (face_n, person_n) = Decided.read(place), owners(place)
    person_n = decided.all_now(person_n)
    before = face_n, person_n
    kept = None if regroup else adding.Kept.read(place, settings)
    new = parts if kept is None else sorted(set(parts) - set(kept.state["parts"]))
    if kept is not None and kept.has_room(_count(place, new)):
        progress("cluster", 0, 1)
        faces = faces_of(place, new, there=kept.state["parts"])
        grouped, finish = adding.add(faces, kept, new, curve, *before)
        progress("cluster", 1, 1)
    else:
        grouped = group(faces_of(place, parts), settings, curve=curve, progress=progress)
        finish = partial(adding.keep, place, grouped, settings, parts)
    people, in_people = _keep(place, grouped, decided, before, more := {"model": model.name})
    finish()
    statistics = {**counts, "people": people, "in_people": in_people, **grouped.notes}
    place.write_text(STATISTICS, json.dumps({**statistics, **more}, indent=2))
    return statistics


def _keep(
    place: Place, grouped: Grouped, decided: Decided, before: tuple[I64, I64], more: dict[str, Any]
) -> tuple[int, int]:
    """Write who is whose, with the ids of before (by rising face); how many people, and their faces."""
    known, (face_n, person_n) = json.loads(place.read_text(STATISTICS) or "{}"), before
    assigned = grouped.assignment.materialize()
    overlaps: Counter[tuple[int, int]] = Counter()
    cluster_of: dict[int, int] = {}
    for face_m, cluster_m in _rows(assigned):
        before_m = look_up(face_n, person_n, face_m)
        pair_2k, count_k = np.unique(np.stack([cluster_m, before_m])[:, before_m != ALONE], axis=1, return_counts=True)
        overlaps.update(dict(zip(zip(*pair_2k.tolist(), strict=True), count_k.tolist(), strict=True)))
        standing = np.isin(face_m, np.array([*decided.person_of], np.int64))
        cluster_of.update(zip(face_m[standing].tolist(), cluster_m[standing].tolist(), strict=True))
    cluster_k = grouped.people["person"].to_numpy()  # the largest first
    ids = keep_ids(overlaps, decided.claims(cluster_of), set(decided.person_of.values()))
    last = max(known.get("last_person", 0), int(person_n.max(initial=0)))
    new = [cluster for cluster in cluster_k.tolist() if cluster not in ids]
    ids.update(zip(new, range(last + 1, last + 1 + len(new)), strict=True))
    more |= {"last_person": last + len(new), "runs": known.get("runs", 0) + 1}
    id_k, old = np.array([ids[cluster] for cluster in cluster_k.tolist()], np.int64), place.names(ASSIGNMENT)
    faces: Counter[int] = Counter()
    parts = ((face_m, look_up(cluster_k, id_k, cluster_m)) for face_m, cluster_m in _rows(assigned))
    alone_m = np.array(sorted(decided.person_of.keys() - cluster_of.keys()), np.int64)  # grouping made nobody of them
    for number, (face_m, person_m) in enumerate(chain(parts, [(alone_m, np.full(len(alone_m), ALONE))])):
        person_m = decided.correct(face_m, person_m)
        somebody = person_m != ALONE
        faces.update(person_m[somebody].tolist())
        table = pa.table({"face": face_m[somebody], "person": person_m[somebody]})
        place.write(f"{ASSIGNMENT}/run-{more['runs']:04}-{number:06}.parquet", table)
    for name in old:
        place.delete(f"{ASSIGNMENT}/{name}")
    order = sorted(faces, key=lambda person: (-faces[person], person))
    names = [decided.names.get(person, "") for person in order]
    columns = {"person": order, "faces": [faces[person] for person in order], "name": pa.array(names, pa.string())}
    table = pa.table({**columns, "ignored": pa.array([person in decided.ignored for person in order], pa.bool_())})
    place.write(PEOPLE, table)
    return len(order), faces.total()


def _rows(assigned: ray.data.Dataset) -> Iterator[tuple[I64, I64]]:
    for table in assigned.iter_batches(batch_size=1 << 20, batch_format="pyarrow"):
        if len(table):
            yield table["face"].to_numpy(), table["person"].to_numpy()


TO_GROUP = pa.schema(
    {
        **dict.fromkeys(("face", "picture"), pa.int64()),
        **dict.fromkeys(("core", "doubtful"), pa.bool_()),
        "quality": pa.float32(),
        "vector": pa.list_(pa.float16()),
    }
)


def _count(place: Place, parts: Iterable[str]) -> int:
    return sum(pc.sum(place.read(f"{FILES}/{name}", ["faces"])["faces"]).as_py() or 0 for name in parts)


def faces_of(place: Place, parts: Sequence[str], there: Sequence[str] = ()) -> ray.data.Dataset:
    """What `grouping.group` takes, of what is grouped: these parts, no pictures of `there`."""
    columns = ["face", "picture", "quality", "standing", "doubtful", "vector"]
    known: list[pa.Array] = []
    if there and parts:
        new = pa.concat_tables([place.read(f"{FILES}/{name}", ["digest"]) for name in parts])["digest"].combine_chunks()
        for name in there:  # the same picture may have come again, under another name
            digest = place.read(f"{FILES}/{name}", ["digest"])["digest"].combine_chunks()
            known.append(digest.filter(pc.is_in(digest, value_set=new)))
    again = pa.array(sorted({key(one) for part in known for one in part.to_pylist()}), pa.int64())
    if _count(place, parts) <= cells.CELL_FACES:  # no work for a cluster
        tables = [_to_group(place.read(f"{FACES}/{name}", columns), again) for name in parts]
        return ray.data.from_arrow(pa.concat_tables(tables).combine_chunks() if tables else TO_GROUP.empty_table())
    system, path = place.opened
    faces = ray.data.read_parquet([f"{path}/{FACES}/{name}" for name in parts], filesystem=system, columns=columns)
    return faces.map_batches(_to_group, batch_format="pyarrow", fn_kwargs={"again": again})


def _to_group(faces: pa.Table, again: pa.Array) -> pa.Table:
    standing = np.asarray(faces["standing"].to_pylist(), object)
    some = faces.append_column("core", pa.array(standing == "found")).drop_columns(["standing"])
    return some.filter(pc.and_(pa.array(standing != "aside"), pc.invert(pc.is_in(some["picture"], value_set=again))))
