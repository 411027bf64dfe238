"""Pictures and recordings to faces in the library; a killed run goes on where it was."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions import journal
from unmingle.errors import PictureError, reason
from unmingle.models.runtime import available_cores
from unmingle.progress import Times, silent
from unmingle.records import Added
from unmingle.settings import RecordingSettings
from unmingle.sources.decoding import VastError, name_of, open_pyramid
from unmingle.sources.images import digest, is_ending, quiet_decoders, read_bytes
from unmingle.store import analyses, erased, sightings
from unmingle.store.facts import CURRENT
from unmingle.store.file_rows import note_moved, out_of_reach
from unmingle.store.identity import Recogniser, carry_over
from unmingle.store.sqlite import TABLES
from unmingle.tracking.video import VideoRecipe
from unmingle.video_ingest import VideoIngest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.faces.recipe import RecipeRunner
    from unmingle.progress import Progress
    from unmingle.records import U8, Analysis
    from unmingle.sources.images import PictureFile, Scan
    from unmingle.sources.pyramid import Pyramid
    from unmingle.store.analyses import Known
    from unmingle.store.sqlite import Store

BATCH_PICTURES = 32
BATCH_PIXELS = 8_000_000  # large photographs make smaller batches, so that memory stays flat
AHEAD = 8  # pictures being read while others are analysed
AHEAD_PIXELS = 100_000_000  # likewise, so that large ones don't fill the memory
AT_ONCE = 2  # batches being analysed
PROBE = np.full((64, 64, 3), 128, np.uint8)  # a picture that tells a bad picture from a broken engine


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One file, read: its picture, or the problem, or neither when its content is known already.

    digest: of the picture. content: SHA-256 of the bytes. shown: of the pixels, if they were decoded.
    vast: it was not decoded yet, since no other picture so large may be in memory meanwhile.
    """

    file: PictureFile
    known: Known
    size: int = -1
    modified: int = -1
    digest: str = ""
    content: str = ""
    shown: bytes = b""
    picture: Pyramid | None = None

    @property
    def pixels(self) -> int:
        """How many it may take in memory."""
        return 0 if self.picture is None else self.picture.width * self.picture.height

    problem: str = ""
    vast: bool = False


def add(
    store: Store,
    scan: Scan,
    runner: RecipeRunner,
    *,
    exact: bool = False,
    every: float = RecordingSettings().every,
    include_erased: bool = False,
    progress: Progress = silent,
    times: Times | None = None,
) -> Added:
    """Find and embed the faces of all pictures and recordings that the library doesn't know yet.

    What was found is stored every few pictures, and every minute of a recording: a killed run loses no more than that.

    every: seconds between the frames of a recording that are looked at. exact: whether faces found in another precision
    must be computed again. include_erased: whether faces that were erased are found again.
    """
    times = Times() if times is None else times
    known = analyses.register(store, scan, runner.key)
    done = analyses.analysed(store, runner.key, "f32" if exact else None)
    done -= sightings.seen_otherwise(store, runner.key, every)
    if include_erased:
        done -= erased.contents(store.connection)
    todo = [file for file in sorted(known) if not _unchanged(file, known[file], done)]
    precision = runner.precision if todo else ""  # before anything changes, since no network may be had
    store.set_fact(CURRENT, runner.key)
    before = [known[file] for file in todo if known[file].digest in done]
    recogniser = Recogniser(store.connection, runner.key)
    moving = [file for file in todo if file.is_recording]  # which looks into each
    still = sorted(set(todo).difference(moving))
    unreadable = analysed = 0
    finished = len(known) - len(todo)
    total = len(known) - len(todo) + len(still)
    if still or len(still) == len(todo):
        progress("analyse", finished, total)
    with quiet_decoders():
        running: set[Future[list[Analysis | str]]] = set()
        reads = _read_all(still, known, done, recogniser.by_bytes(), running)
        batches = _batches(_recognised(reads, recogniser, done), times)
        for batch, found in _analyse_all(batches, runner, done, running, times):
            with times.measure("write"), store.transaction() as connection:
                for name, analysis in found.items():
                    how = (runner.key, precision, analysis)
                    analyses.add_analysis(connection, name, *how, include_erased=include_erased)
                for read in batch:
                    analyses.note_read(
                        connection,
                        read.known.row,
                        read.size,
                        read.modified,
                        read.digest,
                        read.problem,
                        content=read.content,
                        shown=read.shown,
                    )
            recogniser.stored(read.shown for read in batch)
            analysed += len(found)
            unreadable += sum(bool(read.problem) for read in batch)
            finished += len(batch)
            progress("analyse", finished, total)
    if len(still) < len(todo):
        assert isinstance(runner, VideoRecipe)  # whoever calls has made sure of it
        ingest = VideoIngest(
            store, runner, runner.key, precision, every, recogniser, done, progress, times, include_erased
        )
        watched, unwatchable = ingest.add(moving, known)
        analysed, unreadable = analysed + watched, unreadable + unwatchable
    store.set_fact(TABLES, "")  # whatever was decided and shown meanwhile
    same, changed = analyses.unchanged(store, before)
    moved = note_moved(store, [known[file].row for file in todo if known[file].digest is None])
    carried, lost = carry_over(store, runner.key)
    if carried:  # what decisions name is elsewhere now
        with store.transaction():
            journal.rewrite(store)
    return Added(
        files=len(known),
        analysed=analysed,
        known=len(known) - len(todo) + same,
        copies=max(0, len(todo) - analysed - unreadable - same - changed - moved),
        unreadable=unreadable,
        passed_over=sum(count for kind, count in scan.others if is_ending(kind)),
        gone=analyses.gone(store),
        unwatched=tuple(sightings.notes(store, runner.key)),
        others=scan.others,
        moved=moved,
        changed=changed,
        carried=carried,
        lost=lost,
        out_of_reach=tuple(out_of_reach(store.connection)),
        made=scan.made,
        precisions=analyses.precisions(store, runner.key),
    )


def _unchanged(file: PictureFile, known: Known, done: set[str]) -> bool:
    """Whether a file is as it was when it was read, by size and time, and its content was analysed."""
    if known.digest is None or known.digest not in done:
        return False
    try:
        status = file.path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.modified)


def _recognised(reads: Iterator[Read], recogniser: Recogniser, done: set[str]) -> Iterator[Read]:
    """Give what was read its name, and let go of the pixels of what is known already."""
    for read in reads:
        if read.picture is None:
            yield read
            continue
        name = recogniser.picture(read.content, read.shown, read.known.digest, read.picture)
        if name in done:
            read.picture.release()
        yield replace(read, digest=name, picture=None if name in done else read.picture)


def _read_all(
    todo: Sequence[PictureFile],
    known: dict[PictureFile, Known],
    done: set[str],
    by_bytes: dict[str, str],
    running: set[Future[list[Analysis | str]]],
) -> Iterator[Read]:
    """Read files on all cores, in order, a few ahead of the reader; a vast one when none is being analysed."""
    workers = max(2, available_cores())
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        try:
            waiting = iter(todo)
            ahead: deque[Future[Read]] = deque()
            room = workers
            while True:
                ahead.extend(
                    pool.submit(_read, file, known[file], done, by_bytes)
                    for file in islice(waiting, max(0, room - len(ahead)))
                )
                if not ahead:
                    break
                read = ahead.popleft().result()
                if read.vast:
                    wait(list(running))
                    read = _read(read.file, read.known, done, by_bytes, vast=True)
                # Pictures of one source are of one sort: where they are large, fewer wait.
                room = max(1, min(AHEAD, AHEAD_PIXELS // max(read.pixels, 1)))
                yield read
        finally:
            pool.shutdown(cancel_futures=True)


def _read(file: PictureFile, known: Known, done: set[str], by_bytes: dict[str, str], *, vast: bool = False) -> Read:
    try:
        content = read_bytes(file)
        status = file.path.stat()
        sha = digest(content)
        name = by_bytes.get(sha, sha)
        picture = None if name in done else open_pyramid(content, vast=vast)
        shown = b"" if picture is None else name_of(picture)
    except VastError:
        return Read(file, known, vast=True)
    except PictureError as error:
        return Read(file, known, problem=error.problem)
    except OSError as error:  # it went away between reading and asking for its time
        return Read(file, known, problem=f"can't be opened: {error.strerror}")
    except Exception as error:  # noqa: BLE001  # whatever one file does, the others are read
        return Read(file, known, problem=f"can't be read: {reason(error)}")
    return Read(file, known, len(content), status.st_mtime_ns, name, sha, shown, picture)


def _analyse_all(
    batches: Iterator[list[Read]],
    runner: RecipeRunner,
    done: set[str],
    running: set[Future[list[Analysis | str]]],
    times: Times,
) -> Iterator[tuple[list[Read], dict[str, Analysis]]]:
    """Analyse batches in order, two at a time: while the networks work on one, the other is cut out and aligned.

    What is taken up joins `done` at once, so a copy in a later batch is not analysed again, and fails as it did.
    """
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="analyse") as pool:
        waiting: deque[tuple[list[Read], list[str], Future[list[Analysis | str]]]] = deque()
        try:
            for batch in batches:
                new = {one.digest: one.picture for one in batch if one.picture is not None and one.digest not in done}
                done.update(new)
                future = pool.submit(_analyse_once, runner, list(new.values()))
                running.add(future)
                future.add_done_callback(running.discard)
                waiting.append((batch, list(new), future))
                if len(waiting) >= AT_ONCE:
                    yield _first_done(waiting, failed, times)
            while waiting:
                yield _first_done(waiting, failed, times)
        finally:
            pool.shutdown(cancel_futures=True)


def _analyse_once(runner: RecipeRunner, pictures: Sequence[Pyramid]) -> list[Analysis | str]:
    """Analyse pictures and let go of their pixels."""
    try:
        return analyse_each(runner, pictures)
    finally:
        for picture in pictures:
            picture.release()


def analyse_each(runner: RecipeRunner, pictures: Sequence[U8 | Pyramid]) -> list[Analysis | str]:
    """What is found in each picture, or why nothing could be: a picture that ends an analysis ends its own only."""
    try:
        return list(runner.analyse(pictures))
    except Exception as error:  # noqa: BLE001  # whatever it is, the next line but one finds out whose it is
        if len(pictures) > 1:
            return [one for picture in pictures for one in analyse_each(runner, [picture])]
        runner.analyse([PROBE])  # raises where it is not the picture that is the matter
        return [f"the analysis failed: {reason(error)}"]


def _first_done(
    waiting: deque[tuple[list[Read], list[str], Future[list[Analysis | str]]]], failed: dict[str, str], times: Times
) -> tuple[list[Read], dict[str, Analysis]]:
    batch, names, future = waiting.popleft()
    with times.measure("analyse"):
        found = dict(zip(names, future.result(), strict=True))
    failed.update((name, one) for name, one in found.items() if isinstance(one, str))
    batch = [replace(read, problem=failed.get(read.digest, read.problem)) for read in batch]
    return batch, {name: one for name, one in found.items() if not isinstance(one, str)}


def _batches(reads: Iterator[Read], times: Times) -> Iterator[list[Read]]:
    """Pictures that are analysed and stored together: some thirty small ones, or one that is large."""
    batch: list[Read] = []
    size = 0
    while True:
        with times.measure("read"):
            read = next(reads, None)
        if read is None:
            break
        batch.append(read)
        size += read.pixels
        if len(batch) >= BATCH_PICTURES or size >= BATCH_PIXELS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
