"""Everything that one library's review needs, together: what is looked at, what is decided, what runs beside."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock, Semaphore
from typing import TYPE_CHECKING

from PIL import Image

from unmingle.api import Library
from unmingle.errors import LibraryBusyError, LibraryError, PictureError, StaleError, UnmingleError
from unmingle.render.canvas import as_jpeg
from unmingle.review.background import Later, QuestionList
from unmingle.review.edits import Editor
from unmingle.review.originals import Originals
from unmingle.review.problems import GoneError
from unmingle.review.views import Views
from unmingle.store import browse
from unmingle.store.one_face import original

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.decisions.asking import Answer, Question
    from unmingle.decisions.log import Decision
    from unmingle.records import U8

MOST_QUESTIONS = 200
QUIET = 3.0  # seconds without an edit before the tables on disk are written
AT_ONCE = 2  # pictures being decoded: each may take half a gigabyte


class Room:
    """A library under review.

    Args:
        folder: of the library.

    Raises:
        LibraryError: there is no library there, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.name = self.folder.name
        self.views = Views(self.folder)
        self.editor = Editor(Library(self.folder, views="on request"))
        self._asking = Library(self.folder)  # remembers what it found out about people who don't change
        self.questions = QuestionList(self._ask, lambda: self.views.overview().revision)
        self._warm = Later(self._get_ready, quiet=0.0, name="warm")
        self._redraw: set[int] = set()  # people who changed since the tables were written
        self._redrawing = Lock()
        self._tables = Later(self._write_tables, quiet=QUIET, name="tables")
        self._originals = Originals()
        self._decoding = Semaphore(AT_ONCE)

    def start(self) -> None:
        """Get ready for the first page, and begin the work beside the requests."""
        self.views.first_page()
        self._warm.start()
        self._warm.ask()
        self.questions.start()
        self._tables.start()

    def _get_ready(self) -> None:
        self.views.warm()
        self.editor.do(lambda library: library.get_ready())

    def stop(self) -> None:
        """Finish it: tables that are out of date are written."""
        self._warm.stop(finish=False)
        self.questions.stop()
        self._tables.stop(finish=True)
        self.views.readers.close()

    def _ask(self) -> tuple[Question, ...]:
        self.views.warm()  # first what the next pages need
        try:
            return self._asking.questions(most=MOST_QUESTIONS)
        except LibraryBusyError:
            raise
        except LibraryError:  # it was not grouped by faces, so nothing is known about who may be whom
            return ()

    def edited(self, decision: Decision) -> Decision:
        """Note that something was decided."""
        with self._redrawing:
            self._redraw.update(decision.people)
        self._tables.ask()
        return decision

    def _write_tables(self) -> None:
        with self._redrawing:
            people, self._redraw = self._redraw, set()
        try:
            Library(self.folder).write_views(redraw=people)
        except UnmingleError:
            with self._redrawing:
                self._redraw.update(people)
            raise

    def standing_questions(self) -> list[Question]:
        """The questions whose faces are still where they were when the questions were worked out."""
        asked = self.questions.all()
        shown = {face for one in asked for side in (one.one, one.other) for face in side.show}
        with self.views.look() as look:
            owner = browse.owners(look.store, shown)
        return [
            one
            for one in asked
            if all(owner.get(face) == side.person for side in (one.one, one.other) for face in side.show)
        ]

    def answer(self, question: str, said: Answer, seen: int | None) -> Decision:
        """Answer a question.

        Raises:
            StaleError: the question no longer stands.
        """
        asked = self._restated(question)
        if asked is None:
            raise StaleError("This question no longer stands.", "Look at the questions again.")
        decision = self.editor.answer(asked, said, seen)
        self.questions.answered(question, decision.id)
        return self.edited(decision)

    def _restated(self, question: str) -> Question | None:
        """A question about the people of now, some of whom were merged since; None if it no longer stands."""
        asked = self.questions.find(question)
        if asked is None:
            return None
        history = self.views.history()
        with self.views.look() as look:
            owner = browse.owners(look.store, (*asked.one.show, *asked.other.show))
            people = look.overview.people
        sides = []
        for side in (asked.one, asked.other):
            now = side.person if side.person is None else history.merged_into(side.person) or side.person
            if {owner.get(face) for face in side.show} != {now} or (now is not None and now not in people):
                return None
            sides.append(replace(side, person=now, name="" if now is None else people[now].name))
        one, other = sides
        merged = asked.kind == "people" and one.person == other.person
        return None if merged else replace(asked, one=one, other=other)

    def retry(self, file: int) -> tuple[str, str]:
        """Read a file again; its status and reason now."""
        found = Library(self.folder).retry(file)
        self._tables.ask()
        return found

    def picture(self, face: int, side: int) -> bytes:
        """A JPEG of the whole upright picture that shows a face.

        Raises:
            GoneError: there is no such face, or no file holds its picture any more.
        """
        with self.views.readers.snapshot() as store:
            wanted = original(store, face)
        if wanted is None:
            raise GoneError(f"There is no face {face}.", "Look at the library again.")
        problem = "no file holds it"
        for held in wanted.files:
            try:
                with self._decoding:
                    return _small(self._originals.read(held, wanted), side)
            except PictureError as error:
                problem = error.problem
        raise GoneError(f"The picture can't be shown: {problem}.", "Put the file back where it was.")


def _small(picture_hw3: U8, side: int) -> bytes:
    picture = Image.fromarray(picture_hw3)
    picture.thumbnail((side, side), reducing_gap=3.0)
    return as_jpeg(picture)
