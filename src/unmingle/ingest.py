"""Pictures and recordings to faces in the library; a killed run goes on where it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from unmingle.decisions import journal
from unmingle.errors import PictureError, UnmingleError, reason
from unmingle.faces.recipe import RecipeRunner
from unmingle.files import in_64_bits, stamp, stamp_of
from unmingle.models.runtime import available_cores
from unmingle.progress import Progress, Times, silent
from unmingle.records import U8, Added, Analysis
from unmingle.settings import RecordingSettings
from unmingle.sources.decoding import VastError, name_of, open_pyramid
from unmingle.sources.formats import file_digest
from unmingle.sources.images import PictureFile, Scan, digest, is_ending, quiet_decoders, read_bytes
from unmingle.sources.pyramid import Pyramid
from unmingle.sources.recordings import Recording
from unmingle.store import analyses, sightings
from unmingle.store.analyses import Known
from unmingle.store.file_rows import note_moved, out_of_reach
from unmingle.store.identity import Recogniser, carry_over, take_places
from unmingle.store.sqlite import TABLES, Store
from unmingle.tracking.video import VideoRecipe, track_video

T = TypeVar("T")
BATCH_PICTURES = 32
BATCH_PIXELS = 8_000_000  # large photographs make smaller batches, so that memory stays flat
AHEAD = 8  # pictures being read while others are analysed
AHEAD_PIXELS = 100_000_000  # likewise, so that large ones don't fill the memory
AT_ONCE = 2  # batches being analysed
PROBE = np.full((64, 64, 3), 128, np.uint8)  # a picture that tells a bad picture from a broken engine


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
    gone = analyses.gone(store)
    known = analyses.register(store, scan, runner.key)
    done = analyses.analysed(store, runner.key, "f32" if exact else None)
    done -= sightings.seen_otherwise(store, runner.key, every)
    if include_erased:
        done -= analyses.erased_contents(store.connection)
    # What is as it was when it was read, by size and time, and was analysed, is not read again.
    as_was = {file for file, of in known.items() if of.digest in done and stamp(file.path) == (of.size, of.modified)}
    todo = sorted(known.keys() - as_was)
    precision = runner.precision if todo else ""  # before anything changes, since no network may be had
    store.recipe = runner.key
    before = [known[file] for file in todo if known[file].digest in done]
    moving = [file for file in todo if file.is_recording]  # which looks into each
    still = sorted(set(todo).difference(moving))
    ingest = _Ingest(store, runner, precision, every, include_erased, known, done, progress, times or Times())
    if still or not moving:
        progress("analyse", len(known) - len(todo), len(known) - len(moving))
    analysed, unreadable = ingest.pictures(still, after=len(known) - len(todo))
    watched, unwatchable = ingest.recordings(moving)
    analysed, unreadable = analysed + watched, unreadable + unwatchable
    store.set_fact(TABLES, "")  # whatever was decided and shown meanwhile
    same, changed = analyses.unchanged(store, before)
    take_places(store)
    moved = note_moved(store, [known[file].row for file in todo if known[file].digest is None])
    carried, lost = carry_over(store)
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
        gone=len(analyses.gone(store) - gone),
        unwatched=tuple(sightings.notes(store)),
        others=scan.others,
        moved=moved,
        changed=changed,
        carried=carried,
        lost=lost,
        out_of_reach=tuple(out_of_reach(store.connection)),
        made=scan.made,
        lone_raws=scan.lone_raws,
        precisions=analyses.precisions(store),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """One file, read: its picture, or the problem, or neither when its content is known already."""

    file: PictureFile
    size: int = -1
    modified: int = -1
    digest: str = ""  # of the picture
    content: str = ""  # SHA-256 of the bytes
    shown: bytes = b""  # of the pixels, if they were decoded
    picture: Pyramid | None = None
    problem: str = ""
    vast: bool = False  # it was not decoded yet, since no other picture so large may be in memory meanwhile

    @property
    def pixels(self) -> int:
        """How many it may take in memory."""
        return 0 if self.picture is None else self.picture.width * self.picture.height


@dataclass(slots=True)
class _Ingest:
    """One run: what is read, analysed and stored. done: digests of what was analysed, which what is now joins."""

    store: Store
    runner: RecipeRunner
    precision: str  # of its arithmetic
    every: float
    include_erased: bool
    known: dict[PictureFile, Known]
    done: set[str]
    progress: Progress
    times: Times
    recogniser: Recogniser = field(init=False)
    by_bytes: dict[str, str] = field(init=False)  # pictures of files whose bytes were changed
    running: set[Future[list[Analysis | str]]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.recogniser = Recogniser(self.store)
        self.by_bytes = self.recogniser.by_bytes()

    def pictures(self, files: Sequence[PictureFile], *, after: int) -> tuple[int, int]:
        """Analyse picture files, `after` so many that are as they were: pictures now, and files that can't be read."""
        analysed = unreadable = 0
        finished, total = after, after + len(files)
        with quiet_decoders():
            reads = self.times.coming(self._recognised(files), "read")
            for batch, found in self._analysed(batches(reads, lambda read: read.pixels)):
                with self.times.measure("write"), self.store.transaction() as connection:
                    for name, analysis in found.items():
                        how = (self.runner.key, self.precision, analysis)
                        analyses.add_analysis(connection, name, *how, include_erased=self.include_erased)
                    for one in batch:
                        read = (self.known[one.file].row, one.size, one.modified, one.digest, one.problem)
                        analyses.note_read(connection, *read, content=one.content, shown=one.shown)
                self.recogniser.stored(one.shown for one in batch)
                analysed += len(found)
                unreadable += sum(bool(one.problem) for one in batch)
                finished += len(batch)
                self.progress("analyse", finished, total)
        return analysed, unreadable

    def _recognised(self, files: Sequence[PictureFile]) -> Iterator[_Read]:
        """Give what is read its name, and let go of the pixels of what is known already."""
        for read in self._read_ahead(files):
            if read.picture is None:
                yield read
                continue
            former = self.known[read.file].digest
            name = self.recogniser.picture(read.content, read.shown, former, read.picture)
            if name in self.done:
                read.picture.release()
            yield replace(read, digest=name, picture=None if name in self.done else read.picture)

    def _read_ahead(self, files: Sequence[PictureFile]) -> Iterator[_Read]:
        """Read files on all cores, in order, a few ahead of the reader; a vast one when none is being analysed."""
        workers = max(2, available_cores())
        with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
            try:
                waiting, ahead, room = iter(files), deque[Future[_Read]](), workers
                while True:
                    further = islice(waiting, max(0, room - len(ahead)))
                    ahead.extend(pool.submit(self._read, file) for file in further)
                    if not ahead:
                        break
                    read = ahead.popleft().result()
                    if read.vast:
                        wait(list(self.running))
                        read = self._read(read.file, vast=True)
                    # Pictures of one source are of one sort: where they are large, fewer wait.
                    room = max(1, min(AHEAD, AHEAD_PIXELS // max(read.pixels, 1)))
                    yield read
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, file: PictureFile, *, vast: bool = False) -> _Read:
        try:
            content = read_bytes(file)
            status = file.path.stat()
            sha = digest(content)
            name = self.by_bytes.get(sha, sha)
            picture = None if name in self.done else open_pyramid(content, vast=vast)
            shown = b"" if picture is None else name_of(picture)
        except VastError:
            return _Read(file, vast=True)
        except PictureError as error:
            return _Read(file, problem=error.problem)
        except OSError as error:  # it went away between reading and asking for its time
            return _Read(file, problem=f"can't be opened: {error.strerror}")
        except Exception as error:  # noqa: BLE001  # whatever one file does, the others are read
            return _Read(file, problem=f"can't be read: {reason(error)}")
        return _Read(file, len(content), in_64_bits(status.st_mtime_ns), name, sha, shown, picture)

    def _analysed(self, batches: Iterable[list[_Read]]) -> Iterator[tuple[list[_Read], dict[str, Analysis]]]:
        """Analyse batches in order, two at a time: while networks work on one, the other is cut out and aligned.

        What is taken up is `done` at once, so a copy in a later batch is not analysed again, and fails as it did.
        """
        failed: dict[str, str] = {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="analyse") as pool:
            waiting: deque[tuple[list[_Read], list[str], Future[list[Analysis | str]]]] = deque()

            def first_done() -> tuple[list[_Read], dict[str, Analysis]]:
                batch, names, future = waiting.popleft()
                with self.times.measure("analyse"):
                    found = dict(zip(names, future.result(), strict=True))
                failed.update((name, one) for name, one in found.items() if isinstance(one, str))
                batch = [replace(read, problem=failed.get(read.digest, read.problem)) for read in batch]
                return batch, {name: one for name, one in found.items() if not isinstance(one, str)}

            try:
                for batch in batches:
                    some = {one.digest: one.picture for one in batch if one.picture is not None}
                    new = {name: picture for name, picture in some.items() if name not in self.done}
                    self.done.update(new)
                    future = pool.submit(self._analyse, list(new.values()))
                    self.running.add(future)
                    future.add_done_callback(self.running.discard)
                    waiting.append((batch, list(new), future))
                    if len(waiting) >= AT_ONCE:
                        yield first_done()
                while waiting:
                    yield first_done()
            finally:
                pool.shutdown(cancel_futures=True)

    def _analyse(self, pictures: Sequence[Pyramid]) -> list[Analysis | str]:
        try:
            return analyse_each(self.runner, pictures)
        finally:
            for picture in pictures:
                picture.release()

    def recordings(self, files: Sequence[PictureFile]) -> tuple[int, int]:
        """Watch recordings from where each was left: how many now, and how many can't be read; others are copies."""
        watched = unreadable = 0
        for file in files:
            try:
                watched += self._track(file)
                continue
            except PictureError as error:
                problem = error.problem
            except UnmingleError:  # of the library or the disk, and so of all
                raise
            except Exception as error:  # noqa: BLE001  # whatever happens with one recording, the others are watched
                problem = f"not watched: {reason(error)}"
            unreadable += 1
            with self.store.transaction() as connection:
                # What was seen of it before stays, and the next run goes on there.
                row = self.known[file].row
                name, seen = sightings.unfinished(self.store, row)
                after = f", after {seen:,.0f} seconds that were" if seen else ""
                analyses.note_read(connection, row, -1, -1, name, problem + after)
        return watched, unreadable

    def _track(self, file: PictureFile) -> bool:
        """Watch a recording to its end; whether there was anything to do."""
        if file.problem:
            raise PictureError(file.problem)
        known = self.known[file]
        with self.times.measure("watch"):
            try:
                status = file.path.stat()
            except OSError as error:
                raise PictureError(f"can't be opened: {error.strerror or error}") from error
            content = file_digest(file.path)
        name, shown, new = self.recogniser.by_bytes().get(content, content), b"", False
        if name not in self.done:
            with Recording(file.path) as recording:
                shown = recording.shown()
                name = self.recogniser.recording(content, shown, known.digest, recording)
                new = name not in self.done
                if new:
                    with self.store.transaction() as connection:
                        # Not yet its size and time: until it was seen to its end, the next run takes it up again.
                        analyses.note_read(connection, known.row, -1, -1, name, "", content=content, shown=shown)
                    self._track_on(recording, name)
                    self.done.add(name)
        with self.store.transaction() as connection:
            analyses.note_read(connection, known.row, *stamp_of(status), name, "", content=content, shown=shown)
        return new

    def _track_on(self, recording: Recording, name: str) -> None:
        assert isinstance(self.runner, VideoRecipe)  # whoever calls has made sure of it
        duration, again = int(recording.info.duration), self.include_erased
        with self.store.transaction():
            row, seen = sightings.begin(self.store, name, self.every, recording.info, include_erased=again)
        self.progress("watch", min(int(seen), duration), duration)
        with closing(track_video(recording, self.runner, every=self.every, start=seen)) as segments:
            for segment in self.times.coming(segments, "watch"):
                with self.times.measure("write"), self.store.transaction() as connection:
                    sightings.add_segment(connection, row, self.precision, segment)
                self.progress("watch", min(int(segment.stop), duration), duration)
        with self.store.transaction() as connection:
            sightings.finish(connection, row, self.precision)


def batches(reads: Iterable[T], pixels: Callable[[T], int]) -> Iterator[list[T]]:
    """What is analysed and stored together: some thirty small pictures, or one that is large."""
    batch, size = list[T](), 0
    for read in reads:
        batch.append(read)
        size += pixels(read)
        if len(batch) >= BATCH_PICTURES or size >= BATCH_PIXELS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def analyse_each(runner: RecipeRunner, pictures: Sequence[U8 | Pyramid]) -> list[Analysis | str]:
    """What is found in each picture, or why nothing could be: a picture that ends an analysis ends its own only."""
    try:
        return list(runner.analyse(pictures))
    except Exception as error:  # noqa: BLE001  # whatever it is, the next line but one finds out whose it is
        if len(pictures) > 1:
            return [one for picture in pictures for one in analyse_each(runner, [picture])]
        runner.analyse([PROBE])  # raises where it is not the picture that is the matter
        return [f"the analysis failed: {reason(error)}"]
