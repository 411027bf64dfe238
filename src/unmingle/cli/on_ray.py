"""The same job on a Ray cluster (unmingle cluster --ray), and its people as a library (import, export)."""

from __future__ import annotations

import csv
import inspect
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from unmingle import console
from unmingle.cli import keeping
from unmingle.cli.options import refuse_encrypted
from unmingle.errors import MissingExtraError, SettingsError, SourceError, UnmingleError, command, reason
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.library import Library

# What the command heeds on a cluster, by its parameters' names.
HEEDED = {"output", "sources", "ray", "crops", "precision", "engine", "threads", "strictness", "co_occurrence", "model"}
HEEDED |= {"context", "regroup", "dry_run", "quiet", "as_json"}
LONGEST_WAIT = 5.0  # seconds
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+):/+")


def cluster(command: Callable[..., object], given: Mapping[str, Any]) -> None:
    """Find faces and people of all sources on a cluster, and write them; given: what the command got.

    An option that would do nothing is refused.
    """
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in HEEDED and given[name] != parameter.default:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(f"{option} does nothing on a Ray cluster.", f"Leave {option} out, or --ray.")
    address, output, workers = given["ray"], given["output"], given["threads"] or None
    quiet, as_json = given["quiet"], given["as_json"]
    refuse_encrypted(output, "a Ray cluster")
    if not given["sources"]:
        raise SourceError("Name the pictures: on a Ray cluster none are remembered.", "Name a folder, or an address.")
    kept = "What was found so far is kept; the same command goes on from there."
    with keeping(kept), _joined(address, workers, kept):
        from unmingle.distributed import analysis, job
        from unmingle.models.registry import card
        from unmingle.settings import FALSE_MERGES, DetectionSettings, EngineSettings, GroupingSettings

        detection = DetectionSettings(crops=given["crops"])
        engine = EngineSettings(engine=given["engine"], precision=given["precision"], threads=1)
        how = analysis.AnalysisSettings(detection=detection, engine=engine, model=card(given["model"]), workers=workers)
        false_merges = FALSE_MERGES[given["strictness"]]
        grouping = GroupingSettings(expected_false_merges=false_merges, co_occurrence=given["co_occurrence"])
        where = [_address(source) for source in given["sources"]], _address(output), how
        with console.progress(quiet=quiet) as progress:
            if given["dry_run"]:
                found = analysis.estimate(*where, progress=progress)
            else:
                told = (lambda counts: None) if quiet else _Counts()
                settled = {"grouping": grouping, "regroup": given["regroup"]}
                statistics = job.cluster(*where, **settled, progress=progress, tell=told)
    if given["dry_run"]:
        left, faces = counted(round(found["files"] - found["known"]), "file"), counted(round(found["faces"]), "face")
        times = f"about {_time(found['hours'])}, {_time(found['core_hours'])} of one core"
        sizes = f"{_size(found['disk_bytes'])} of disk, {_size(found['worker_bytes'])} of memory a worker"
        lines = [f"{left} to look at, with about {faces}", f"By {found['sampled']:,.0f} of them: {times}", sizes]
        console.tell(found, *lines, as_json=as_json, quiet=quiet)
        return
    people = f"{counted(statistics['people'], 'person', 'people')} of {counted(statistics['in_people'], 'face')}"
    lines = [f"{counted(statistics['files'], 'file')}, {statistics['unreadable']:,} of them unreadable", people]
    console.tell(statistics, *lines, f"See {_address(output)}/people.parquet", as_json=as_json, quiet=quiet)


class _Counts:
    """Says now and then what was found."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, counts: Mapping[str, int]) -> None:
        if time.monotonic() - self._said >= console.PLAIN_SECONDS:
            self._said = time.monotonic()
            failed, memory = f"{counted(counts['unreadable'], 'file')} unreadable", _size(counts["memory"])
            console.say(f"{counted(counts['faces'], 'face')}, {failed}, {memory} a worker", error=True)


def _time(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


@contextmanager
def _joined(address: str, workers: int | None, kept: str) -> Iterator[None]:
    """Work with the cluster at an address; `local` starts one for the block."""
    # No use statistics leave the machine, and what is to be said is said here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # Ray ends idle workers past the number of cores, though each has to load everything again; tasks of three kinds
    # take turns, and a kind has workers of its own.
    os.environ.setdefault("RAY_num_workers_soft_limit", str(3 * (workers or os.cpu_count() or 1)))
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "for --ray") from error
    own = {"include_dashboard": False, "num_cpus": workers} if address == "local" else {}
    try:
        if address not in ("local", "auto"):  # where nobody answers, Ray would go on asking for long
            where = urlsplit(address if "://" in address else f"//{address}")
            socket.create_connection((where.hostname or "", where.port or 6379), timeout=LONGEST_WAIT).close()
        with _nothing_said():
            ray.init(address, **own, log_to_driver=False, logging_level="error")
    except Exception as error:
        problem = f"There is no Ray cluster at {address}: {reason(error)}."
        raise SettingsError(problem, "Check the address by: ray status --address ADDRESS") from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        raise UnmingleError(f"The cluster gave up: {reason(cause or error)}.", kept) from error
    finally:
        ray.shutdown()


@contextmanager
def _nothing_said() -> Iterator[None]:
    """Drop what is written to stderr past Python: Ray tells there that it was told to be silent."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def take_people(
    destination: Path,
    library: Library,
    people: str | None,
    names: str | None,
    files: str | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make a library of some people of a distributed job."""
    review = _review()
    done = review.take(
        _address(destination),
        library,
        people=review.numbers(people) if people else (),
        names=[*filter(None, next(csv.reader([names], skipinitialspace=True)))] if names else (),
        files=files or "",
    )
    line = f"{counted(done['faces'], 'face')} of {counted(done['people'], 'person', 'people')} in {library.folder}"
    back = command("export", library.folder, "--to", "decisions", "-o", destination)
    lines = line, f"Review them: {command('review', library.folder)}", f"Then hand back what you decided: {back}"
    console.tell(done, *lines, as_json=as_json, quiet=quiet)


def hand_back(library: Library, destination: Path, *, quiet: bool, as_json: bool) -> None:
    """Write a library's decisions into the folder of the job whose people it has."""
    count = _review().hand_back(library, _address(destination))
    line = f"What was decided of {counted(count, 'face')} is in {destination}: the next unmingle cluster --ray heeds it"
    console.tell({"destination": _address(destination), "faces": count}, line, as_json=as_json, quiet=quiet)


def _review() -> ModuleType:
    try:
        from unmingle.distributed import review
    except ImportError as error:
        raise MissingExtraError("pyarrow", "ray", "for people of a Ray cluster") from error
    return review


def _address(path: Path) -> str:
    """The address again that a path was made of, which folds its slashes."""
    return _SCHEME.sub(r"\1://", str(path))
