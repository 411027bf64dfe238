"""The models of this machine: added, fetched, calibrated, checked and removed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmingle.api.examples import faces_of_folder, faces_of_library
from unmingle.api.trying import embed_all, made_up_faces, try_model
from unmingle.errors import ModelError
from unmingle.grouping.calibrate import MANY_PEOPLE, compared_curve, measure_curve
from unmingle.grouping.impostors import curve_of, estimate_curve
from unmingle.grouping.stopping import FalseMergeBar
from unmingle.models import sface, shelf
from unmingle.models.cards import Calibration, Card
from unmingle.models.catalogue import checksum, fetch_card, is_here, model_file
from unmingle.models.embedding import open_embedder
from unmingle.progress import silent
from unmingle.settings import FALSE_MERGES, EngineSettings

if TYPE_CHECKING:
    from unmingle.api.trying import KnownFaces, Trial
    from unmingle.models.cards import Intake
    from unmingle.models.embedding import Embedder
    from unmingle.progress import Progress
    from unmingle.records import F32, U8

SOME_PEOPLE = 100
NEARLY_THE_SAME = 0.9  # cosine: hardly two pictures of one person are so alike to any model
TIMED = 64  # faces whose embedding is timed


@dataclass(frozen=True, slots=True)
class Examples:
    """Faces to try and calibrate a model on; made-up ones if neither is given.

    Attributes:
        labels: a folder that holds a folder of pictures for each person.
        library: a library; people already found there are taken as they are.
    """

    labels: Path | None = None
    library: Path | None = None

    def read(self, progress: Progress) -> KnownFaces:
        """The faces, aligned.

        Raises:
            ModelError: both are given, or there is no face.
            SourceError: the folder is missing or holds no picture.
            LibraryError: there is no such library.
        """
        if self.labels is not None and self.library is not None:
            raise ModelError("A folder and a library are given to calibrate on.", "Leave one of them out.")
        if self.labels is not None:
            return faces_of_folder(self.labels, progress)
        if self.library is not None:
            return faces_of_library(self.library, progress)
        return made_up_faces()


@dataclass(frozen=True, slots=True)
class Tried:
    """A model that was tried and calibrated: its card, what the trial found, and what its user must know."""

    card: Card
    trial: Trial
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a model found.

    Attributes:
        name: of the model.
        problem: what is wrong; empty if nothing is.
        dimension: of its vectors; 0 for what is no face embedding.
        same, different: cosine of two pictures of one made-up person, and of two such people.
        faces_per_second: how fast it is here.
        calibration: what its calibration was measured on; empty if it has none.
    """

    name: str
    problem: str = ""
    dimension: int = 0
    same: float = 0.0
    different: float = 0.0
    faces_per_second: float = 0.0
    calibration: str = ""


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
        WriteError: the model folder can't be written.
    """
    file = Path(file)
    digest = checksum(file)
    known = shelf.card_of(digest)
    name = name or (known.name if known else file.stem)
    shelf.check_free(name, digest, overwrite=overwrite)
    if known is not None and known.unfit:
        raise ModelError(f"{known.name} can't be used here: {known.unfit}.", "Choose another model.")
    faces = (examples or Examples()).read(progress)
    trial = _try(file, intake or (known.intake if known else None), output, faces)
    facts = known or Card(
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
    words = f"{trial.intake.colour.upper()} faces aligned to the 112×112 five-point template"
    card = replace(facts, name=name, intake=trial.intake, input=words)
    if known is not None and name != known.name:
        card = replace(card, file=f"{name}.onnx", url="", archive=None)
    shelf.put(card, file)
    return _calibrated(card, trial, faces)


def calibrate_model(name: str, examples: Examples | None = None, *, progress: Progress = silent) -> Tried:
    """Find out anew how similar strangers are to a model that is here.

    Raises:
        ModelError: it is not here, or is no embedding of aligned faces.
    """
    card = shelf.card(name)
    if card.package:
        raise ModelError(f"{name} comes calibrated.", "Nothing has to be done.")
    open_embedder(card, EngineSettings())  # says why, if it can't be used
    faces = (examples or Examples()).read(progress)
    return _calibrated(card, _try(model_file(card), card.intake, "", faces), faces)


def fetch_model(name: str, *, progress: Progress = silent) -> Path:
    """Download a model; an embedding is then tried on made-up faces and provisionally calibrated.

    Raises:
        FetchError: no network, a wrong checksum, or no room; what came is kept for the next try.
        ModelError: there is no such model, or it is not what its card says.
    """
    card = shelf.card(name)
    path = fetch_card(card, on_progress=lambda done, total: progress("fetch", done, total or card.size))
    if card.intake is not None and card.calibration is None and not card.unfit:
        calibrate_model(name)
    return path


def check_model(name: str) -> Checked:
    """Check a model that is here: its checksum, that it opens and runs, a known pair, its speed, its calibration."""
    card = shelf.card(name)
    try:
        model_file(card)
        if card.intake is None or card.unfit:
            return Checked(name, dimension=card.dimension)
        embedder = open_embedder(card, EngineSettings())
    except ModelError as error:
        return Checked(name, str(error), card.dimension)
    faces = made_up_faces()
    first, second = np.flatnonzero(faces.people == 0)[:2]
    other = np.flatnonzero(faces.people == 1)[0]
    one_nd, two_nd, three_nd = embedder(faces.aligned[[first, second, other]])
    same, different = float(one_nd @ two_nd), float(one_nd @ three_nd)
    problem = ""
    if len(one_nd) != card.dimension:
        problem = f"It makes {len(one_nd)} numbers of a face, its card says {card.dimension}."
    elif not same > different:
        problem = "Two made-up people are more alike to it than two pictures of one."
    elif card.calibration is None:
        problem = f"It is not calibrated. Run: unmingle models calibrate {name}"
    basis = card.calibration.measured_on if card.calibration else ""
    return Checked(name, problem, len(one_nd), same, different, _speed(embedder, faces), basis)


def models_here() -> list[str]:
    """The names of the models whose files are on this machine."""
    return [name for name, card in shelf.all_cards().items() if is_here(card)]


def _try(file: Path, given: Intake | None, output: str, faces: KnownFaces) -> Trial:
    """Try a model on faces of known people, or on made-up ones where these are of nobody in particular."""
    known = faces.people >= 0
    if int(np.sum(np.unique(faces.people[known], return_counts=True)[1] > 1)) < 2:
        return try_model(file, given, output, made_up_faces())
    return try_model(file, given, output, replace(faces, aligned=faces.aligned[known], people=faces.people[known]))


def _speed(embedder: Embedder, faces: KnownFaces) -> float:
    """Faces a second."""
    some = np.resize(faces.aligned, (TIMED, *faces.aligned.shape[1:]))
    embed_all(embedder, some[: TIMED // 2])  # the first batch of a size takes longer
    start = time.perf_counter()
    embed_all(embedder, some)
    return TIMED / (time.perf_counter() - start)


def _calibrated(card: Card, trial: Trial, faces: KnownFaces) -> Tried:
    """Measure how similar strangers are to the model, and write it on its card."""
    embedder = open_embedder(card, EngineSettings(precision="f32"))
    card = replace(card, calibration=measure(embedder, faces), dimension=trial.dimension)
    shelf.write_card(card)
    return Tried(card, trial, _warnings(card, trial))


def measure(embedder: Embedder, faces: KnownFaces) -> Calibration:
    """How similar strangers are to a model: exactly where there are many people, else by comparison with SFace."""
    vectors_nd = embed_all(embedder, faces.aligned)
    known = faces.people >= 0
    people = int(np.sum(np.unique(faces.people[known], return_counts=True)[1] > 1))
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
    return Calibration(
        mean=_short(curve.mean),
        people=_short(curve.people),
        faces=_short(curve.faces),
        pairs=_short(curve.pairs),
        measured_on=words,
        provisional=faces.made_up,
    )


def _to_sface(aligned_nhwc: U8) -> F32:
    return embed_all(partial(sface.embed, sface.open_sface(precision="f32")), aligned_nhwc)


@cache
def _made_up_to_sface() -> F32:
    return _to_sface(made_up_faces().aligned)


def _short(number: float) -> float:
    """The number to five digits: more are not known."""
    return float(f"{number:.5g}")


def _warnings(card: Card, trial: Trial) -> tuple[str, ...]:
    found = list(warnings_of(card))
    assert card.calibration is not None  # it was just measured
    bar = FalseMergeBar(curve=curve_of(card.calibration), expected=FALSE_MERGES["balanced"])
    least = float(bar.cosine(1, 1, clusters=SOME_PEOPLE))
    if least > NEARLY_THE_SAME:
        found.append(
            f"To {card.name} strangers are so alike ({card.calibration.mean:.2f} on average) that two pictures of one"
            f" person among {SOME_PEOPLE} would have to be {least:.2f} alike: expect to find hardly anybody."
        )
    if trial.better is not None:
        found.append(
            f"Taking pixels as {trial.better} tells people clearly better apart than {trial.intake}, as it was told."
        )
    return tuple(found)


def warnings_of(card: Card) -> tuple[str, ...]:
    """What somebody who uses a model must know: of its licence, and of how it was calibrated."""
    found = [card.licence_warning]
    if card.calibration is not None and card.calibration.provisional:
        found.append(
            f"{card.name} is calibrated on {card.calibration.measured_on}: it may merge too much or too little."
            f" Better: unmingle models calibrate {card.name} --labels FOLDER"
        )
    return tuple(warning for warning in found if warning)
