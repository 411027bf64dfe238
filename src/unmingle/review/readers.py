"""A library read by many requests at once, and what is worth keeping between them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from unmingle.store.sqlite import Store

T = TypeVar("T")


class Readers:
    """Connections to a library, opened as needed and used again, each by one request at a time.

    Args:
        folder: of the library.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._idle: list[Store] = []
        self._opened = ExitStack()
        self._watch = self._open()
        self._watching = Lock()

    def _open(self) -> Store:
        return self._opened.enter_context(open_to_read(self._folder, any_thread=True))

    def version(self) -> int:
        """A number that changes whenever somebody has written to the library."""
        with self._watching:
            return int(self._watch.connection.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """The library as it is at one moment, whatever is written meanwhile."""
        with self._lock:
            store = self._idle.pop() if self._idle else self._open()
        try:
            with store.snapshot():
                yield store
        finally:
            with self._lock:
                self._idle.append(store)

    def close(self) -> None:
        """Close all connections; nobody may be reading any more."""
        self._opened.close()


@dataclass(slots=True)
class Kept(Generic[T]):
    """One value that is made when first asked for, and again when what it was made from has changed."""

    _lock: Lock = field(default_factory=Lock)
    _key: object = None
    _value: T | None = None

    def get(self, key: object, make: Callable[[T | None], T]) -> T:
        """The value for this key, made of the one before if need be; others who ask for it wait meanwhile."""
        with self._lock:
            if self._value is None or self._key != key:
                self._value, self._key = make(self._value), key
            return self._value
