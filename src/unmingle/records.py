"""What travels between the rooms: frozen, columnar records whose shapes are checked once, at birth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmingle.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]
MISSING = frozenset({"None", "nan", "NaT", "<NA>"})  # how Python, NumPy and pandas write what is not there
BOX = ("left", "top", "width", "height")  # of a face, in pixels of the upright picture
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
    """The n faces of one picture, the main one first, the others by falling score; pixels of the upright picture."""

    boxes: F32  # (n, 4): left, top, width, height
    points: F32  # (n, 5, 2), x and y: right eye, left eye, nose, right and left mouth corner (of the person)
    scores: F32  # (n,), the detector's confidence, 0 to 1

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape == (n, 4) and self.points.shape == (n, 5, 2) and self.scores.shape == (n,):
            return  # there are many of these
        check_shape("boxes", self.boxes, (None, 4))
        check_shape("points", self.points, (n, 5, 2))
        check_shape("scores", self.scores, (n,))

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: NDArray[Any]) -> Faces:
        """Those at integers or a mask."""
        return Faces(self.boxes[index], self.points[index], self.scores[index])

    def scaled(self, factor: float) -> Faces:
        """The same in a picture with so many times the pixels on each side."""
        return Faces(self.boxes * np.float32(factor), self.points * np.float32(factor), self.scores)

    def widened(self, factor: float) -> Faces:
        """The same in a picture that is so many times as wide, and as high as before."""
        wide = np.array([factor, 1], np.float32)
        return Faces(self.boxes * np.tile(wide, 2), self.points * wide, self.scores)

    @classmethod
    def none(cls) -> Faces:
        """No faces at all."""
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class Triage:
    """What each of n faces is fit for."""

    standings: tuple[Standing, ...]
    flags: tuple[Flag, ...]  # the status of a face that finds nobody; "masked" stays also on one that does
    reasons: tuple[str, ...]  # why a face may not found a person; empty for those that may

    def __post_init__(self) -> None:
        if not len(self.standings) == len(self.flags) == len(self.reasons):
            raise ValueError(f"{len(self.standings)} standings, {len(self.flags)} flags, {len(self.reasons)} reasons")

    def __len__(self) -> int:
        return len(self.standings)

    def take(self, index: Sequence[int]) -> Triage:
        """Those at `index`, in that order."""
        standings, flags, reasons = self.standings, self.flags, self.reasons
        return Triage(
            tuple(standings[i] for i in index), tuple(flags[i] for i in index), tuple(reasons[i] for i in index)
        )

    @classmethod
    def alike(cls, faces: int, standing: Standing = "found", flag: Flag = "", reason: str = "") -> Triage:
        """The same for all; without more, nothing speaks against any of them."""
        return cls((standing,) * faces, (flag,) * faces, (reason,) * faces)


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What a recipe found in one picture: its n faces, or why there are none."""

    width: int  # of the upright picture, in pixels
    height: int
    faces: Faces
    vectors: F32  # (n, d), the embedding of each
    quality: F32  # (n,), 0 to 1, how much of what the embedding needs the face shows
    thumbnails: tuple[bytes, ...]  # n JPEG files, a small square picture of each
    triage: Triage
    reason: str = ""  # why there is no face, or what else a reader should know
    fingerprint: bytes = b""  # by which copies of the picture are known, see `faces.duplicates`; empty: not wanted

    def __post_init__(self) -> None:
        check_shape("vectors", self.vectors, (len(self.faces), None))
        check_shape("quality", self.quality, (len(self.faces),))
        if not len(self.triage) == len(self.thumbnails) == len(self.faces):
            raise ValueError(f"{len(self.triage)} judged, {len(self.thumbnails)} thumbnails, {len(self.faces)} faces")

    def columns(self, face: int) -> dict[str, Any]:
        """What tables have of a face: its place, how good it is, and what it is fit for."""
        return {
            **dict(zip(BOX, self.faces.boxes[face].tolist(), strict=True)),
            "score": float(self.faces.scores[face]),
            "quality": float(self.quality[face]),
            "standing": self.triage.standings[face],
            "flag": self.triage.flags[face],
            "reason": self.triage.reasons[face],
        }

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
class Sightings:
    """The n times that a face was seen, in the order of time."""

    frames: I64  # (n,) numbers of frames of the recording, from 0
    times: F64  # (n,) seconds since the recording begins
    numbers: I64  # (n,) which face of its frame it is: 0 is the surest
    boxes: F32  # (n, 4) pixels of the upright frame: left, top, width, height
    scores: F32  # (n,) the detector's confidence, 0 to 1

    def __post_init__(self) -> None:
        check_shape("frames", self.frames, (None,))
        for name in ("times", "numbers", "scores"):
            check_shape(name, getattr(self, name), (len(self.frames),))
        check_shape("boxes", self.boxes, (len(self.frames), 4))

    @classmethod
    def of(cls, seen: Sequence[tuple[Any, ...]]) -> Sightings:
        """At least one, as arrays."""
        kinds = (np.int64, np.float64, np.int64, np.float32, np.float32)
        columns = zip(*seen, strict=True)  # what else a row has, comes behind
        return cls(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=False)))

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, kept_n: Bool) -> Sightings:
        """Those of them that are kept."""
        return Sightings(*(getattr(self, name)[kept_n] for name in self.__slots__))


def nearest_keyframes(times_n: F64, sightings_k: I64) -> I64:
    """(n,) for each sighting, by rising time, the position of the keyframe nearest in time, of k by their sightings."""
    at = times_n[sightings_k]
    after = np.clip(np.searchsorted(at, times_n), 0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    return np.asarray(np.where(np.abs(at[before] - times_n) <= np.abs(at[after] - times_n), before, after))


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """One step of an agglomeration: two clusters became one.

    Clusters 0 … n-1 are single faces; the merge at position i makes cluster n + i (as in SciPy's linkage). `how` is
    "given" (equal rows, must-links), "average" (average linkage), "best quarter" (two appearances of one person),
    "straggler" (an outlier found its person), "seen together" (alike enough although they share a frame), or
    "number given".
    """

    first: int
    second: int
    similarity: float  # the average cosine over all pairs of their faces
    size: int
    how: str


@dataclass(frozen=True, slots=True, eq=False)
class Merges:
    """The m steps of an agglomeration, in order: a sequence of Merge, kept in columns, since there may be a million."""

    first: I64
    second: I64
    similarity: F64
    size: I64
    why: U8  # (m,), positions in `names`
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("second", "similarity", "size", "why"):
            check_shape(name, getattr(self, name), (len(self.first),))

    @classmethod
    def none(cls) -> Merges:
        """Nothing was merged."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros(0), none, np.zeros(0, np.uint8), ())

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, i: int) -> Merge:
        ints = int(self.first[i]), int(self.second[i])
        return Merge(*ints, float(self.similarity[i]), int(self.size[i]), self.names[self.why[i]])

    def __iter__(self) -> Iterator[Merge]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """A partition of n faces."""

    labels: I64  # (n,), cluster of each face, 0 … k-1, largest cluster first; every face has one, single faces too
    merges: Merges = field(default_factory=Merges.none)  # the merge tree; empty for methods without one
    notes: tuple[tuple[str, float], ...] = ()  # what the method found out about the collection: threshold, scale, …

    def __post_init__(self) -> None:
        check_shape("labels", self.labels, (None,))
        if len(self.labels) and (self.labels.min() != 0 or len(np.unique(self.labels)) != self.labels.max() + 1):
            raise ValueError("labels must be 0 … k-1 without gaps")


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did."""

    files: int  # picture files and recordings looked at
    analysed: int  # pictures and recordings whose faces were found and embedded now
    known: int  # files that are as they were at an earlier run
    copies: int  # files read now whose content was known already, under another name or from before
    unreadable: int  # files that can't be read
    passed_over: int  # files that are neither pictures nor recordings by their ending and their first bytes
    gone: int  # files of earlier runs that were there until now
    unwatched: tuple[tuple[str, int, str], ...] = ()  # what of recordings was not looked at, how often, the first file
    along: tuple[tuple[str, int], ...] = ()  # sources of earlier runs, not looked through now, and their files
    others: tuple[tuple[str, int], ...] = ()  # passed over, most first: endings, folders not looked into/, moving parts
    moved: int = 0  # files that were there before under another name or in another folder
    changed: int = 0  # files with other bytes that show what they showed, such as pictures that got a rating
    carried: int = 0  # pictures saved again, turned or cut, whose faces go on as they were
    lost: int = 0  # faces that were decided about, and that are not in their changed pictures any more
    out_of_reach: tuple[str, ...] = ()  # folders that are not there now, whose files are kept
    made: tuple[str, ...] = ()  # folders that unmingle export wrote, whose files were passed over
    lone_raws: int = 0  # raw pictures, passed over, that lie there in no other format
    precisions: tuple[tuple[str, int], ...] = ()  # of the networks' arithmetic, and the pictures computed in each


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """A table of a library as a pandas frame, without PyArrow.

    Whole numbers stay whole where some are missing, as pandas' `Int64`; a missing text is None; each row of an array is
    an array. MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise MissingExtraError("pandas", "pandas", "to make pandas frames") from error
    return pd.DataFrame({column.name: _values(column) for column in frame})


def _values(column: pl.Series) -> Any:
    import pandas as pd
    import polars as pl

    if column.dtype.is_integer() and column.null_count():
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy().copy(), column.is_null().to_numpy().copy())
    if column.dtype.is_numeric():
        return column.to_numpy().copy()
    if column.dtype.is_nested():
        return pd.Series(list(column.to_numpy()), dtype=object)
    whole = column.dtype == pl.Boolean and not column.null_count()
    return pd.Series(column.to_list(), dtype=bool if whole else object)
