"""Requests that decide something, as calls of the library, one at a time."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from unmingle.api.recipes import current
from unmingle.decisions.asking import answer_command
from unmingle.decisions.kinds import make_command
from unmingle.decisions.service import contradicts
from unmingle.errors import StaleError
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from unmingle.api import Library
    from unmingle.decisions.asking import Answer, Question
    from unmingle.decisions.kinds import Command
    from unmingle.decisions.log import Decision
    from unmingle.review import schemas

T = TypeVar("T")


class Editor:
    """Takes the decisions of all tabs, one after another.

    Args:
        library: used by nobody else.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = Lock()

    def do(self, act: Callable[[Library], T]) -> T:
        """Let the library do something.

        Raises:
            LibraryBusyError: another program has held it for too long.
            DecisionError: it can't be done; StaleError: others have changed what it is about.
        """
        with self._lock:
            return act(self._library)

    def take(self, asked: schemas.DecisionRequest) -> Decision:
        """Take the decision that a request asks for."""
        others = tuple(getattr(asked, "others", ())) or tuple(filter(None, [getattr(asked, "other", None)]))
        command = make_command(asked.kind, getattr(asked, "person", None), others, tuple(getattr(asked, "faces", ())))

        def act(library: Library, seen: int | None) -> Decision:
            return _ACTS[asked.kind](library, asked.model_copy(update={"seen": seen}))

        return self.rebased(command, asked.seen, act)

    def answer(self, question: Question, said: Answer, seen: int | None) -> Decision:
        """Take the answer to a question."""
        command = answer_command(question, said)
        return self.rebased(command, seen, lambda library, now: library.answer(question, said, seen=now))

    def rebased(self, command: Command, seen: int | None, act: Callable[[Library, int | None], Decision]) -> Decision:
        """Take a decision that others may have overtaken: then on what is there now, unless theirs contradict it.

        Raises:
            StaleError: they do.
        """

        def taken(library: Library) -> Decision:
            try:
                return act(library, seen)
            except StaleError as error:
                with open_to_read(library.folder) as store:
                    if contradicts(store.connection, current(store), command, error.entries):
                        raise
                return act(library, max(error.entries))

        return self.do(taken)


_ACTS: dict[str, Callable[[Library, Any], Decision]] = {
    "name": lambda library, asked: library.name(asked.person, asked.name, seen=asked.seen),
    "merge": lambda library, asked: library.merge(asked.person, *asked.others, seen=asked.seen),
    "split": lambda library, asked: library.split(asked.faces, seen=asked.seen),
    "not_a_face": lambda library, asked: library.not_a_face(asked.faces, seen=asked.seen),
    "face": lambda library, asked: library.face(asked.faces, seen=asked.seen),
    "reject": lambda library, asked: library.reject(asked.faces, asked.person, seen=asked.seen),
    "assign": lambda library, asked: library.assign(asked.faces, asked.person, seen=asked.seen),
    "ignore": lambda library, asked: library.ignore(asked.person, faces=asked.faces, seen=asked.seen),
    "restore": lambda library, asked: library.restore(asked.person, faces=asked.faces, seen=asked.seen),
    "different": lambda library, asked: library.different(asked.person, asked.other, seen=asked.seen),
    "unsure": lambda library, asked: library.unsure(asked.person, asked.other, seen=asked.seen),
}
