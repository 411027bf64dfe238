"""The models of this machine: added, fetched, calibrated, checked and removed, and the faces that they are tried on."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from unmingle.errors import ModelError
from unmingle.example_faces import Examples, KnownFaces, made_up_faces
from unmingle.faces.align import TEMPLATE_52, align
from unmingle.files import user_path
from unmingle.grouping.impostors import MANY_PEOPLE, compared_curve, curve_of, estimate_curve, measure_curve, separation
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.models import embedding, registry
from unmingle.models.registry import CARDS, DLIB, SFACE, YUNET, Calibration, Card, Intake
from unmingle.progress import Progress, silent
from unmingle.records import F32, U8
from unmingle.settings import FALSE_MERGES, EngineSettings

SOME_PEOPLE = 100
NEARLY_THE_SAME = 0.9  # cosine: hardly two pictures of one person are so alike to any model
TIMED = 64  # faces whose embedding is timed
FACES_AT_ONCE = 32
COMPARED = 400  # faces on which ways of taking pixels are compared
CHANGED = 12  # faces that are also shown brighter and shifted
# The ways in which published embeddings take pixels, the most usual first: ArcFace's, OpenCV's, and from 0 to 1.
USUAL: tuple[Intake, ...] = tuple(
    Intake(colour=colour, mean=mean, scale=scale)
    for mean, scale in ((127.5, 127.5), (0.0, 1.0), (0.0, 255.0))
    for colour in ("rgb", "bgr")
)
CLEARLY = 1.05  # a way of taking pixels is worth naming if it separates people so many times better


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying an embedding."""

    intake: Intake  # how faces go in
    dimension: int
    separation: float  # how far apart faces of one person and of two are, in standard deviations
    better: Intake | None  # a usual way of taking pixels that separates them clearly better


@dataclass(frozen=True, slots=True)
class Tried:
    """A model that was tried and calibrated: its card, what the trial found, and what its user must know."""

    card: Card
    trial: Trial
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a model found."""

    name: str
    problem: str = ""  # what is wrong; empty if nothing is
    dimension: int = 0  # of its vectors; 0 for what is no face embedding
    same: float = 0.0  # cosine of two pictures of one made-up person
    different: float = 0.0  # cosine of two made-up people
    faces_per_second: float = 0.0  # how fast it is here
    calibration: str = ""  # what its calibration was measured on; empty if it has none


def add_model(
    file: str | Path,
    name: str = "",
    *,
    licence: str = "",
    commercial: bool | None = None,
    source: str = "",
    intake: Intake | None = None,
    output: str = "",
    examples: Examples | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Tried:
    """Try an ONNX face embedding, find out how similar strangers are to it, and keep a copy with a card.

    Args:
        file: the graph: faces aligned to the 112×112 five-point template to one vector.
        name: how to call it; the file's if empty. A file of the catalogue is known by its checksum.
        licence: its licence, as far as you know.
        commercial: whether it allows commercial use; None: you don't know.
        source: where it is from.
        intake: how it takes pixels; None: the most usual way that works best.
        output: the name of the output that is the embedding; empty: the only one that can be.
        examples: what to try and calibrate it on; made-up faces if None, which is provisional.
        overwrite: whether to replace a model that is called so.
        progress: told while faces are looked for.

    Raises:
        ModelError: it is no such embedding, or the name is taken.
    """
    file = Path(file)
    digest = registry.checksum(file)
    known = next((card for card in CARDS.values() if card.sha256 == digest and not card.package), None)
    name = name or (known.name if known else file.stem)
    registry.check_free(name, digest, overwrite=overwrite)
    if known is not None and known.unfit:
        raise ModelError(f"{known.name} can't be used here: {known.unfit}.", "Choose another model.")
    if known is None:
        embedding.check_alone(file, output)
    faces = (examples or Examples()).read(progress)
    trial = _try(file, intake or (known.intake if known else None), output, faces)
    card = known or Card(
        name=name,
        purpose="face embedding",
        dimension=trial.dimension,
        input="",
        licence=licence,
        commercial=commercial,
        source=source or file.name,
        file=f"{name}.onnx",
        sha256=digest,
        size=file.stat().st_size,
    )
    if name != card.name:
        card = replace(card, file=f"{name}.onnx", url="", archive=None)
    words = f"{trial.intake.colour.upper()} faces aligned to the 112×112 five-point template"
    card = replace(card, name=name, intake=trial.intake, input=words)
    registry.put(card, file)
    return _calibrated(card, trial, faces)


def calibrate_model(name: str, examples: Examples | None = None, *, progress: Progress = silent) -> Tried:
    """Find out anew how similar strangers are to a model that is here; a ModelError if it is no such embedding."""
    card = registry.card(name)
    if card.package and card.calibration:
        raise ModelError(f"{name} comes calibrated.", "Nothing has to be done.")
    embedding.open_embedder(card, EngineSettings())  # says why, if it can't be used
    faces = (examples or Examples()).read(progress)
    return _calibrated(card, _try(registry.model_file(card), card.intake, "", faces), faces)


def fetch_model(name: str, *, weights: str | Path | None = None, progress: Progress = silent) -> Path:
    """Download a model; an embedding is then tried on made-up faces and provisionally calibrated.

    Args:
        name: as in `unmingle models list`.
        weights: its file, fetched by somebody else: it is checked and copied, and nothing is downloaded.
        progress: told while it comes.

    Raises:
        FetchError: no network, a wrong checksum, or no room; what came is kept for the next try.
    """
    card = registry.card(name)
    file = None if weights is None else user_path(weights)
    path = registry.fetch_card(card, lambda done, total: progress("fetch", done, total or card.size), file=file)
    if card.intake is not None and card.calibration is None and not card.unfit:
        calibrate_model(name)
    return path


def check_model(name: str) -> Checked:
    """Check a model that is here: its checksum, that it opens and runs, a known pair, its speed, its calibration."""
    card = registry.card(name)
    try:
        registry.model_file(card)
        if card.intake is None or card.unfit:
            return Checked(name, dimension=card.dimension)
        embedder = embedding.open_embedder(card, EngineSettings())
        faces = made_up_faces()  # which the detector finds
    except ModelError as error:
        return Checked(name, str(error), card.dimension)
    first, second = np.flatnonzero(faces.people == 0)[:2]
    other = np.flatnonzero(faces.people == 1)[0]
    aligned = faces.aligned
    if card.name == DLIB.name:
        aligned = np.stack([align(one, TEMPLATE_52.astype(np.float32), wide=True) for one in aligned])
    one_nd, two_nd, three_nd = embedder(aligned[[first, second, other]])
    same, different = float(one_nd @ two_nd), float(one_nd @ three_nd)
    problem = ""
    if len(one_nd) != card.dimension:
        problem = f"It makes {len(one_nd)} numbers of a face, its card says {card.dimension}."
    elif not same > different:
        problem = "Two made-up people are more alike to it than two pictures of one."
    elif card.calibration is None:
        problem = f"It is not calibrated. Run: unmingle models calibrate {name}"
    basis = card.calibration.measured_on if card.calibration else ""
    some = np.resize(aligned, (TIMED, *aligned.shape[1:]))
    _embed_all(embedder, some[: TIMED // 2])  # the first batch of a size takes longer
    start = time.perf_counter()
    _embed_all(embedder, some)
    return Checked(name, problem, len(one_nd), same, different, TIMED / (time.perf_counter() - start), basis)


def models_here() -> list[str]:
    """The names of the models whose files are on this machine, or should be: dlib's is an extra."""
    own = {YUNET.name, SFACE.name}
    return [name for name, card in registry.all_cards().items() if name in own or registry.is_here(card)]


def warnings_of(card: Card) -> tuple[str, ...]:
    """What somebody who uses a model must know: of its licence, and of how it was calibrated."""
    found = [card.licence_warning]
    if card.calibration is not None and card.calibration.provisional:
        found.append(
            f"{card.name} is calibrated on {card.calibration.measured_on}: it may merge too much or too little."
            f" Better: unmingle models calibrate {card.name} --labels FOLDER"
        )
    return tuple(warning for warning in found if warning)


def _calibrated(card: Card, trial: Trial, faces: KnownFaces) -> Tried:
    """Measure how similar strangers are to the model, and write it on its card."""
    calibration = measure(embedding.open_embedder(card, EngineSettings(precision="f32")), faces)
    threshold = FalseMergeThreshold(curve=curve_of(calibration), expected=FALSE_MERGES["balanced"])
    least = float(threshold.cosine(1, 1, clusters=SOME_PEOPLE))
    calibration = replace(calibration, by_collection=least > NEARLY_THE_SAME)
    card = replace(card, calibration=calibration, dimension=trial.dimension)
    registry.write_card(card)
    found = list(warnings_of(card))
    if calibration.by_collection:
        found.append(
            f"To {card.name} strangers are so alike ({calibration.mean:.2f} on average) that two pictures of one"
            f" person among {SOME_PEOPLE} would have to be {least:.2f} alike: expect to find hardly anybody by cosine."
            " Collections of some twenty people show themselves how to compare."
        )
    if trial.better is not None:
        found.append(
            f"Taking pixels as {trial.better} tells people clearly better apart than {trial.intake}, as it was told."
        )
    return Tried(card, trial, tuple(found))


def measure(embedder: embedding.Embedder, faces: KnownFaces) -> Calibration:
    """How similar strangers are to a model: exactly where there are many people, else by comparison with SFace."""
    vectors_nd = _embed_all(embedder, faces.aligned)
    known = faces.people >= 0
    people = faces.repeated_people()
    if people >= MANY_PEOPLE and not faces.made_up:
        curve = measure_curve(vectors_nd[known], faces.people[known])
        words = f"{people:,} people of {faces.origin}"
    elif people >= 2:
        sface_nd = _made_up_to_sface() if faces.made_up else _to_sface(faces.aligned[known])
        curve = compared_curve(vectors_nd[known], sface_nd, faces.people[known])
        words = f"{faces.origin}, {people} people, compared with SFace"
    else:
        curve = estimate_curve(vectors_nd)
        words = f"{len(vectors_nd):,} faces of {faces.origin}, not knowing whose they are"
    # More than five digits are not known.
    moments = {name: float(f"{getattr(curve, name):.5g}") for name in ("mean", "people", "faces", "pairs")}
    return Calibration(**moments, measured_on=words, provisional=faces.made_up, by_collection=False)


def _to_sface(aligned_nhwc: U8) -> F32:
    return _embed_all(partial(embedding.embed, embedding.open_sface(EngineSettings(precision="f32"))), aligned_nhwc)


@cache
def _made_up_to_sface() -> F32:
    return _to_sface(made_up_faces().aligned)


def _embed_all(embedder: embedding.Embedder, aligned_nhwc: U8) -> F32:
    """(n, d) vectors, some faces at a time."""
    starts = range(0, len(aligned_nhwc), FACES_AT_ONCE)
    return np.concatenate([embedder(aligned_nhwc[i : i + FACES_AT_ONCE]) for i in starts])


def _try(file: Path, given: Intake | None, output: str, faces: KnownFaces) -> Trial:
    """Try an ONNX embedding on faces of known people, or on made-up ones where these are of nobody in particular.

    `given` is how it takes pixels; None: the most usual way that separates people best.
    """
    known = faces.people >= 0
    some = made_up_faces()
    if faces.repeated_people() >= 2:
        some = replace(faces, aligned=faces.aligned[known], people=faces.people[known])
    if len(some.people) > COMPARED:  # about so many, of whole people
        keep = some.people <= some.people[np.argsort(some.people, kind="stable")][COMPARED]
        some = replace(some, aligned=some.aligned[keep], people=some.people[keep])
    ways = [replace(way, output=output) for way in (*((given,) if given else ()), *USUAL)]
    embedder = embedding.open_embedding(file, ways[0], EngineSettings(precision="f32"))
    reached: dict[Intake, float] = {}
    for way in dict.fromkeys(ways):
        vectors_nd = _embed_all(replace(embedder, intake=way), some.aligned)
        if way == ways[0] or np.isfinite(vectors_nd).all():
            _check_vectors(vectors_nd, file)
            reached[way] = separation(vectors_nd, some.people)
    best = max(reached.values())
    usual = next(way for way in reached if reached[way] * CLEARLY >= best)  # of equals the most usual one
    taken = ways[0] if given else usual
    _check_likeness(replace(embedder, intake=taken), some, file)
    better = usual if reached[taken] * CLEARLY < reached[usual] else None
    return Trial(taken, vectors_nd.shape[1], reached[taken], better)


def _check_vectors(vectors_nd: F32, file: Path) -> None:
    if vectors_nd.shape[1] < embedding.LEAST_DIMENSION:
        raise ModelError(
            f"{file} makes {vectors_nd.shape[1]} numbers of a face, too few for an embedding.",
            "Name the right output, if there are several: --output NAME",
        )
    if not np.isfinite(vectors_nd).all():
        raise ModelError(f"{file} gives numbers that are none (NaN or infinite).", "Check how pixels must go in.")
    if float(np.ptp(vectors_nd, axis=0).max()) < 1e-4:
        raise ModelError(f"{file} gives the same for every face.", "Check how pixels must go in: --mean and --scale.")


def _check_likeness(embedder: embedding.OnnxEmbedder, faces: KnownFaces, file: Path) -> None:
    """Refuse it unless a face that is brighter, or shifted a little, is more like itself than like others."""
    step = max(1, len(faces.people) // CHANGED)
    shown, people_n = faces.aligned[::step], faces.people[::step]
    plain_nd = _embed_all(embedder, shown)
    brighter = np.clip(shown.astype(np.int16) + 12, 0, 255).astype(np.uint8)
    different = float((plain_nd @ plain_nd.T)[people_n[:, None] != people_n[None]].mean())
    for changed, what in ((brighter, "brighter"), (np.roll(shown, 1, axis=2), "shifted by a pixel")):
        alike = float(np.sum(plain_nd * _embed_all(embedder, changed), axis=1).mean())
        if not alike > different:
            raise ModelError(
                f"To {file}, a face is as much like others as like itself {what} ({embedder.intake}).",
                "Check how pixels must go in: --colour, --mean and --scale.",
            )
