"""Two libraries of the same pictures, side by side: what they share, what changed, and with labels who was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from unmingle.errors import SourceError
from unmingle.evaluation.changes import NOBODY, compare_groupings
from unmingle.evaluation.pairing import found, pair_pictures, seen_by_both, shared, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.evaluation.changes import Agreement, Changes
    from unmingle.evaluation.scores import Evaluation

# What became of a face, by the numbers of `changes` and, for the last two, where only one of the libraries found it.
FATES = ("same", "moved", "left_out_b", "left_out_a", "neither", "missing_b", "missing_a")
# What labels say of a picture: of its main face in the one library, and in the other.
VERDICTS = ("right", "mended", "broken", "wrong")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the libraries.

    title:    what it is called.
    settings: (name, value) of how it was made.
    pictures: and recordings, each content once; faces: in them; sorted: those that have a person.
    """

    title: str
    settings: tuple[tuple[str, str], ...]
    pictures: int
    faces: int
    people: int
    sorted: int


@dataclass(frozen=True, slots=True)
class Share:
    """Faces of a person, or of nobody (None); name: empty if the person has none."""

    person: int | None
    name: str
    faces: int


@dataclass(frozen=True, slots=True)
class Change:
    """A person of one library, and who has their faces in the other, the most first, nobody last.

    mended, broken: labelled pictures among them on which b is right and a is not, and the other way round.
    """

    whole: Share
    parts: tuple[Share, ...]
    mended: int
    broken: int


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What labels say: both scores, and on how many of the labelled pictures that both have who is right.

    a, b:         the evaluations.
    right, wrong: in both. mended: in b only. broken: in a only.
    """

    a: Evaluation
    b: Evaluation
    right: int
    mended: int
    broken: int
    wrong: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What two libraries make of the pictures that both have.

    pictures:  that both have, by_name of which not by content, only by name; only_a, only_b: that one has.
    unseen:    faces in frames of recordings that only one of them looked at: nothing is said about these.
    changes:   of all faces that either found, see `changes`; a face that one did not find is nobody's there.
    agreement: how alike they are; None where there is no face.
    same:      (person of a, person of b) with the same faces.
    split, gone:  people of a: whose faces have several people in b, or none.
    merged, new:  people of b, likewise.
    judged:    with labels.
    faces:     one row per face: `file`, `source`, `frame`, `fate` (one of FATES); of each library, with _a and _b
        behind: `face`, `id`, `person`, `name`, `status`, `reason`, `quality`; `reason` also says why a face is missing.
        With labels also `label`, and `verdict` (one of VERDICTS) on the main face of each labelled picture.
    """

    a: Side
    b: Side
    pictures: int
    by_name: int
    only_a: int
    only_b: int
    unseen: int
    changes: Changes
    agreement: Agreement | None
    same: tuple[tuple[Share, Share], ...]
    split: tuple[Change, ...]
    merged: tuple[Change, ...]
    gone: tuple[Change, ...]
    new: tuple[Change, ...]
    judged: Judged | None
    faces: pl.DataFrame

    def count(self, fate: str) -> int:
        """How many faces have this fate."""
        return int((self.faces["fate"] == fate).sum())

    def left_out(self, side: str) -> list[tuple[str, str, int]]:
        """(status, reason, faces) of what the library `side`, a or b, gave to nobody, and the other to somebody."""
        counted = self.left_out_faces(side).group_by("status", "reason").len()
        counted = counted.sort(["len", "status", "reason"], descending=[True, False, False])
        return [(str(status), str(reason), int(faces)) for status, reason, faces in counted.rows()]

    def left_out_faces(self, side: str) -> pl.DataFrame:
        """The rows of `faces` that `left_out` counts, with the `status` and the `reason` that it counts them under."""
        other = "b" if side == "a" else "a"
        rows = self.faces.filter(pl.col(f"person_{side}").is_null() & pl.col(f"person_{other}").is_not_null())
        return rows.with_columns(
            pl.col(f"status_{side}").fill_null("not_found").alias("status"),
            pl.col(f"reason_{side}").str.replace(r":.*", "").alias("reason"),
        )


def compare(
    a: tuple[Side, pl.DataFrame],
    b: tuple[Side, pl.DataFrame],
    *,
    least: float,
    evaluations: tuple[Evaluation, Evaluation] | None = None,
) -> Comparison:
    """Compare two libraries.

    Args:
        a: one, and its faces as in `faces.csv`, with `id`, boxes in shares of the picture, and the columns `content`
            (of the file), `instant` (the frame of a recording, else -1) and `every` (of a recording, else null).
        b: the other.
        least: intersection over union below which two boxes are two faces.
        evaluations: of both, against the same labels.

    Raises:
        SourceError: they have no picture in common.
    """
    (side_a, all_a), (side_b, all_b) = a, b
    pairs = pair_pictures(all_a, all_b)
    if not pairs:
        raise SourceError(
            f"{side_a.title} and {side_b.title} have no picture in common, by content or by name.",
            "Compare libraries of the same pictures.",
        )
    files_a, files_b = (shared(one, [pair[i] for pair in pairs]) for i, one in enumerate((all_a, all_b)))
    of_a, of_b = (  # each face once, however many files show it
        one.unique(["picture", "instant", "face"], keep="first", maintain_order=True) for one in (files_a, files_b)
    )
    seen_a, seen_b = seen_by_both(of_a, of_b)
    faces = side_by_side(seen_a, seen_b, least)
    changes = compare_groupings(*(faces[f"person_{s}"].fill_null(NOBODY).to_numpy() for s in "ab"))
    fate = pl.Series("fate", [FATES[fate] for fate in changes.fate_n.tolist()], dtype=pl.String)
    faces = faces.with_columns(
        pl.when(pl.col("face_b").is_null())
        .then(pl.lit("missing_b"))
        .when(pl.col("face_a").is_null())
        .then(pl.lit("missing_a"))
        .otherwise(fate)
        .alias("fate")
    )
    judged = None
    if evaluations is not None:
        said = _verdicts(evaluations, files_a, files_b)
        faces = _on_main_faces(faces, said)
        judged = Judged(*evaluations, *(int((said["verdict"] == verdict).sum()) for verdict in VERDICTS))
    teller = _Teller(changes, faces)
    return Comparison(
        a=side_a,
        b=side_b,
        pictures=len(pairs),
        by_name=sum(one != other for one, other in pairs),
        only_a=all_a["content"].n_unique() - len(pairs),
        only_b=all_b["content"].n_unique() - len(pairs),
        unseen=sum(found(every).height - found(seen).height for every, seen in ((of_a, seen_a), (of_b, seen_b))),
        changes=changes,
        agreement=changes.agreement,
        same=tuple((teller.share("a", one), teller.share("b", other)) for one, other in changes.same),
        split=teller.told("a", changes.split),
        merged=teller.told("b", changes.merged),
        gone=teller.told("a", changes.gone),
        new=teller.told("b", changes.new),
        judged=judged,
        faces=faces.drop("picture", "instant"),
    )


def _verdicts(evaluations: tuple[Evaluation, Evaluation], a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """Picture, label and verdict of each labelled picture that both have; of files with one content the first."""
    scored = []
    for evaluation, faces in zip(evaluations, (a, b), strict=True):
        pictures = faces.select("file", "source", "picture").unique(["file", "source"])
        right = evaluation.faces.select("file", "source", "label", (pl.col("outcome") == "right").alias("right"))
        scored.append(right.join(pictures, on=["file", "source"]).unique("picture", keep="first", maintain_order=True))
    both = scored[0].join(scored[1].select("picture", "right"), on="picture", suffix="_b")
    verdict = (
        pl.when(pl.col("right"))
        .then(pl.when(pl.col("right_b")).then(pl.lit("right")).otherwise(pl.lit("broken")))
        .otherwise(pl.when(pl.col("right_b")).then(pl.lit("mended")).otherwise(pl.lit("wrong")))
    )
    return both.select("picture", "label", verdict.alias("verdict"))


def _on_main_faces(faces: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The faces with the verdict of their picture, on its main face in a, or in b if a found none."""
    main = faces.select("picture", "face_a", "face_b").with_row_index("row")
    main = main.sort("picture", "face_a", "face_b", nulls_last=True).unique("picture", keep="first")
    verdicts = main.select("row", "picture").join(said, on="picture").drop("picture")
    return faces.with_row_index("row").join(verdicts, on="row", how="left", maintain_order="left").drop("row")


class _Teller:
    """Puts names and verdicts to what changed."""

    def __init__(self, changes: Changes, faces: pl.DataFrame) -> None:
        self._parts = {"a": changes.parts_a, "b": changes.parts_b}
        self._names = {
            side: dict(faces.select(f"person_{side}", f"name_{side}").drop_nulls(f"person_{side}").unique().iter_rows())
            for side in "ab"
        }
        self._verdicts: dict[tuple[str, int, str], int] = {}
        if "verdict" in faces.columns:
            for side in "ab":
                counts = faces.drop_nulls(["verdict", f"person_{side}"]).group_by(f"person_{side}", "verdict").len()
                self._verdicts |= {(side, person, verdict): n for person, verdict, n in counts.iter_rows()}

    def share(self, side: str, person: int, faces: int | None = None) -> Share:
        """So many faces of a person, or all."""
        if person == NOBODY:
            return Share(None, "", faces or 0)
        count = sum(n for _, n in self._parts[side][person]) if faces is None else faces
        return Share(person, self._names[side].get(person) or "", count)

    def told(self, side: str, people: Sequence[int]) -> tuple[Change, ...]:
        """What became of people, or what they were made of; those of whom the most faces went elsewhere come first."""
        other = "b" if side == "a" else "a"
        found = [
            Change(
                self.share(side, person),
                tuple(self.share(other, *part) for part in self._parts[side][person]),
                *(self._verdicts.get((side, person, verdict), 0) for verdict in ("mended", "broken")),
            )
            for person in people
        ]
        return tuple(sorted(found, key=lambda one: (one.parts[0].faces - one.whole.faces, one.whole.person or 0)))
