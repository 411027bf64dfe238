"""Two libraries side by side."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unmingle.api.exchanging import Exchanging
from unmingle.api.recipes import DETECTION, RECORDING, current
from unmingle.files import write_atomically
from unmingle.progress import silent
from unmingle.settings import DetectionSettings, RecordingSettings
from unmingle.store.face_regions import SAME_FACE

if TYPE_CHECKING:
    import polars as pl

    from unmingle.evaluation.comparison import Comparison, Side
    from unmingle.evaluation.labels import LabelOptions, Labels
    from unmingle.evaluation.scores import Evaluation
    from unmingle.progress import Progress
    from unmingle.store.sqlite import Store


class Comparing(Exchanging):
    """What a library has in common with another, and what not."""

    __slots__ = ()

    @abstractmethod
    def evaluate(
        self, labels: Path | str | Labels | Literal["folders"], *, options: LabelOptions | None = None
    ) -> Evaluation:
        """Score the people against labels."""

    def compare(
        self,
        other: Comparing,
        *,
        labels: Path | str | Literal["folders"] | None = None,
        options: LabelOptions | None = None,
    ) -> Comparison:
        """Lay another library of the same pictures beside this one: who is who, what split, merged or was left out.

        Pictures are the same by content, or else by their name below their source; faces by where they are. What only
        one of the two has seen is counted, and nothing is said about it.

        Args:
            other: made with another recipe, other settings, or other decisions.
            labels: as for `evaluate`: then it says too which of the two was right about each change.
            options: how the labels are read.

        Raises:
            LibraryError: one of them is no library, or holds no pictures.
            SourceError: they have no picture in common.
            LabelsError: the labels can't be understood, or none of them is about a file of both.
        """
        from unmingle.evaluation.comparison import compare

        a, b = self._side(), other._side()
        evaluations = None
        if labels is not None:
            evaluations = self.evaluate(labels, options=options), other.evaluate(labels, options=options)
        return compare(a, b, least=SAME_FACE, evaluations=evaluations)

    def write_comparison(
        self, other: Comparing, comparison: Comparison, destination: Path | str, *, progress: Progress = silent
    ) -> Path:
        """Write a comparison as one page of html, with the faces concerned; it needs no other file and no network.

        Args:
            other: the library that this one was compared with.
            comparison: from `compare`.
            destination: the file.
            progress: told while it is made.

        Returns:
            The file written.

        Raises:
            WriteError: the file can't be written.
        """
        from unmingle.render.comparison import comparison_page
        from unmingle.render.pictures import Pictures

        with self._reading() as store, other._reading() as beside:
            page = comparison_page(comparison, Pictures(store), Pictures(beside), progress)
        write_atomically(Path(destination), page.encode())
        return Path(destination)

    def _side(self) -> tuple[Side, pl.DataFrame]:
        from unmingle.evaluation.comparison import Side
        from unmingle.render.report import how_made
        from unmingle.store.comparable import comparable_faces

        with self._reading() as store:
            recipe = current(store)
            faces = comparable_faces(store, recipe)
            settings = (*how_made(store, recipe), *how_looked(store))
        once = faces.filter(faces["face"].is_not_null()).unique(["content", "instant", "face"])
        side = Side(
            title=str(self.folder),
            settings=tuple(row for row in settings if row[0] not in ("Library", "Times grouped")),
            pictures=faces["content"].n_unique(),
            faces=once.height,
            people=once["person"].drop_nulls().n_unique(),
            sorted=int(once["person"].is_not_null().sum()),
        )
        return side, faces


def how_looked(store: Store) -> list[tuple[str, str]]:
    """Names and values of the settings with which faces were looked for, as far as they are not the usual ones."""
    rows = []
    usual = {DETECTION: asdict(DetectionSettings()), RECORDING: asdict(RecordingSettings())}
    for fact, values in usual.items():
        noted = json.loads(store.fact(fact) or "{}")
        rows += [(name, str(value)) for name, value in noted.items() if value != values.get(name)]
    return rows
