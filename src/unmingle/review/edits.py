"""Requests that decide something, as calls of the library, one at a time."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from unmingle.api import Library
    from unmingle.library.decisions import Decision
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
        return self.do(lambda library: _ACTS[asked.kind](library, asked))


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
