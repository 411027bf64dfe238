"""A person and a face of a library, to be looked at: as text in a terminal, with pictures in a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unmingle import html as markup
from unmingle.decisions.wording import count, label

if TYPE_CHECKING:
    import polars as pl
    from PIL.Image import Image

    from unmingle.api.looking import Looking
    from unmingle.records import Status
    from unmingle.store.one_face import Box, FaceDetail

STRIP = 24  # faces that a person shows


@dataclass(frozen=True, slots=True)
class Person:
    """A person as they were when they were asked for; what hangs on them is read when it is used.

    id:       as in `people.csv`.
    name:     empty for none.
    count:    different pictures of the face: copies of one, and the frames in which one look was seen, count once.
    cohesion: average cosine between the faces, 0 to 1; None where it is not known.
    unsure:   faces that belong there with a probability below 0.9.
    """

    id: int
    name: str
    count: int
    cohesion: float | None
    unsure: int
    _library: Looking = field(repr=False, hash=False)

    @property
    def faces(self) -> pl.DataFrame:
        """One row per face, in the columns of `faces.csv`."""
        return _of(self.id, self._library.faces)

    @property
    def intervals(self) -> pl.DataFrame:
        """When the person is on screen in recordings, in the columns of `intervals.csv`."""
        return _of(self.id, self._library.intervals)

    @property
    def sheet(self) -> Image:
        """The contact sheet: up to a hundred faces, spread over all of them."""
        return self._library.show(self.id).page

    def thumbnails(self, most: int = STRIP) -> list[Image]:
        """Faces as small square pictures, spread over all of them.

        Args:
            most: how many at most.
        """
        from unmingle.faces.thumbnail import show_thumbnail

        return [show_thumbnail(jpeg) for jpeg in self._library.jpegs_of(self.id, most)]

    def _repr_html_(self) -> str:
        shown = self._library.jpegs_of(self.id, STRIP)
        called = label(self.id, self.name)
        return markup.block(markup.heading(called, self._note(len(shown))), markup.faces(shown, of=called))

    def _note(self, shown: int) -> str:
        parts = [f"person {self.id}"] if self.name else []
        parts.append(count(self.count))
        if self.cohesion is not None:
            parts.append(f"cohesion {self.cohesion:.2f}")
        if self.unsure:
            parts.append(f"{self.unsure:,} unsure")
        if shown < self.count:
            parts.append(f"{shown} shown")
        return ", ".join(parts)


def _of(person: int, table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(table["person"] == person)


@dataclass(frozen=True, slots=True)
class Face:
    """A face as it was when it was asked for.

    id:          its row in the library, by which decisions may name it.
    file:        one of the files that show it, as its source names it.
    frame:       of the recording, or where the file's name tells.
    box:         left, top, width, height in pixels of the upright picture.
    score:       the detector's confidence, 0 to 1.
    quality:     how well it can be recognised, 0 to 1.
    person:      whose it is; None for nobody's.
    name:        what the person is called; empty for none.
    status:      as in `faces.csv`, and `reason` in words.
    probability: that the face belongs to the person, 0 to 1; None where it is not known.
    """

    id: int
    file: str
    frame: int | None
    box: Box
    score: float
    quality: float
    person: int | None
    name: str
    status: Status
    reason: str
    probability: float | None
    _jpeg: bytes | None = field(repr=False)

    @classmethod
    def of(cls, detail: FaceDetail, jpeg: bytes | None) -> Face:
        """As the library has it."""
        ignored = detail.status == "ignored"
        return cls(
            id=detail.face,
            file=detail.file,
            frame=detail.frame,
            box=detail.box,
            score=detail.score,
            quality=detail.quality,
            person=None if ignored else detail.person,
            name="" if ignored else detail.name,
            status=detail.status,
            reason=detail.reason,
            probability=None if detail.probability is None else round(detail.probability, 4),
            _jpeg=jpeg,
        )

    @property
    def thumbnail(self) -> Image | None:
        """The face as a small square picture; None if the library has none."""
        from unmingle.faces.thumbnail import show_thumbnail

        return None if self._jpeg is None else show_thumbnail(self._jpeg)

    def _repr_html_(self) -> str:
        whose = "nobody" if self.person is None else label(self.person, self.name)
        sure = "" if self.probability is None else f"probability {self.probability:.2f}"
        rows = [
            ("status", self.status if not self.reason else f"{self.status}: {self.reason}"),
            ("file", self.file if self.frame is None else f"{self.file}, frame {self.frame}"),
            ("box", ", ".join(f"{value:g}" for value in self.box)),
            ("detected, quality", f"{self.score:.2f}, {self.quality:.2f}"),
        ]
        picture = [] if self._jpeg is None else [markup.faces([self._jpeg], of=whose, side=112)]
        return markup.block(markup.heading(whose, sure), *picture, markup.table(rows))
