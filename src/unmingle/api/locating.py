"""Where a library's pictures lie: sources that were moved, and those to be dropped."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.api.exchanging import Exchanging
from unmingle.api.recipes import current
from unmingle.files import user_path
from unmingle.store import files

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from unmingle.store.files import Forgotten
    from unmingle.store.sqlite import Store


class Locating(Exchanging):
    """The sources of a library."""

    __slots__ = ()

    @abstractmethod
    def writing(self) -> AbstractContextManager[Store]:
        """The library, open for changing it."""

    def forget(self, source: str | Path) -> Forgotten:
        """Drop a source: its files leave the tables, and people of whom there is no other picture leave with them.

        What was found and what was decided stays. Added again, the source and its people are back, and nothing is
        computed again.

        Args:
            source: a folder that was added, one below it, or a file.

        Returns:
            What has left.

        Raises:
            SourceError: the library has no files there.
        """
        with self.writing() as store:
            done = files.forget(store, current(store), user_path(source))
        self._look_again()
        return done

    def relocate(self, old: str | Path, new: str | Path) -> int:
        """Note that a source, or a folder in one, is somewhere else now; nothing is read again.

        Args:
            old: where it was.
            new: where it is.

        Returns:
            How many files were in it.

        Raises:
            SourceError: the library has no files in `old`, or not all of them are in `new`.
        """
        with self.writing() as store:
            count = files.relocate(store, user_path(old), user_path(new))
        self._look_again()
        return count

    def _look_again(self) -> None:
        self._service.forget()
        if self.views == "at once":
            self.write_views()
