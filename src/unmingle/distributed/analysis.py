"""Faces found on a Ray cluster: pictures of folders or object stores to Parquet, in parts that are whole or not there.

A part has the faces of some files, their thumbnails apart, and these files with what became of each, which is written
last: parts without it are of a run that was stopped. What a lost node was at is done again, by the same names.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import ray.data

from unmingle.distributed.place import FACES, FILES, THUMBNAILS, Place, key
from unmingle.errors import PictureError, SourceError, reason
from unmingle.faces.recipe import FaceRecipe
from unmingle.files import stamp
from unmingle.ingest import AHEAD, BATCH_PICTURES, analyse_each, batches
from unmingle.models.registry import SFACE, Card
from unmingle.progress import Progress, peak_memory, silent
from unmingle.records import BOX, Analysis
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import open_pyramid
from unmingle.sources.formats import FOUND_SUFFIXES, RECORDING_SUFFIXES, check_size
from unmingle.sources.images import digest, quiet_decoders, scan
from unmingle.sources.pyramid import Pyramid

PART_FILES = 256
AHEAD_BYTES = 100_000_000  # of files that are read while others are analysed
SAMPLE = 1000  # pictures that a dry run looks at
GROUPING_SECONDS = 0.001  # what grouping takes, in seconds of one core; see `benchmarks/distributed`


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSettings:
    """How pictures are looked at, and by how many processes that hold the networks, one core each."""

    detection: DetectionSettings = field(default_factory=DetectionSettings)
    engine: EngineSettings = field(default_factory=partial(EngineSettings, threads=1))
    model: Card = SFACE
    workers: int | None = None  # None: as many as cores

    def recipe(self) -> FaceRecipe:
        """What finds the faces."""
        return FaceRecipe(self.detection, self.engine, self.model)


def listed(sources: Iterable[str]) -> pa.Table:
    """The files of folders, lists, object stores, and Parquet files with a column `address`; SourceError for none."""
    found: dict[str, tuple[int, int]] = {}
    for source in sources:
        path, question, options = source.partition("?") if "://" in source else (source, "", "")
        if path.endswith(".parquet"):
            folder, _, name = path.rpartition("/")
            addresses = Place((folder or ".") + question + options).read(name, ["address"])["address"].to_pylist()
            found.update((address, (-1, 0)) for address in addresses)
        elif "://" in source:
            found.update(_stored(source))
        else:
            found.update((str(file.path), stamp(file.path)) for file in scan([source]).files)
    if not found:
        raise SourceError(f"There are no pictures in {', '.join(sources)}.", "Name a folder with pictures.")
    order = sorted(found)
    size, modified = zip(*(found[address] for address in order), strict=True)
    return pa.table({"address": order, "size": pa.array(size, pa.int64()), "modified": pa.array(modified, pa.int64())})


def _stored(source: str) -> Iterator[tuple[str, tuple[int, int]]]:
    place = Place(source)
    try:
        system, path = place.opened
        files = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    except (OSError, ValueError) as error:
        raise SourceError(f"{source} can't be read: {reason(error)}.", "Check the address and the keys.") from error
    for info in files:
        if info.is_file and f".{info.extension.lower()}" in FOUND_SUFFIXES:
            yield place.address_of(info.path), (info.size, info.mtime_ns or 0)


def analyse(
    sources: Iterable[str],
    destination: str,
    how: AnalysisSettings,
    *,
    progress: Progress = silent,
    tell: Callable[[dict[str, int]], None] = lambda counts: None,
) -> dict[str, int]:
    """Find and embed the faces of all pictures that `destination` doesn't have yet; how many files, faces and failures.

    Ray must be initialised. tell: gets these counts now and then, and `memory`, the bytes of the largest worker.
    """
    place, recipe = Place(destination), how.recipe()
    _ = recipe.precision  # a model that can't be used is told at once
    wanted = listed(sources)
    place.claim(recipe.key)
    todo = _todo(wanted, place)
    done, total = len(wanted) - len(todo), len(wanted)
    counts = {"files": total, "known": done, "faces": 0, "unreadable": 0}
    if not len(todo):
        return counts
    progress("analyse", done, total)
    memory = 0
    for row in _analysed(todo, place, how):
        done += row["files"]
        for of in ("faces", "unreadable"):
            counts[of] += row[of]
        progress("analyse", done, total)
        memory = max(memory, row["memory"])
        tell({**counts, "memory": memory})
    return counts


def estimate(
    sources: Iterable[str], destination: str, how: AnalysisSettings, *, progress: Progress = silent
) -> dict[str, float]:
    """What `analyse` and grouping would take, by `SAMPLE` of the pictures that `destination` doesn't have yet.

    files, known and sampled, of how many; the others are of all that are left: `faces` that they may have, `core_hours`
    and `hours`, and `disk_bytes`; `worker_bytes`: what a worker holds.
    """
    wanted = listed(sources)
    todo = _todo(wanted, Place(destination))
    # Evenly of all folders, whatever their order.
    order = np.argsort([key(address) for address in todo["address"].to_pylist()], kind="stable")[:SAMPLE]
    spent = dict.fromkeys(("files", "faces", "seconds", "bytes", "memory"), 0.0)
    progress("analyse", 0, len(order))
    for row in _analysed(todo.take(pa.array(order)), None, how) if len(order) else ():
        for of in ("files", "faces", "seconds", "bytes"):
            spent[of] += row[of]
        spent["memory"] = max(spent["memory"], row["memory"])
        progress("analyse", int(spent["files"]), len(order))
    times = len(todo) / max(1.0, spent["files"])
    core_hours = times * (spent["seconds"] + GROUPING_SECONDS * spent["faces"]) / 3600
    return {
        "files": len(wanted),
        "known": len(wanted) - len(todo),
        "sampled": len(order),
        "faces": round(times * spent["faces"]),
        "core_hours": core_hours,
        "hours": core_hours / (how.workers or _cores()),
        "disk_bytes": round(times * spent["bytes"]),
        "worker_bytes": spent["memory"],
    }


def _cores() -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _analysed(files: pa.Table, place: Place | None, how: AnalysisSettings) -> Iterator[dict[str, Any]]:
    workers = how.workers or _cores()
    parts = list(_parts(files, workers))
    workers = min(workers, len(parts))
    made = ray.data.from_arrow(parts).map_batches(
        Analyser,
        batch_format="pyarrow",
        batch_size=None,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        num_cpus=1,
        fn_constructor_args=(place, how),
    )
    yield from made.iter_rows()


def _parts(files: pa.Table, workers: int) -> Iterator[pa.Table]:
    """What workers take, in order; the last ones are small, so that all workers end at about the same time."""
    least = min(BATCH_PICTURES, -(-len(files) // workers))  # so that of a few files, too, each gets some
    while len(files):
        size = min(PART_FILES, max(least, len(files) // (2 * workers)))
        yield files.slice(0, size)
        files = files.slice(size)


def _todo(wanted: pa.Table, place: Place) -> pa.Table:
    """The files that are not in `place` as they are."""
    columns = ["address", "size", "modified"]
    parts = [place.read(f"{FILES}/{name}", columns) for name in place.names(FILES)]
    if not parts:
        return wanted
    return wanted.join(pa.concat_tables(parts), keys=columns, join_type="left anti").sort_by("address")


class Analyser:
    """What a worker holds: the networks. place: None writes nothing."""

    def __init__(self, place: Place | None, how: AnalysisSettings) -> None:
        self._place, self._how = place, how

    @cached_property
    def _recipe(self) -> FaceRecipe:
        return self._how.recipe()

    def __call__(self, files: pa.Table) -> pa.Table:
        """Analyse some files and write their part."""
        rows, recipe = files.to_pylist(), self._recipe  # ready before the clock starts
        began = time.process_time()
        named = "\n".join(f"{row['address']} {row['size']} {row['modified']}" for row in rows)
        part = f"part-{hashlib.sha256(named.encode()).hexdigest()[:24]}.parquet"
        with quiet_decoders():
            found = list(self._analysed(_read_ahead([(row["address"], row["size"]) for row in rows])))
        least = self._how.detection.min_score
        faces = [face for name, one in found if not isinstance(one, str) for face in _faces(name, one, least)]
        thumbnails = [{"face": face["face"], "jpeg": face.pop("jpeg")} for face in faces]
        ended = [
            row | {"digest": name, **_measures(one), "precision": recipe.precision}
            for row, (name, one) in zip(rows, found, strict=True)
        ]
        tables = {
            FACES: pa.Table.from_pylist(faces, FACE),
            THUMBNAILS: pa.Table.from_pylist(thumbnails, THUMBNAIL),
            FILES: pa.Table.from_pylist(ended, FILE),  # the last, since it says that the others are whole
        }
        if self._place is not None:
            for folder, table in tables.items():
                self._place.write(f"{folder}/{part}", table)
        done = {
            "files": len(rows),
            "faces": len(faces),
            "unreadable": sum(isinstance(one, str) for _, one in found),
            "bytes": sum(table.nbytes for table in tables.values()),
            "seconds": time.process_time() - began,
            "memory": peak_memory() or 0,
        }
        return pa.table({name: [value] for name, value in done.items()})

    def _analysed(self, reads: Iterator[Future[bytes]]) -> Iterator[tuple[str, Analysis | str]]:
        """Digest and analysis of each file, or why there is none; some pictures in memory at a time."""
        for batch in batches(map(_opened, reads), _pixels):
            pictures = [picture for _, picture in batch if not isinstance(picture, str)]
            results = iter(analyse_each(self._recipe, pictures) if pictures else ())
            for name, picture in batch:
                yield name, picture if isinstance(picture, str) else next(results)


def _read_ahead(files: list[tuple[str, int]]) -> Iterator[Future[bytes]]:
    """Files by address and bytes, in order; the next are read meanwhile: an object store answers many at once."""
    with ThreadPoolExecutor(AHEAD) as pool:
        ahead: deque[tuple[int, Future[bytes]]] = deque()
        for address, size in files:
            ahead.append((size, pool.submit(_read, address)))
            if len(ahead) > AHEAD or sum(size for size, _ in ahead) > AHEAD_BYTES:
                yield ahead.popleft()[1]
        while ahead:
            yield ahead.popleft()[1]


def _read(address: str) -> bytes:
    system, path = Place(address).opened
    info = system.get_file_info(path)
    if not info.is_file:
        raise PictureError("is no file")
    if f".{info.extension.lower()}" in RECORDING_SUFFIXES:
        raise PictureError("a recording, of which no faces are found on a Ray cluster")
    check_size(info.size)
    with system.open_input_stream(path) as stream:
        return bytes(stream.read())


def _opened(read: Future[bytes]) -> tuple[str, Pyramid | str]:
    name = ""
    try:
        content = read.result()
        name = digest(content)
        return name, open_pyramid(content, vast=True)
    except PictureError as error:
        return name, error.problem
    except Exception as error:  # noqa: BLE001  # whatever one file does, the others are read
        return name, f"can't be read: {reason(error)}"


def _pixels(opened: tuple[str, Pyramid | str]) -> int:
    _, picture = opened
    return 0 if isinstance(picture, str) else picture.width * picture.height


def _faces(name: str, analysis: Analysis, least: float) -> Iterator[dict[str, Any]]:
    for number in range(len(analysis.faces)):
        columns = analysis.columns(number)
        yield {
            "face": key(f"{name}#{number}"),
            "picture": key(name),
            "digest": name,
            "number": number,
            **columns,
            "landmarks": analysis.faces.points[number].ravel().tolist(),
            "doubtful": columns["standing"] != "found" and columns["score"] < least,
            "vector": analysis.vectors[number].astype(np.float16),
            "jpeg": analysis.thumbnails[number],
        }


def _measures(one: Analysis | str) -> dict[str, Any]:
    if isinstance(one, str):
        return {"faces": 0, "width": 0, "height": 0, "reason": one}
    return {"faces": len(one.faces), "width": one.width, "height": one.height, "reason": one.reason}


FACE = pa.schema(
    {
        "face": pa.int64(),
        "picture": pa.int64(),
        "digest": pa.string(),
        "number": pa.int16(),
        **dict.fromkeys(BOX, pa.float32()),
        "landmarks": pa.list_(pa.float32()),
        "score": pa.float32(),
        "quality": pa.float32(),
        **dict.fromkeys(("standing", "flag", "reason"), pa.string()),
        "doubtful": pa.bool_(),
        "vector": pa.list_(pa.float16()),
    }
)
THUMBNAIL = pa.schema({"face": pa.int64(), "jpeg": pa.binary()})
FILE = pa.schema(
    {
        "address": pa.string(),
        "size": pa.int64(),
        "modified": pa.int64(),
        "digest": pa.string(),
        **dict.fromkeys(("faces", "width", "height"), pa.int32()),
        **dict.fromkeys(("precision", "reason"), pa.string()),
    }
)
