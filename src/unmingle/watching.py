"""Recordings to tracks in the library: a segment at a time, so that a killed run goes on in the middle."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.errors import PictureError, UnmingleError, reason
from unmingle.sources.formats import file_digest
from unmingle.sources.recordings import Recording
from unmingle.store import pictures, recordings
from unmingle.tracking.video import track_video

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.progress import Progress, Times
    from unmingle.sources.images import PictureFile
    from unmingle.store.identity import Recogniser
    from unmingle.store.pictures import Known
    from unmingle.store.sqlite import Store
    from unmingle.tracking.video import VideoRecipe


@dataclass(frozen=True, slots=True)
class Watched:
    """How many recordings were watched now, and how many can't be read; the others are copies."""

    analysed: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who watches, and how.

    recipe, precision: of the sight.
    every: seconds between the frames that are looked at.
    recogniser: finds out which recording a file shows.
    """

    sight: VideoRecipe
    recipe: str
    precision: str
    every: float
    recogniser: Recogniser


def watch_all(
    store: Store,
    files: Sequence[PictureFile],
    known: dict[PictureFile, Known],
    watcher: Watcher,
    done: set[str],
    *,
    progress: Progress,
    times: Times,
) -> Watched:
    """Watch recordings from where each was left; what was seen is stored every minute of them.

    Args:
        store: open for writing.
        files: the recordings.
        known: what the library knows of them.
        watcher: how to watch.
        done: digests of what was seen to its end; those that are now join it.
        progress: told after each segment.
        times: where to add the seconds of watching and of writing.
    """
    analysed = unreadable = 0
    for file in files:
        try:
            analysed += _watch(store, file, known[file], watcher, done, progress, times)
        except PictureError as error:
            unreadable += 1
            _note_problem(store, known[file].row, watcher.recipe, error.problem)
        except UnmingleError:  # of the library or the disk, and so of all
            raise
        except Exception as error:  # noqa: BLE001  # whatever happens with one recording, the others are watched
            unreadable += 1
            _note_problem(store, known[file].row, watcher.recipe, f"not watched: {reason(error)}")
    return Watched(analysed, unreadable)


def _note_problem(store: Store, row: int, recipe: str, problem: str) -> None:
    """Note why a recording can't be watched; what was seen of it before stays, and the next run goes on there."""
    with store.transaction() as connection:
        digest, seen = recordings.unfinished(connection, row, recipe)
        after = f", after {seen:,.0f} seconds that were" if seen else ""
        pictures.note_read(connection, row, -1, -1, digest, problem + after)


def _watch(
    store: Store,
    file: PictureFile,
    known: Known,
    watcher: Watcher,
    done: set[str],
    progress: Progress,
    times: Times,
) -> bool:
    """Watch a recording to its end; whether there was anything to do.

    Raises:
        PictureError: it can't be read.
    """
    if file.problem:
        raise PictureError(file.problem)
    with times.measure("watch"):
        size, modified = _stamp(file)
        content = file_digest(file.path)
    digest, shown, new = watcher.recogniser.by_bytes().get(content, content), b"", False
    if digest not in done:
        with Recording(file.path) as recording:
            shown = recording.shown()
            digest = watcher.recogniser.recording(content, shown, known.digest, recording)
            new = digest not in done
            if new:
                with store.transaction() as connection:
                    # Not yet its size and time: until it was seen to its end, the next run takes it up again.
                    pictures.note_read(connection, known.row, -1, -1, digest, "", content=content, shown=shown)
                _watch_on(store, recording, digest, watcher, progress, times)
                done.add(digest)
    with store.transaction() as connection:
        pictures.note_read(connection, known.row, size, modified, digest, "", content=content, shown=shown)
    return new


def _watch_on(
    store: Store, recording: Recording, digest: str, watcher: Watcher, progress: Progress, times: Times
) -> None:
    """Watch a recording from where it was left to its end."""
    duration = int(recording.info.duration)
    with store.transaction() as connection:
        at = recordings.begin(connection, digest, watcher.recipe, watcher.every, recording.info)
    progress("watch", min(int(at.seen), duration), duration)
    with closing(track_video(recording, watcher.sight, every=watcher.every, start=at.seen)) as segments:
        while True:
            with times.measure("watch"):
                segment = next(segments, None)
            if segment is None:
                break
            with times.measure("write"), store.transaction() as connection:
                recordings.add_segment(connection, at.row, watcher.precision, segment)
            progress("watch", min(int(segment.stop), duration), duration)
    with store.transaction() as connection:
        recordings.finish(connection, at.row, watcher.precision)


def _stamp(file: PictureFile) -> tuple[int, int]:
    """Size and time of a file."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error
    return status.st_size, status.st_mtime_ns
