"""The whole job on a Ray cluster: pictures in, people out, as Parquet in a folder or an object store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
import ray.data

from unmingle.distributed import analysis, cells
from unmingle.distributed.analysis import FACES, FILES, Place
from unmingle.distributed.grouping import group
from unmingle.errors import SettingsError
from unmingle.grouping.impostors import curve_of
from unmingle.models.cards import SFACE
from unmingle.progress import silent
from unmingle.settings import DetectionSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.models.cards import Card
    from unmingle.progress import Progress
    from unmingle.settings import EngineSettings, GroupingSettings

ASSIGNMENT, PEOPLE, STATISTICS = "assignment", "people.parquet", "statistics.json"


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

    `destination` gets faces/, thumbnails/ and files/ (see `analysis`), people.parquet (person and faces, largest
    first), assignment/ (face and person) and statistics.json, which is returned. What is there is not found again.
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
    for name in place.names(ASSIGNMENT):
        place.delete(f"{ASSIGNMENT}/{name}")
    rows = grouped.assignment.iter_batches(batch_size=1 << 20, batch_format="pyarrow")
    for number, table in enumerate(rows):
        place.write(f"{ASSIGNMENT}/part-{number:06}.parquet", table)
    place.write(PEOPLE, grouped.people)
    in_people = int(np.sum(grouped.people["faces"]))
    statistics = {**counts, "people": len(grouped.people), "in_people": in_people, **grouped.notes}
    place.write_text(STATISTICS, json.dumps(statistics, indent=2))
    return statistics


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
