"""Adding, calibrating and checking models, with a small graph that tells made-up people apart by their colours."""

from __future__ import annotations

import shutil
import threading
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import helper
from PIL import Image
from tests.models import graphs

from unmingle import modelling
from unmingle.errors import ModelError, SourceError
from unmingle.example_faces import Examples, KnownFaces, made_up_faces
from unmingle.grouping.impostors import MANY_PEOPLE, SFACE_CURVE
from unmingle.models import registry
from unmingle.models.embedding import open_embedder
from unmingle.models.registry import CARDS, SFACE, Archive, Intake, checksum, model_folder
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from unmingle.records import F32, U8


ALWAYS_ONE = [
    helper.make_node("Mul", ["vectors", "zero"], ["nothing"]),
    helper.make_node("Exp", ["nothing"], ["embedding"]),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def empty_folder(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No models but those that the test adds."""
    monkeypatch.setenv("UNMINGLE_CACHE", str(prepared))
    shutil.rmtree(model_folder(), ignore_errors=True)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return graphs.write(tmp_path / "patches.onnx")


def test_a_model_is_tried_calibrated_and_kept(graph: Path) -> None:
    tried = modelling.add_model(graph, licence="CC-BY-NC-4.0", commercial=False)
    card = registry.card("patches")
    assert card == tried.card
    assert (card.dimension, card.commercial, card.file) == (graphs.DIMENSION, False, "patches.onnx")
    assert (model_folder() / "patches.onnx").read_bytes() == graph.read_bytes()
    assert card.calibration is not None
    assert card.calibration.provisional
    assert "12 people" in card.calibration.measured_on
    assert "expect to find hardly anybody" in tried.warnings[-1]  # averages of patches are a bad embedding
    assert "not for commercial use" in tried.warnings[0]
    assert "unmingle models calibrate patches" in tried.warnings[1]
    checked = modelling.check_model("patches")
    assert checked.problem == ""
    assert checked.same > checked.different
    assert checked.faces_per_second > 0
    (model_folder() / "patches.onnx").write_bytes(b"damaged")
    assert "has the checksum" in modelling.check_model("patches").problem
    with pytest.raises(ModelError, match="There is a model patches already"):
        modelling.add_model(graph)
    assert modelling.add_model(graph, overwrite=True, commercial=True, licence="MIT").card.commercial


def test_the_way_of_taking_pixels_is_the_one_that_was_given(graph: Path) -> None:
    """Nothing but its length tells a vector of patches from 0 to 1 from one from 0 to 255: they are as good."""
    given = Intake(colour="bgr", mean=0.0, scale=255.0)
    tried = modelling.add_model(graph, "given", intake=given)
    assert tried.card.intake == given
    bent = modelling.add_model(graph, "bent", intake=Intake(mean=-20_000.0))
    assert bent.trial.better is not None  # so far from zero all faces are nearly alike
    assert "tells people clearly better apart" in bent.warnings[-1]
    assert "expect to find hardly anybody" in bent.warnings[-2]


@pytest.mark.parametrize(
    ("ending", "dimension", "problem"),
    [
        (ALWAYS_ONE, graphs.DIMENSION, "gives the same for every face"),
        (None, 8, "makes 8 numbers of a face, too few"),
    ],
)
def test_what_tells_nobody_apart_is_refused(
    tmp_path: Path, ending: list[onnx.NodeProto] | None, dimension: int, problem: str
) -> None:
    path = graphs.write(tmp_path / "model.onnx", ending=ending, dimension=dimension)
    with pytest.raises(ModelError, match=problem) as caught:
        modelling.add_model(path)
    assert caught.value.mend
    assert not model_folder().exists()


def test_a_folder_for_each_person_calibrates(graph: Path, tmp_path: Path) -> None:
    faces = made_up_faces()
    for number in range(24):
        folder = tmp_path / "people" / str(faces.people[number])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(faces.aligned[number]).save(folder / f"{number}.png")
    seen: list[str] = []
    examples = Examples(labels=tmp_path / "people")
    tried = modelling.add_model(graph, examples=examples, progress=lambda stage, *_: seen.append(stage))
    calibration = tried.card.calibration
    assert calibration is not None
    assert not calibration.provisional
    assert calibration.measured_on.startswith("people, ")
    assert "compared with SFace" in calibration.measured_on
    assert set(seen) == {"analyse"}
    assert modelling.calibrate_model("patches").card.calibration != calibration
    with pytest.raises(ModelError, match="Leave one of them out"):
        modelling.calibrate_model("patches", Examples(tmp_path, tmp_path))
    with pytest.raises(SourceError):
        modelling.calibrate_model("patches", Examples(labels=tmp_path / "nowhere"))


def test_many_people_are_measured_and_few_are_compared() -> None:
    """An embedder that knows each face by its first pixels: it can be told who is how like whom."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(MANY_PEOPLE, 1, 32)) + 0.5 * random.normal(size=(MANY_PEOPLE, 2, 32)) + 0.3
    unit = vectors.reshape(-1, 32)
    unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)
    aligned = np.zeros((len(unit), 112, 112, 3), np.uint8)
    aligned[:, 0, 0, 0], aligned[:, 0, 0, 1] = np.divmod(np.arange(len(unit)), 256)
    people = np.repeat(np.arange(MANY_PEOPLE), 2)

    def embedder(faces: U8) -> F32:
        return np.asarray(unit[faces[:, 0, 0, 0] * np.int64(256) + faces[:, 0, 0, 1]])

    many = modelling.measure(embedder, KnownFaces(aligned, people, "somewhere"))
    assert many.measured_on == f"{MANY_PEOPLE} people of somewhere"
    strangers = (unit @ unit.T)[people[:, None] != people[None]]
    assert many.mean == pytest.approx(strangers.mean(), abs=1e-3)
    nobody = modelling.measure(embedder, KnownFaces(aligned, np.full(len(unit), -1), "somewhere"))
    assert "not knowing whose they are" in nobody.measured_on
    assert nobody.mean == pytest.approx(strangers.mean(), abs=0.05)


def test_sface_itself_compares_as_sface() -> None:
    found = modelling.measure(open_embedder(SFACE, EngineSettings(precision="f32")), made_up_faces())
    assert found.mean == pytest.approx(SFACE_CURVE.mean, abs=1e-4)
    assert found.people == pytest.approx(SFACE_CURVE.people, rel=1e-2)


def test_a_file_of_the_catalogue_is_known_by_its_checksum(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for files that can't be here: the card of one that is."""
    known = replace(CARDS["buffalo_s"], sha256=checksum(graph), dimension=graphs.DIMENSION)
    monkeypatch.setitem(CARDS, "buffalo_s", known)
    tried = modelling.add_model(graph)
    assert tried.card.name == "buffalo_s"
    assert tried.card.licence == CARDS["buffalo_s"].licence
    assert registry.card("buffalo_s").calibration == tried.card.calibration
    assert modelling.check_model("buffalo_s").problem == ""
    monkeypatch.setitem(CARDS, "buffalo_s", replace(known, unfit="it is a test"))
    with pytest.raises(ModelError, match="buffalo_s can't be used here"):
        modelling.add_model(graph)


def test_a_fetched_model_is_provisionally_calibrated(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as pack:
        pack.write(graph, "inside.onnx")
    serve = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        archive = Archive(
            kind="zip",
            sha256=checksum(tmp_path / "pack.zip"),
            size=(tmp_path / "pack.zip").stat().st_size,
            member="inside.onnx",
        )
        known = replace(
            CARDS["buffalo_s"],
            sha256=checksum(graph),
            size=graph.stat().st_size,
            dimension=graphs.DIMENSION,
            url=f"http://127.0.0.1:{server.server_port}/pack.zip",
            archive=archive,
        )
        monkeypatch.setitem(CARDS, "buffalo_s", known)
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            path = modelling.fetch_model("buffalo_s")
        finally:
            server.shutdown()
            serving.join()
    assert path.read_bytes() == graph.read_bytes()
    calibration = registry.card("buffalo_s").calibration
    assert calibration is not None
    assert calibration.provisional
    assert modelling.fetch_model("buffalo_s") == path  # nothing is asked: the server is gone


def test_checks_of_what_is_no_embedding_look_at_the_file() -> None:
    assert modelling.check_model("yunet").problem == ""
    assert "is not here" in modelling.check_model("vgg16").problem
    assert "sface" in modelling.models_here()
    with pytest.raises(ModelError, match="comes calibrated"):
        modelling.calibrate_model("sface")
