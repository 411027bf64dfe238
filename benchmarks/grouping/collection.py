"""Collections of labelled embeddings for the benchmarks of the grouping: one .npz file each, as embed.py writes them.

Named in the singular because a module `collections` beside a script would hide Python's own.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmingle.records import F32, I64

NOT_SCORED = ("?", "0")  # not known, and no face


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """The n faces of one collection.

    vectors_nd: (n, d) float32.
    labels_n:   (n,) str, the person of each face.
    scored_n:   (n,) bool, the faces whose person is known. The others take part, but nothing is said about them.
    pictures_n: (n,) int64, the picture of each face; faces of one picture are different people.
    """

    name: str
    vectors_nd: F32
    labels_n: NDArray[np.str_]
    scored_n: NDArray[np.bool_]
    pictures_n: I64

    @classmethod
    def load(cls, path: Path) -> Collection:
        """The collection in one .npz file: `vectors`, `labels`, and perhaps `pictures`.

        Where there is a mask `masked`, the faces in it are not scored either.
        """
        loaded = np.load(path)
        labels = loaded["labels"].astype(str)
        scored = ~np.isin(labels, NOT_SCORED)
        if "masked" in loaded:
            scored &= ~loaded["masked"]
        pictures = loaded["pictures"] if "pictures" in loaded else np.arange(len(labels))
        return cls(path.stem, np.asarray(loaded["vectors"], np.float32), labels, scored, pictures.astype(np.int64))

    @property
    def people(self) -> int:
        """How many people have a scored face."""
        return len(np.unique(self.labels_n[self.scored_n]))

    @property
    def groups(self) -> int:
        """How many people have two scored faces or more: as many as there are to be found."""
        return int((np.unique(self.labels_n[self.scored_n], return_counts=True)[1] > 1).sum())

    def only(self, index_m: I64, name: str | None = None) -> Collection:
        """The faces of these rows."""
        return Collection(
            name or self.name,
            self.vectors_nd[index_m],
            self.labels_n[index_m],
            self.scored_n[index_m],
            self.pictures_n[index_m],
        )

    def clean(self) -> Collection:
        """Only the faces that are scored."""
        return self.only(np.flatnonzero(self.scored_n))

    def variants(self, *, strangers: bool) -> list[Collection]:
        """The scored faces alone and, if asked for and there are others, all faces."""
        result = [self.clean()]
        if strangers and not self.scored_n.all():
            result.append(self.only(np.arange(len(self.labels_n)), f"{self.name} with strangers"))
        return result


def load_folder(folder: Path, names: Sequence[str] = ()) -> list[Collection]:
    """The collections of a folder, by name; those in which nobody has a second scored face are left out.

    Args:
        folder: holds NAME.npz files.
        names: load only these; none: all.
    """
    paths = [folder / f"{name}.npz" for name in names] or sorted(folder.glob("*.npz"))
    missing = [str(path) for path in paths if not path.is_file()]
    if missing or not paths:
        sys.exit(f"No collection {', '.join(missing) or folder / '*.npz'}. Make it with benchmarks/grouping/embed.py.")
    collections = [Collection.load(path) for path in paths]
    return [collection for collection in collections if collection.people < collection.scored_n.sum()]
