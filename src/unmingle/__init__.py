"""unmingle sorts mingled faces into people, without labels.

import unmingle

library = unmingle.open("out")
library.add("meetings/faces")
library.cluster()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from unmingle.errors import UnmingleError
from unmingle.version import __version__

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from unmingle.estimator import FaceClusterer
    from unmingle.library import Library
    from unmingle.records import to_pandas

__all__ = ["FaceClusterer", "Library", "UnmingleError", "__version__", "open", "to_pandas"]

_HOMES = {"FaceClusterer": "unmingle.estimator", "Library": "unmingle.library", "to_pandas": "unmingle.records"}


def open(folder: str | Path, *, key: str | None = None) -> Library:  # noqa: A001  # unmingle.open reads as it should
    """The library in `folder`; it is made at the first `add`.

    key: of an encrypted library, for this process; a new one becomes encrypted. Needs the extra `encrypt`.
    """
    from unmingle.files import user_path
    from unmingle.library import Library

    library = Library(user_path(folder))
    if key is not None:
        from unmingle.store.encryption import unlock_there

        unlock_there(library.folder, key)
    return library


def __getattr__(name: str) -> Any:
    # All bring heavy packages, which `import unmingle` alone must not load.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'unmingle' has no attribute {name!r}")
