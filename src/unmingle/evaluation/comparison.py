"""Two libraries of the same pictures, side by side: what they share, what changed, and with labels who was right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import polars as pl

from unmingle.errors import SourceError
from unmingle.evaluation import metrics
from unmingle.evaluation.scores import Evaluation, first_case
from unmingle.faces.boxes import assigned
from unmingle.records import BOX, F64, I64
from unmingle.sources.names import folded

NOBODY = -1
WHOLE = 0.99  # a box that comes so near to the size of the picture, as a share of its area, is the picture
OF_A_SIDE = ("face", "id", "person", "name", "status", "reason", "quality")
FRAME = ["picture", "instant"]
# What became of a face: with people who are one another's counterparts, or who are not; nobody's in one of the
# libraries, or in both; found by only one of them.
FATES = ("same", "moved", "left_out_b", "left_out_a", "neither", "missing_b", "missing_a")
# What labels say of a picture: of its main face in the one library, and in the other.
VERDICTS = ("right", "mended", "broken", "wrong")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the libraries."""

    title: str
    settings: tuple[tuple[str, str], ...]  # (name, value) of how it was made
    pictures: int  # and recordings, each content once
    faces: int  # in them
    people: int
    sorted: int  # faces that have a person


@dataclass(frozen=True, slots=True)
class Share:
    """Faces of a person, or of nobody."""

    person: int | None
    name: str  # empty if the person has none
    faces: int


@dataclass(frozen=True, slots=True)
class Change:
    """A person of one library, and who has their faces in the other."""

    whole: Share
    parts: tuple[Share, ...]  # the most first, nobody last
    mended: int  # labelled pictures among them on which b is right and a is not
    broken: int  # and the other way round

    @property
    def others(self) -> int:
        """How many people of the other library have faces of this one."""
        return sum(part.person is not None for part in self.parts)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two groupings are; each at most 1, which is the same. A face of nobody is a group of its own."""

    pairwise: float
    bcubed: float
    ari: float
    ami: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What labels say: both scores, and how many of the labelled pictures that both have are right in which."""

    a: Evaluation
    b: Evaluation
    right: int
    mended: int
    broken: int
    wrong: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What two libraries make of the pictures that both have.

    faces: one row per face: `file`, `source`, `frame`, `fate` (one of FATES); of each library, with _a and _b
        behind: `face`, `id`, `person`, `name`, `status`, `reason`, `quality`; `reason` also says why a face is missing.
        With labels also `label`, and `verdict` (one of VERDICTS) on the main face of each labelled picture.
    """

    a: Side
    b: Side
    pictures: int  # that both have
    by_name: int  # of which not by content, only by name
    only_a: int
    only_b: int
    unseen: int  # faces in frames of recordings that only one of them looked at: nothing is said about these
    agreement: Agreement | None  # None where there is no face; a face that one did not find is nobody's there
    same: tuple[tuple[Share, Share], ...]  # (person of a, person of b) with the same faces
    split: tuple[Change, ...]  # people of a whose faces have several people in b
    merged: tuple[Change, ...]  # people of b, likewise
    gone: tuple[Change, ...]  # people of a whose faces have no person in b
    new: tuple[Change, ...]  # people of b, likewise
    judged: Judged | None  # with labels
    faces: pl.DataFrame

    def count(self, fate: str) -> int:
        """How many faces have this fate."""
        return int((self.faces["fate"] == fate).sum())

    def left_out(self, side: str) -> list[tuple[str, str, int]]:
        """(status, reason, faces) of what the library `side`, a or b, gave to nobody, and the other to somebody."""
        counted = self.left_out_faces(side).group_by("status", "reason").len()
        return counted.sort(["len", "status", "reason"], descending=[True, False, False]).rows()

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
    """Compare two libraries, each with its `comparable_faces`; evaluations: of both, against the same labels.

    Two boxes with an intersection over union below `least` are two faces. Without a common picture: a SourceError.
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
    whose_a, whose_b = (faces[f"person_{side}"].fill_null(NOBODY).to_numpy() for side in "ab")
    faces = _with_fates(faces, counterparts(whose_a, whose_b))
    judged = None
    if evaluations is not None:
        said = _verdicts(evaluations, files_a, files_b)
        faces = _on_main_faces(faces, said)
        judged = Judged(*evaluations, *(int((said["verdict"] == verdict).sum()) for verdict in VERDICTS))
    changes_a, changes_b = _changes(faces, "a", "b"), _changes(faces, "b", "a")
    people_b = {change.whole.person: change.whole for change in changes_b}
    whole = ((change.whole, people_b.get(change.parts[0].person)) for change in changes_a if len(change.parts) == 1)
    return Comparison(
        a=side_a,
        b=side_b,
        pictures=len(pairs),
        by_name=sum(one != other for one, other in pairs),
        only_a=all_a["content"].n_unique() - len(pairs),
        only_b=all_b["content"].n_unique() - len(pairs),
        unseen=sum(every["face"].count() - seen["face"].count() for every, seen in ((of_a, seen_a), (of_b, seen_b))),
        agreement=agreement(whose_a, whose_b) if faces.height else None,
        same=tuple((one, other) for one, other in whole if other is not None and one.faces == other.faces),
        split=_torn_first(one for one in changes_a if one.others > 1),
        merged=_torn_first(one for one in changes_b if one.others > 1),
        gone=_torn_first(one for one in changes_a if not one.others),
        new=_torn_first(one for one in changes_b if not one.others),
        judged=judged,
        faces=faces.drop("picture", "instant"),
    )


def agreement(a_n: I64, b_n: I64) -> Agreement:
    """How alike two groupings of n faces are, given whose each is; below 0 for nobody's."""
    table = metrics.contingency(np.where(a_n < 0, NOBODY - 1 - np.arange(len(a_n)), a_n), b_n)
    pairwise, bcubed = metrics.pairwise(table).f1, metrics.bcubed(table).f1
    return Agreement(pairwise, bcubed, metrics.adjusted_rand(table), metrics.adjusted_mutual_information(table))


def counterparts(a_n: I64, b_n: I64) -> dict[int, int]:
    """Who is who in two groupings of n faces, given whose each is, below 0 for nobody's.

    The one-to-one assignment with the most faces in agreement, and of these the one with the highest F1. What is still
    a tie is settled by the order of the faces: neither ids, nor which grouping comes first, have a say.
    """
    (ids_a, rank_a_n), (ids_b, rank_b_n) = _by_first_face(a_n), _by_first_face(b_n)
    differ = np.flatnonzero(rank_a_n != rank_b_n)
    if len(differ) and rank_b_n[differ[0]] < rank_a_n[differ[0]]:
        return {a: b for b, a in counterparts(b_n, a_n).items()}
    person_c = metrics.assign(
        metrics.Contingency.of(tuple(map(str, ids_a)), rank_a_n, np.array(ids_b, np.int64), rank_b_n)
    )
    return {ids_a[person]: ids_b[c] for c, person in enumerate(person_c.tolist()) if person >= 0}


def _by_first_face(whose_n: I64) -> tuple[list[int], I64]:
    """The people in the order of their first faces, and (n,) the position of each face's person there, or -1."""
    whose = pl.Series(whose_n, dtype=pl.Int64)
    ids = whose.filter(whose >= 0).unique(maintain_order=True).to_list()
    rank = whose.replace_strict(ids, range(len(ids)), default=NOBODY, return_dtype=pl.Int64)
    return ids, rank.to_numpy()


def _with_fates(faces: pl.DataFrame, b_of: dict[int, int]) -> pl.DataFrame:
    person_a, person_b = pl.col("person_a"), pl.col("person_b")
    counterpart = person_a.replace_strict(b_of, default=None, return_dtype=pl.Int64)
    cases = {
        "missing_b": pl.col("face_b").is_null(),
        "missing_a": pl.col("face_a").is_null(),
        "neither": person_a.is_null() & person_b.is_null(),
        "left_out_b": person_b.is_null(),
        "left_out_a": person_a.is_null(),
        "same": counterpart == person_b,
    }
    return faces.with_columns(first_case(cases, otherwise="moved").alias("fate"))


def _changes(faces: pl.DataFrame, side: str, other: str) -> list[Change]:
    """The people of one library with who has their faces in the other, the largest first."""
    person, name, whose, called = f"person_{side}", f"name_{side}", f"person_{other}", f"name_{other}"
    judged = "verdict" in faces.columns
    counts = [((pl.col("verdict") == one).sum() if judged else pl.lit(0)).alias(one) for one in ("mended", "broken")]
    parts = (
        faces.drop_nulls(person)
        .group_by(person, whose)
        .agg(pl.col(name, called).first().fill_null(""), pl.len().alias("faces"), *counts)
        .sort(person, pl.col(whose).is_null(), "faces", whose, descending=[False, False, True, False])
        .select(person, name, whose, called, "faces", "mended", "broken")
    )
    changes = []
    for one, rows in groupby(parts.iter_rows(), key=itemgetter(0)):
        _, titles, *theirs, mended, broken = zip(*rows, strict=True)
        whole = Share(one, titles[0], sum(theirs[-1]))
        changes.append(Change(whole, tuple(map(Share, *theirs)), sum(mended), sum(broken)))
    return sorted(changes, key=lambda change: (-change.whole.faces, change.whole.person))


def _torn_first(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Those of whom the most faces went elsewhere come first."""
    return tuple(sorted(changes, key=lambda one: (one.parts[0].faces - one.whole.faces, one.whole.person)))


def _verdicts(evaluations: tuple[Evaluation, Evaluation], a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """Picture, label and verdict of each labelled picture that both have; of files with one content the first."""
    scored = []
    for evaluation, faces in zip(evaluations, (a, b), strict=True):
        one = ["file", "source", "frame", "face"]
        main = faces.sort("face", nulls_last=True, maintain_order=True).unique(one[:2], keep="first")
        right = evaluation.faces.select(*one, "label", (pl.col("outcome") == "right").alias("right"))
        known = right.join(main.select(*one, "picture"), on=one, nulls_equal=True, maintain_order="left")
        scored.append(known.unique("picture", keep="first", maintain_order=True))
    both = scored[0].join(scored[1].select("picture", "right"), on="picture", suffix="_b")
    a_right, b_right = pl.col("right"), pl.col("right_b")
    verdict = first_case({"right": a_right & b_right, "mended": b_right, "broken": a_right}, otherwise="wrong")
    return both.select("picture", "label", verdict.alias("verdict"))


def _on_main_faces(faces: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The faces with the verdict of their picture, on its main face in a, or in b if a found none."""
    main = faces.select("picture", "face_a", "face_b").with_row_index("row")
    main = main.sort("picture", "face_a", "face_b", nulls_last=True).unique("picture", keep="first")
    verdicts = main.select("row", "picture").join(said, on="picture").drop("picture")
    return faces.with_row_index("row").join(verdicts, on="row", how="left", maintain_order="left").drop("row")


def pair_pictures(first: pl.DataFrame, second: pl.DataFrame) -> list[tuple[str, str]]:
    """The pictures that both have, as (content, content): those of the same content, and of the rest of the same name.

    A name (`file`) counts whatever its letter case and Unicode form, if it means one picture on each side.
    """
    of_first, of_second = (
        dict(one.group_by("content").agg(pl.col("file").unique().sort()).iter_rows()) for one in (first, second)
    )
    pairs = {content: content for content in of_first if content in of_second}
    taken = set(pairs)
    names, other_names = _by_name(of_first), _by_name(of_second)
    for name in sorted(names.keys() & other_names.keys()):
        (one, *more), (other, *others) = names[name], other_names[name]
        if not (more or others or one in pairs or other in taken):
            pairs[one] = other
            taken.add(other)
    # By the name that comes first on either side: so the order is the same when the sides change places.
    return sorted(pairs.items(), key=lambda pair: (min([*of_first[pair[0]], *of_second[pair[1]]]), min(pair)))


def _by_name(names_of: dict[str, list[str]]) -> dict[str, set[str]]:
    """The contents that each name means."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for content, names in names_of.items():
        for name in names:
            found[folded(name)].add(content)
    return found


def shared(faces: pl.DataFrame, contents: Sequence[str]) -> pl.DataFrame:
    """The rows of pictures that both have, with their number."""
    schema = {"content": pl.String, "picture": pl.Int64}
    numbers = pl.DataFrame({"content": contents, "picture": range(len(contents))}, schema=schema)
    return faces.join(numbers, on="content", maintain_order="left")


def seen_by_both(a: pl.DataFrame, b: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without the frames that only one looked at.

    Which frames were looked at is known of those with a face only. So of a recording that the two looked at in other
    steps, the frames count in which both found somebody.
    """
    every = a.select("picture", "every").unique().join(b.select("picture", "every").unique(), on="picture")
    uneven = every.filter(pl.col("every") != pl.col("every_right"))["picture"].implode()
    frames_a, frames_b = (one.drop_nulls("face").select(FRAME).unique() for one in (a, b))
    frames = frames_a.join(frames_b, on=FRAME)
    is_uneven = pl.col("picture").is_in(uneven)
    first, second = (
        pl.concat([one.filter(~is_uneven), one.filter(is_uneven).join(frames, on=FRAME, how="semi")]) for one in (a, b)
    )
    return first, second


def side_by_side(a: pl.DataFrame, b: pl.DataFrame, least: float) -> pl.DataFrame:
    """One row per face that either found."""
    spots = pl.concat([a.select(FRAME), b.select(FRAME)]).unique().sort(FRAME).with_row_index("spot")
    found_a, found_b = (one.drop_nulls("face").join(spots, on=FRAME, maintain_order="left") for one in (a, b))
    pairs = pair_faces(found_a, found_b, least=least)
    alone_a, alone_b = (np.setdiff1d(np.arange(one.height), pairs[:, i]) for i, one in enumerate((found_a, found_b)))
    common = ["picture", "instant", "file", "source", "frame"]
    of_a, of_b = ([pl.col(name).alias(f"{name}_{side}") for name in OF_A_SIDE] for side in "ab")
    both = [found_a[pairs[:, 0]].select(*common, *of_a), found_b[pairs[:, 1]].select(of_b)]
    paired = pl.concat(both, how="horizontal")
    only_a = found_a[alone_a].select(*common, *of_a).join(_why_none(b, "b"), on="picture", how="left")
    only_b = found_b[alone_b].select(*common, *of_b).join(_why_none(a, "a"), on="picture", how="left")
    rows = pl.concat([paired, only_a, only_b], how="diagonal").with_columns(
        pl.when(pl.col(f"face_{side}").is_null())
        .then(pl.col(f"reason_{side}").fill_null("no face was found there"))
        .otherwise(pl.col(f"reason_{side}"))
        for side in "ab"
    )
    # An order that is the same when the sides change places.
    numbers = ("face_a", "face_b")
    return rows.sort("picture", "instant", pl.min_horizontal(numbers), pl.max_horizontal(numbers), maintain_order=True)


def _why_none(faces: pl.DataFrame, side: str) -> pl.DataFrame:
    """Status and reason of the pictures in which no face was found."""
    none = faces.filter(pl.col("face").is_null()).unique("picture", keep="first", maintain_order=True)
    return none.select("picture", pl.col("status").alias(f"status_{side}"), pl.col("reason").alias(f"reason_{side}"))


def pair_faces(first: pl.DataFrame, second: pl.DataFrame, *, least: float) -> I64:
    """The faces that are one and the same, as (k, 2) int64 rows of the two tables.

    On each `spot`, a picture or a frame: see `assigned`. Where one side has the whole picture for its only face, as the
    classic recipe does, that is the main face, which has the lowest number.
    """
    spots = [one.with_row_index("row").group_by("spot").agg("row") for one in (first, second)]
    both = spots[0].join(spots[1], on="spot").sort("spot").drop("spot")
    (box_n4, number_n), (box_m4, number_m) = (
        (one.select(BOX).to_numpy().astype(np.float64), one["face"].to_numpy()) for one in (first, second)
    )
    pairs = [np.zeros((0, 2), np.int64)]
    for rows, others in (map(np.array, lists) for lists in both.iter_rows()):
        one, other = box_n4[rows], box_m4[others]
        if np.array_equal(one, other):  # by far the most pictures of two libraries of one recipe
            at = to = np.arange(len(rows))
        elif _is_whole(one) != _is_whole(other):
            at, to = number_n[rows].argmin(keepdims=True), number_m[others].argmin(keepdims=True)
        else:
            at, to = np.array(assigned(one, other, least=least), np.int64).reshape(-1, 2).T
        pairs.append(np.column_stack([rows[at], others[to]]))
    return np.concatenate(pairs)


def _is_whole(box_n4: F64) -> bool:
    """Whether the only box is the picture."""
    if len(box_n4) > 1:
        return False
    width, height = np.minimum(box_n4[0, :2] + box_n4[0, 2:], 1) - np.maximum(box_n4[0, :2], 0)
    return bool(width * height >= WHOLE)
