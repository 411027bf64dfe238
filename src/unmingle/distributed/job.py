"""The whole job on a Ray cluster: pictures in, people out, as Parquet in a folder or an object store."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
import ray.data

from unmingle.decisions.assignment import continued
from unmingle.distributed import analysis, cells
from unmingle.distributed.grouping import group
from unmingle.distributed.place import ASSIGNMENT, FACES, FILES, PEOPLE, STATISTICS, Place
from unmingle.distributed.review import Decided, owners
from unmingle.errors import SettingsError
from unmingle.grouping.impostors import curve_of
from unmingle.models.cards import SFACE
from unmingle.progress import silent
from unmingle.settings import DetectionSettings
from unmingle.store.face_rows import ALONE, look_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unmingle.distributed.grouping import Grouped
    from unmingle.models.cards import Card
    from unmingle.progress import Progress
    from unmingle.records import I64
    from unmingle.settings import EngineSettings, GroupingSettings


def cluster(
    sources: Iterable[str],
    destination: str,
    *,
    grouping: GroupingSettings | None = None,
    detection: DetectionSettings | None = None,
    engine: EngineSettings | None = None,
    model: Card = SFACE,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Find the faces of all pictures and group them by person on the cluster that Ray is initialised with.

    `destination` gets faces/, thumbnails/ and files/ (see `analysis`), people.parquet (person, faces, name, ignored;
    largest first), assignment/ (face and person) and statistics.json, which is returned. What is there is not found
    again; people keep their ids, and what was decided in libraries of them counts (see `review`).
    """
    place = Place(destination)
    if model.calibration is not None and model.calibration.adapts:
        problem = (
            f"How {model.name} compares faces is learned from each collection, which is not done on a Ray cluster."
        )
        raise SettingsError(problem, "Take another model, such as sface.")
    counts = analysis.analyse(
        sources, destination, detection=detection, engine=engine, model=model, workers=workers, progress=progress
    )
    assert model.calibration is not None  # else there are no faces
    grouped = group(faces_of(place), grouping, curve=curve_of(model.calibration), progress=progress)
    people, in_people = _keep(place, grouped, more := {"model": model.name})
    statistics = {**counts, "people": people, "in_people": in_people, **grouped.notes}
    place.write_text(STATISTICS, json.dumps({**statistics, **more}, indent=2))
    return statistics


def _keep(place: Place, grouped: Grouped, more: dict[str, Any]) -> tuple[int, int]:
    """Write who is whose: ids are those of before, and what was decided counts; how many people, and their faces.

    more: gets what the next run has to know.
    """
    known = json.loads(place.read_text(STATISTICS) or "{}")
    decided, (face_n, person_n) = Decided.read(place), owners(place)
    person_n = decided.now(person_n)
    assigned = grouped.assignment.materialize()
    overlaps: Counter[tuple[int, int]] = Counter()
    cluster_of: dict[int, int] = {}
    for face_m, cluster_m in _rows(assigned):
        before_m = look_up(face_n, person_n, face_m)
        pair_2k, count_k = np.unique(np.stack([cluster_m, before_m])[:, before_m != ALONE], axis=1, return_counts=True)
        overlaps.update(dict(zip(zip(*pair_2k.tolist(), strict=True), count_k.tolist(), strict=True)))
        standing = decided.speaks_of(face_m)
        cluster_of.update(zip(face_m[standing].tolist(), cluster_m[standing].tolist(), strict=True))
    cluster_k = grouped.people["person"].to_numpy()  # the largest first
    ids = continued(overlaps, decided.claims(cluster_of), set(decided.person_of.values()))
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


def faces_of(place: Place) -> ray.data.Dataset:
    """Columns face, picture, core, doubtful and vector of what is grouped, of whole parts."""
    names, columns = place.names(FILES), ["face", "picture", "standing", "doubtful", "vector"]
    count = sum(pc.sum(place.read(f"{FILES}/{name}", ["faces"])["faces"]).as_py() or 0 for name in names)
    if count <= cells.CELL_FACES:  # no work for a cluster
        parts = [_to_group(place.read(f"{FACES}/{name}", columns)) for name in names]
        return ray.data.from_arrow(pa.concat_tables(parts).combine_chunks())
    system, path = place.opened
    faces = ray.data.read_parquet([f"{path}/{FACES}/{name}" for name in names], filesystem=system, columns=columns)
    return faces.map_batches(_to_group, batch_format="pyarrow")


def _to_group(faces: pa.Table) -> pa.Table:
    standing = np.asarray(faces["standing"].to_pylist(), object)
    some = faces.append_column("core", pa.array(standing == "found")).drop_columns(["standing"])
    return some.filter(pa.array(standing != "aside"))
