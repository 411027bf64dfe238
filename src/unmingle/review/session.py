"""One library under review: what is looked at, what is decided, and what goes on beside the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Condition, Lock, Semaphore
from typing import TypeVar

import numpy as np
from PIL import Image

from unmingle.decisions.asking import Answer, Question, answer_command
from unmingle.decisions.erasing import Erasure
from unmingle.decisions.kinds import Command
from unmingle.decisions.log import Decision
from unmingle.decisions.service import DecisionService
from unmingle.errors import DecisionError, LibraryBusyError, LibraryError, PictureError, StaleError, UnmingleError
from unmingle.faces.align import FACE_MARGIN, SIDE, thumbnail
from unmingle.files import stamp
from unmingle.identification import Found
from unmingle.jobs import retry
from unmingle.library import Library
from unmingle.records import U8
from unmingle.render.drawing import as_jpeg
from unmingle.review.background import Later, QuestionList
from unmingle.review.cache import Cache
from unmingle.review.pages import RequestError, there
from unmingle.sources.decoding import decode, open_pyramid
from unmingle.sources.formats import LIBRARY_FILE, check_file, file_digest
from unmingle.sources.images import digest, read_bytes
from unmingle.sources.pyramid import Pyramid
from unmingle.sources.recordings import Recording, as_shown
from unmingle.store import encryption, people_query
from unmingle.store.face_query import FileState, Original, original, original_recording
from unmingle.store.facts import check_begun
from unmingle.store.result_tables import thumbnail_of
from unmingle.store.sqlite import open_to_decide, open_to_write

T = TypeVar("T")
MOST_QUESTIONS = 200
QUIET = 3.0  # seconds without an edit before the tables on disk are written
AT_ONCE = 2  # pictures being decoded: each may take half a gigabyte
KEPT_FACES = 500  # cut out sharply, of 20 to 100 kB each
KEPT_RECORDINGS = 4  # whose times of frames are remembered: to learn them a file is read through, hours of it too
CHANGED = "the file has another content now"


class Session:
    """A library under review."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.name = self.folder.name
        self.cache = Cache(self.folder)
        self.questions = QuestionList(
            self._ask, lambda: self.cache.overview().revision, lambda one: self.cache.log().active.get(one, False)
        )
        self._service = DecisionService()
        self._deciding = Lock()
        self._asking = Library(self.folder)  # remembers what it found out about people who don't change
        self._redraw: set[int] = set()  # people who changed since the tables were written
        self._tables = Later(self._write_tables, quiet=QUIET, name="tables")
        self._pictures = PictureReader()
        self._decoding = Semaphore(AT_ONCE)
        self._cut = lru_cache(KEPT_FACES)(self._cut_out)

    def start(self) -> None:
        """Begin the work beside the requests."""
        self.questions.start()
        self._tables.start()

    def stop(self) -> None:
        """Finish it: tables that are out of date are written."""
        self.questions.stop()
        self._tables.stop(finish=True)
        self.cache.close()
        with suppress(UnmingleError), open_to_decide(self.folder):
            pass  # the last one to close it writes the log back

    def _ask(self) -> tuple[Question, ...]:
        self.cache.warm()  # first what the next pages and decisions need
        try:
            with self._deciding, self.cache.snapshot() as store:
                self._service.state(store)
            return self._asking.questions(most=MOST_QUESTIONS)
        except LibraryBusyError:
            raise
        except LibraryError:  # it was not grouped by faces, so nothing is known about who may be whom
            return ()

    def _write_tables(self) -> None:
        with self._deciding:
            people, self._redraw = self._redraw, set()
        try:
            Library(self.folder)._show(people)
        except UnmingleError:
            with self._deciding:
                self._redraw.update(people)
            raise

    def decide(self, command: Command, seen: int | None, *, together: bool = False) -> list[Decision]:
        """Take a decision; one that others have overtaken is about what is there now, unless theirs contradict it."""
        with self._deciding, open_to_decide(self.folder) as store:
            check_begun(store)
            entries = self._service.decide(store, command, seen=seen, lenient=True, together=together)
            self._redraw.update(person for entry in entries for person in entry.people)
        self._tables.ask()
        return [Decision.of(entry, live=True) for entry in entries]

    def erase(self, person: int, seen: int | None) -> tuple[Erasure, Decision]:
        """Erase a person; one of whom others have changed something since is looked at again first."""
        library = Library(self.folder, views="on request")
        with self._deciding:
            later = [one.id for one in self.cache.log().entries if one.id > (seen or 0) and person in one.people]
            if seen is not None and later:
                raise StaleError("This person was changed since you looked.", "Look again.", entries=tuple(later))
            self._cut.cache_clear()
            done = library.erase(person)
            self._service.forget()
        self._tables.ask()
        return done, library.decisions[-1]

    def answer(self, question: str, said: Answer, seen: int | None, group: int) -> Decision:
        asked = self._restated(question)
        if asked is None:
            raise StaleError("This question no longer stands.", "Look at the questions again.")
        (taken,) = self.decide(replace(answer_command(asked, said), group=group), seen)
        self.questions.answered(asked, taken.id)
        return taken

    def current_questions(self) -> list[Question]:
        """The questions whose faces are still where they were when the questions were worked out."""
        asked = self.questions.all()
        shown = {face for one in asked for side in (one.one, one.other) for face in side.show}
        with self.cache.snapshot() as store:
            owner = people_query.owners(store, shown)
        return [
            one
            for one in asked
            if all(owner.get(face) == side.person for side in (one.one, one.other) for face in side.show)
        ]

    def _restated(self, question: str) -> Question | None:
        """A question about the people of now, some of whom were merged since; None if it no longer stands."""
        asked = self.questions.find(question)
        if asked is None:
            return None
        log = self.cache.log()
        with self.cache.view() as view:
            owner = people_query.owners(view.store, (*asked.one.show, *asked.other.show))
            people = view.overview.people
        sides = []
        for side in (asked.one, asked.other):
            now = side.person if side.person is None else log.merged_into(side.person) or side.person
            if {owner.get(face) for face in side.show} != {now} or (now is not None and now not in people):
                return None
            sides.append(replace(side, person=now, name="" if now is None else people[now].name))
        one, other = sides
        merged = asked.kind == "people" and one.person == other.person
        return None if merged else replace(asked, one=one, other=other)

    def retry(self, file: int) -> tuple[str, str]:
        with open_to_write(self.folder) as store:
            found = retry(store, file)
        self._tables.ask()
        return found

    def find(self, content: bytes) -> tuple[Found, list[bytes]]:
        """Who is in a picture of which nothing is kept, and its faces, cut out."""
        with self._decoding, self.cache.view() as view:
            picture = decode(content)
            found = self.cache.identifier(view).find(Path(), picture)
        boxes = (np.array(one.box, np.float32) for one in found.faces)
        return found, [thumbnail(picture, box, margin=FACE_MARGIN) for box in boxes]

    def original(self, face: int) -> Original:
        with self.cache.snapshot() as store:
            return there(original(store, face), f"face {face}")

    def picture(self, face: int, side: int) -> bytes:
        """The whole picture that shows a face, its longer side at most `side` pixels."""
        wanted = self.original(face)
        return self._drawn(wanted, side, lambda file: self._pictures.read(file, wanted))

    def thumbnail(self, face: int, side: int) -> bytes:
        """A face as it was stored, or sharper: cut out of its picture, if that is a file that still is what it was."""
        with self.cache.snapshot() as store:
            jpeg = there(thumbnail_of(store, face), f"face {face}")
            wanted = original(store, face) if side > SIDE else None
        # Of a recording it would have to be read through, and of a small face no more is there.
        if wanted and wanted.frame is None and wanted.box and max(wanted.box[2:]) > SIDE / 2:
            with suppress(RequestError):
                return self._cut(wanted, side)
        return jpeg

    def _cut_out(self, wanted: Original, side: int) -> bytes:
        box = np.array(wanted.box, np.float32)

        def cut(file: FileState) -> bytes:
            with self._decoding:
                return thumbnail(self._pictures.pyramid(file, wanted), box, margin=FACE_MARGIN, pixels=side)

        return _first(wanted, cut)

    def frame(self, recording: int, at: float, side: int) -> bytes:
        """The frame of a recording that comes then or next; `at` in seconds since it begins."""
        wanted = self._recording(recording)
        return self._drawn(wanted, side, lambda file: self._pictures.frame(file, wanted, at))

    def recording_file(self, recording: int) -> Path:
        """A file that still holds a recording."""
        wanted = self._recording(recording)
        return _first(wanted, lambda file: self._pictures.path(file, wanted))

    def _recording(self, recording: int) -> Original:
        with self.cache.snapshot() as store:
            return there(original_recording(store, recording), f"recording {recording}")

    def _drawn(self, wanted: Original, side: int, read: Callable[[FileState], U8]) -> bytes:
        def draw(file: FileState) -> bytes:
            with self._decoding:
                picture = Image.fromarray(read(file))
                picture.thumbnail((side, side), reducing_gap=3.0)
                return as_jpeg(picture)

        return _first(wanted, draw)


def _first(wanted: Original, read: Callable[[FileState], T]) -> T:
    """What is read of the first of the files that still holds an original."""
    problem = "no file holds it"
    for file in wanted.files:
        try:
            return read(file)
        except PictureError as error:
            problem = error.problem
    raise RequestError(404, f"The picture can't be shown: {problem}.", "Put the file back where it was.")


class Door:
    """The way to a library under review: shut while it is encrypted and nobody has given its key, or not there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._turning = Lock()
        self._changed = Condition()
        self._inside = 0  # requests
        self._session = None if self._is_shut() else Session(folder)

    def _is_shut(self) -> bool:
        if encryption.is_encrypted(self.folder):
            return encryption.key_of(self.folder) is None
        return not (self.folder / LIBRARY_FILE).exists()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """For the length of a request."""
        with self._changed:
            session = self._session
            if session is None:
                if encryption.is_encrypted(self.folder):
                    raise RequestError(401, "This library is locked.", "Give its key.", locked=True)
                raise RequestError(404, "There are no pictures yet.", "Choose some, at /add.", empty=True)
            self._inside += 1
        try:
            yield session
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def start(self) -> None:
        if self._session is not None:
            self._session.start()

    def stop(self) -> None:
        """Let nobody in any more; what is under way is finished."""
        with self._changed:
            session, self._session = self._session, None
            self._changed.wait_for(lambda: not self._inside)
        if session is not None:
            session.stop()

    def unlock(self, key: str) -> None:
        """Open it with a key; LibraryError if it is none, or another's."""
        with self._turning:
            encryption.unlock_there(self.folder, key)
            try:
                self._begin()
            except UnmingleError:
                encryption.lock(self.folder)
                raise

    def _begin(self) -> None:
        if self._session is None:
            session = Session(self.folder)
            session.start()
            self._session = session

    def made(self) -> None:
        """Open it if it was only made now."""
        with self._turning:
            if not self._is_shut():
                self._begin()

    def lock(self) -> None:
        """Forget the key, and all that was read with it."""
        if not encryption.is_encrypted(self.folder):
            raise DecisionError("This library is not encrypted.", "To encrypt it, end the page: unmingle encrypt.")
        with self._turning:
            self.stop()
            encryption.lock(self.folder)


class PictureReader:
    """Reads pictures, and frames of recordings; remembers where the frames of the last recordings are."""

    def __init__(self) -> None:
        # By size and time as well: a file that changed is another one.
        self._opened: Callable[..., Recording] = lru_cache(KEPT_RECORDINGS)(lambda path, *_: Recording(path))
        self._holds = lru_cache(KEPT_RECORDINGS)(lambda known, path, *_: file_digest(path) in known)
        self._lock = Lock()

    def read(self, file: FileState, wanted: Original) -> U8:
        """The upright picture or frame, (h, w, 3), of square pixels, if the file is what it was; else PictureError."""
        if wanted.frame is not None:
            recording = self._recording(file, wanted)
            return as_shown(recording.frame(wanted.frame).pixels, recording.info.aspect)
        return self.pyramid(file, wanted, half=False).full()

    def pyramid(self, file: FileState, wanted: Original, *, half: bool = True) -> Pyramid:
        """A picture file, if it is still what it was; see `open_pyramid`."""
        content = read_bytes(file.file)
        if digest(content) not in wanted.bytes:
            raise PictureError(CHANGED)
        return open_pyramid(content, half=half)

    def frame(self, file: FileState, wanted: Original, at: float) -> U8:
        """The frame of a recording that comes at so many seconds or next, or the last."""
        recording = self._recording(file, wanted)
        # Sound before it may have come or gone since, or not have counted.
        at += recording.info.begins - wanted.begins
        found = next(recording.frames(every=0, start=at), None)
        return as_shown((found or recording.frame(recording.info.frames - 1)).pixels, recording.info.aspect)

    def path(self, file: FileState, wanted: Original) -> Path:
        """Where a recording lies, known to be what is wanted."""
        with self._lock:
            return self._known(file, wanted)[0]

    def _recording(self, file: FileState, wanted: Original) -> Recording:
        # One at a time: who asks for the next frame of the same recording waits for what was learned of it.
        with self._lock:
            return self._opened(*self._known(file, wanted))  # which holds no file open between frames

    def _known(self, file: FileState, wanted: Original) -> tuple[Path, int, int]:
        """A recording is what is wanted: by its size and time, or else by reading all of it, once."""
        path = file.file.path
        check_file(path)
        size, modified = stamp(path)
        as_was = (size, modified) == (file.size, file.modified)
        if not as_was and not self._holds(wanted.bytes, path, size, modified):
            raise PictureError(CHANGED)
        return path, size, modified
