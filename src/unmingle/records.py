"""What travels between the rooms: frozen, columnar records whose shapes are checked once, at birth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    I64 = NDArray[np.int64]
    U8 = NDArray[np.uint8]
    Bool = NDArray[np.bool_]

Status = Literal["clustered", "alone", "not_a_face", "masked", "low_quality", "ignored", "unreadable"]
# Whether a face may found a person, may only join one that others found, or is not grouped at all.
Standing = Literal["found", "join", "aside"]
Flag = Literal["", "not_a_face", "masked", "low_quality"]


def check_shape(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless `array` has `shape`, where None matches any length."""
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The n faces of one picture, the main one first, the others by falling score.

    boxes:  (n, 4) float32, pixels of the upright picture: left, top, width, height.
    points: (n, 5, 2) float32, pixels x, y: right eye, left eye, nose, right and left mouth corner (of the person).
    scores: (n,) float32, the detector's confidence, 0 to 1.
    """

    boxes: F32
    points: F32
    scores: F32

    def __post_init__(self) -> None:
        check_shape("boxes", self.boxes, (None, 4))
        check_shape("points", self.points, (len(self.boxes), 5, 2))
        check_shape("scores", self.scores, (len(self.boxes),))

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: NDArray[Any]) -> Faces:
        """The faces at `index` (integers or a mask), in that order."""
        return Faces(self.boxes[index], self.points[index], self.scores[index])

    @classmethod
    def none(cls) -> Faces:
        """No faces at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class Triage:
    """What each of n faces is fit for.

    standings: n of Standing.
    flags:     n of Flag, the status of a face that finds nobody; "masked" stays also on one that does.
    reasons:   n texts, why a face may not found a person; empty for those that may.
    """

    standings: tuple[Standing, ...]
    flags: tuple[Flag, ...]
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.standings) == len(self.flags) == len(self.reasons):
            raise ValueError(f"{len(self.standings)} standings, {len(self.flags)} flags, {len(self.reasons)} reasons")

    def __len__(self) -> int:
        return len(self.standings)

    def take(self, index: Sequence[int]) -> Triage:
        """The faces at `index`, in that order."""
        return Triage(
            tuple(self.standings[i] for i in index),
            tuple(self.flags[i] for i in index),
            tuple(self.reasons[i] for i in index),
        )

    @classmethod
    def alike(cls, faces: int, standing: Standing = "found", flag: Flag = "", reason: str = "") -> Triage:
        """The same for all; without more, nothing speaks against any of them."""
        return cls((standing,) * faces, (flag,) * faces, (reason,) * faces)


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What a recipe found in one picture: its n faces, or why there are none.

    width, height: of the upright picture, in pixels.
    faces:   the n faces, the main one first.
    vectors: (n, d) float32, the embedding of each.
    quality: (n,) float32, 0 to 1, how much of what the embedding needs the face shows.
    thumbnails: n JPEG files, a small square picture of each.
    triage:  what each face is fit for.
    reason:  why there is no face, or what else a reader should know; may be empty.
    fingerprint: by which copies of the picture are known, see `faces.duplicates`; empty if none is wanted.
    """

    width: int
    height: int
    faces: Faces
    vectors: F32
    quality: F32
    thumbnails: tuple[bytes, ...]
    triage: Triage
    reason: str = ""
    fingerprint: bytes = b""

    def __post_init__(self) -> None:
        check_shape("vectors", self.vectors, (len(self.faces), None))
        check_shape("quality", self.quality, (len(self.faces),))
        if not len(self.triage) == len(self.thumbnails) == len(self.faces):
            raise ValueError(f"{len(self.triage)} judged, {len(self.thumbnails)} thumbnails, {len(self.faces)} faces")

    def one(self, face: int) -> Analysis:
        """The same of one face alone."""
        index = np.array([face])
        return replace(
            self,
            faces=self.faces.take(index),
            vectors=self.vectors[index],
            quality=self.quality[index],
            thumbnails=(self.thumbnails[face],),
            triage=self.triage.take([face]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """One step of an agglomeration: clusters `first` and `second` became one of `size` faces at `similarity`.

    Clusters 0 … n-1 are single faces; the merge at position i makes cluster n + i (as in SciPy's linkage).

    similarity: the average cosine over all pairs of their faces.
    how: why they were merged: "given" (equal rows, must-links), "average" (average linkage), "best quarter" (two
        appearances of one person), "straggler" (an outlier found its person), "seen together" (alike enough although
        they share a frame), "number given".
    """

    first: int
    second: int
    similarity: float
    size: int
    how: str


@dataclass(frozen=True, slots=True, eq=False)
class Merges:
    """The m steps of an agglomeration, in order: a sequence of Merge, kept in columns, since there may be a million.

    leaves: how many faces there are.
    first, second: (m,) int64. similarity: (m,) float64. size: (m,) int64. why: (m,) uint8, a position in `names`.
    """

    leaves: int
    first: I64
    second: I64
    similarity: F64
    size: I64
    why: U8
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("second", "similarity", "size", "why"):
            check_shape(name, getattr(self, name), (len(self.first),))

    @classmethod
    def none(cls) -> Merges:
        """Nothing was merged."""
        none = np.zeros(0, np.int64)
        return cls(0, none, none, np.zeros(0), none, np.zeros(0, np.uint8), ())

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, i: int) -> Merge:
        return Merge(
            int(self.first[i]),
            int(self.second[i]),
            float(self.similarity[i]),
            int(self.size[i]),
            self.names[self.why[i]],
        )

    def __iter__(self) -> Iterator[Merge]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """A partition of n faces.

    labels: (n,) int64, cluster of each face, 0 … k-1, largest cluster first; every face has one, single faces too.
    merges: the merge tree, in order; empty for methods without one.
    notes:  what the method found out about the collection, for the reader (threshold, scale, …).
    """

    labels: I64
    merges: Merges = field(default_factory=Merges.none)
    notes: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        check_shape("labels", self.labels, (None,))
        if len(self.labels) and (self.labels.min() != 0 or len(np.unique(self.labels)) != self.labels.max() + 1):
            raise ValueError("labels must be 0 … k-1 without gaps")


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did.

    Attributes:
        files: picture files and recordings looked at.
        analysed: pictures and recordings whose faces were found and embedded now.
        known: files that are as they were at an earlier run.
        copies: files read now whose content was known already, under another name or from before.
        unreadable: files that can't be read.
        passed_over: files that are neither pictures nor recordings by their ending and their first bytes.
        gone: files of earlier runs that are no longer there.
        unwatched: what of recordings was not looked at, such as a second stream; of how many files, and the first.
        along: sources of earlier runs that are there and were not looked through now, and how many files each still
            gives.
        others: how many files were passed over, by their ending, most first.
        moved: files that were there before under another name or in another folder.
        changed: files with other bytes that show what they showed, such as pictures that got a rating.
        carried: pictures saved again, turned or cut, whose faces go on as they were.
        lost: faces that were decided about, and that are not in their changed pictures any more.
        out_of_reach: folders that are not there now, whose files are kept.
        made: folders that unmingle export wrote, whose files were passed over.
    """

    files: int
    analysed: int
    known: int
    copies: int
    unreadable: int
    passed_over: int
    gone: int
    unwatched: tuple[tuple[str, int, str], ...] = ()
    along: tuple[tuple[str, int], ...] = ()
    others: tuple[tuple[str, int], ...] = ()
    moved: int = 0
    changed: int = 0
    carried: int = 0
    lost: int = 0
    out_of_reach: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
