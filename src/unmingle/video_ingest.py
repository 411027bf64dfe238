"""Recordings to tracks in the library: a segment at a time, so that a killed run goes on in the middle."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.errors import PictureError, UnmingleError, reason
from unmingle.sources.formats import file_digest
from unmingle.sources.recordings import Recording
from unmingle.store import analyses, sightings
from unmingle.tracking.video import track_video

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unmingle.progress import Progress, Times
    from unmingle.sources.images import PictureFile
    from unmingle.store.analyses import Known
    from unmingle.store.identity import Recogniser
    from unmingle.store.sqlite import Store
    from unmingle.tracking.video import VideoRecipe


@dataclass(slots=True)
class VideoIngest:
    """Watches recordings from where each was left; what was seen is stored every minute of them."""

    store: Store
    recipe: VideoRecipe  # what sees the faces, its key, and the precision of its arithmetic
    key: str
    precision: str
    every: float  # seconds between the frames that are looked at
    recogniser: Recogniser
    done: set[str]  # digests of what was seen to its end; those that are now join it
    progress: Progress
    times: Times
    include_erased: bool = False

    def add(self, files: Sequence[PictureFile], known: Mapping[PictureFile, Known]) -> tuple[int, int]:
        """How many recordings were watched now, and how many can't be read; the others are copies."""
        watched = unreadable = 0
        for file in files:
            try:
                watched += self._watch(file, known[file])
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
                digest, seen = sightings.unfinished(connection, known[file].row, self.key)
                after = f", after {seen:,.0f} seconds that were" if seen else ""
                analyses.note_read(connection, known[file].row, -1, -1, digest, problem + after)
        return watched, unreadable

    def _watch(self, file: PictureFile, known: Known) -> bool:
        """Watch a recording to its end; whether there was anything to do."""
        if file.problem:
            raise PictureError(file.problem)
        with self.times.measure("watch"):
            try:
                status = file.path.stat()
            except OSError as error:
                raise PictureError(f"can't be opened: {error.strerror or error}") from error
            content = file_digest(file.path)
        digest, shown, new = self.recogniser.by_bytes().get(content, content), b"", False
        if digest not in self.done:
            with Recording(file.path) as recording:
                shown = recording.shown()
                digest = self.recogniser.recording(content, shown, known.digest, recording)
                new = digest not in self.done
                if new:
                    with self.store.transaction() as connection:
                        # Not yet its size and time: until it was seen to its end, the next run takes it up again.
                        analyses.note_read(connection, known.row, -1, -1, digest, "", content=content, shown=shown)
                    self._watch_on(recording, digest)
                    self.done.add(digest)
        with self.store.transaction() as connection:
            stamp = status.st_size, status.st_mtime_ns
            analyses.note_read(connection, known.row, *stamp, digest, "", content=content, shown=shown)
        return new

    def _watch_on(self, recording: Recording, digest: str) -> None:
        duration = int(recording.info.duration)
        with self.store.transaction() as connection:
            row, seen = sightings.begin(
                connection, digest, self.key, self.every, recording.info, include_erased=self.include_erased
            )
        self.progress("watch", min(int(seen), duration), duration)
        with closing(track_video(recording, self.recipe, every=self.every, start=seen)) as segments:
            while True:
                with self.times.measure("watch"):
                    segment = next(segments, None)
                if segment is None:
                    break
                with self.times.measure("write"), self.store.transaction() as connection:
                    sightings.add_segment(connection, row, self.precision, segment)
                self.progress("watch", min(int(segment.stop), duration), duration)
        with self.store.transaction() as connection:
            sightings.finish(connection, row, self.precision)
