"""What a run did, in numbers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from unmingle import html

if TYPE_CHECKING:
    import polars as pl

REASONS = 12  # shown in a notebook, the most frequent


@dataclass(frozen=True, slots=True)
class Summary:
    """What a library holds after clustering.

    Attributes:
        files: picture files, each with at least one row in `faces.csv`.
        faces: faces found in them.
        people: how many people they are.
        clustered: faces that belong to a person.
        left_out: status and reason with their number of rows, most frequent first.
        seconds: time per stage.
        notes: what the clustering found out about the collection.
    """

    files: int
    faces: int
    people: int
    clustered: int
    left_out: tuple[tuple[str, str, int], ...]
    seconds: dict[str, float]
    notes: dict[str, float]

    @classmethod
    def of(cls, faces: pl.DataFrame, seconds: dict[str, float], notes: dict[str, float]) -> Summary:
        """The summary of a library's faces, in the columns of `faces.csv`."""
        import polars as pl

        left_out = (
            faces.filter(pl.col("person").is_null())
            .with_columns(pl.col("reason").str.replace(r":.*", ""))
            .group_by("status", "reason")
            .len()
            .sort(["len", "status", "reason"], descending=[True, False, False])
        )
        return cls(
            files=faces.select("source", "file").n_unique(),
            faces=int(faces["face"].is_not_null().sum()),
            people=faces["person"].drop_nulls().n_unique(),
            clustered=int(faces["person"].is_not_null().sum()),
            left_out=tuple((str(status), str(reason), int(count)) for status, reason, count in left_out.iter_rows()),
            seconds={stage: round(value, 3) for stage, value in seconds.items()},
            notes={key: round(value, 6) for key, value in notes.items()},
        )

    def _repr_html_(self) -> str:
        title = f"{self.people:,} {'person' if self.people == 1 else 'people'}"
        note = f"{self.faces:,} faces in {self.files:,} files, {self.clustered:,} of them a person's"
        parts = [html.heading(title, note)]
        if self.left_out:
            shown = [(status, reason, f"{count:,}") for status, reason, count in self.left_out[:REASONS]]
            parts.append(html.table(shown, ("left out as", "reason", "faces or files")))
        if self.seconds:
            spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())
            parts.append(html.remark(f"Time: {spent}"))
        return html.block(*parts)


def as_json(summary: Summary) -> str:
    """The summary as one JSON object."""
    return json.dumps(asdict(summary), ensure_ascii=False, indent=2)
