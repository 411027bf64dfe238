"""Every error that unmingle raises on purpose; each carries what is wrong and, where there is one, the mend."""

from __future__ import annotations

import shlex
from pathlib import PurePath


def command(*words: str | PurePath) -> str:
    """A command for the mend of an error, quoted for the shell, with the real path of what it is about."""
    # A path that begins with a dash would be taken for an option.
    plain = [f"./{word}" if isinstance(word, PurePath) and str(word).startswith("-") else str(word) for word in words]
    return shlex.join(["unmingle", *plain])


# What code raises that meets something nobody expected, such as the rows of a damaged library.
UNEXPECTED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class UnmingleError(Exception):
    """Root of all errors of unmingle.

    Args:
        problem: what is wrong, one sentence.
        mend: what to do about it; empty when nothing can be done.
    """

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem} {mend}".strip())
        self.problem = problem
        self.mend = mend


class EmbeddingWarning(UserWarning):
    """Vectors don't tell how alike strangers are to the model that made them, so people may be wrong."""


class SourceError(UnmingleError):
    """A folder or file to read from is missing, empty or not allowed."""


class PictureError(UnmingleError):
    """One picture can't be used; `problem` becomes the reason in its row."""


class ModelError(UnmingleError):
    """A model file is missing, damaged, or of another layout."""


class FetchError(ModelError):
    """A download failed or did not match its checksum."""


class LabelsError(UnmingleError):
    """A workbook, csv or folder of labels can't be understood."""


class LibraryError(UnmingleError):
    """The library on disk can't be used."""


class LibraryBusyError(LibraryError):
    """Another run is writing to this library."""


class LibraryLockedError(LibraryError):
    """The library is encrypted, and no key was given, or another one."""


class LibraryNewerError(LibraryError):
    """A newer version of unmingle made this library."""


class DecisionError(UnmingleError):
    """What was said of faces or people can't be done: no such person, a name that is taken, nothing to undo."""


class StaleError(DecisionError):
    """Somebody has changed the people or faces of a decision since they were looked at.

    Args:
        entries: the entries of the log that did.
    """

    def __init__(self, problem: str, mend: str = "", *, entries: tuple[int, ...] = ()) -> None:
        super().__init__(problem, mend)
        self.entries = entries


class WriteError(UnmingleError):
    """A file can't be written: the disk is full, read-only, or not ours."""


class SettingsError(UnmingleError):
    """Settings that contradict each other or are out of range."""


class ConstraintError(SettingsError):
    """What must be one person and what must not contradict each other.

    Args:
        faces: the rows of the two faces, if there are two.
    """

    def __init__(self, problem: str, mend: str = "", *, faces: tuple[int, int] | None = None) -> None:
        super().__init__(problem, mend)
        self.faces = faces


class MissingExtraError(UnmingleError):
    """An optional package is not installed.

    Args:
        package: the distribution that is missing.
        extra: the extra of unmingle that brings it.
        purpose: what it is needed for, as in "to read HEIC pictures".
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{package} is needed {purpose}.", f"Run: pip install 'unmingle[{extra}]'")


def reason(error: BaseException) -> str:
    """Why one file was passed over, on one line for its row: whatever was raised, the others go on."""
    words = " ".join(str(error).split())[:200]
    if isinstance(error, UnmingleError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
