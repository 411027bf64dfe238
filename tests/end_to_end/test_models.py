"""A second model in one library: SFace, turned round and made to want its pixels otherwise, finds the same people."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import unmingle as package
from unmingle.errors import LibraryError, ModelError, SettingsError
from unmingle.models.graphs import fold_quantised, swap_input_channels
from unmingle.models.registry import SFACE, model_file
from unmingle.store.facts import model_of
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting


def turned_sface(path: Path) -> Path:
    """SFace for BGR bytes with the channels last, its vectors turned by a rotation: no cosine changes."""
    model = fold_quantised(onnx.load(str(model_file(SFACE))), free_size=False)
    swap_input_channels(model)
    rotation, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(128, 128)))
    model.graph.initializer.append(numpy_helper.from_array(rotation.astype(np.float32), "rotation"))
    model.graph.node.append(helper.make_node("MatMul", ["fc1", "rotation"], ["turned"]))
    model.graph.output[0].name = "turned"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.slow
def test_there_and_back_with_a_model_of_ones_own(
    unmingle: Command, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMINGLE_CACHE", str(unmingle.folder / "cache"))
    monkeypatch.setattr("unmingle.modelling.USUAL", ())  # it is told how pixels go in, and nothing else is tried
    turned = turned_sface(unmingle.folder / "turned.onnx")
    pixels = ("--colour", "bgr", "--mean", "0", "--scale", "1")
    added = unmingle("models", "add", turned, *pixels, "--non-commercial", "--licence", "research only", "--json")
    assert added.code == 0, added.err
    assert "Warning: turned is not for commercial use (licence: research only)." in added.err
    assert "hardly anybody" not in added.err
    calibration, of_sface = json.loads(added.out)["card"]["calibration"], SFACE.calibration
    assert of_sface is not None
    assert calibration["mean"] == pytest.approx(of_sface.mean, abs=2e-3)
    assert calibration["people"] == pytest.approx(of_sface.people, rel=0.02)

    pictures = unmingle.folder / "pictures"
    pictures.mkdir()
    for crop in meeting.crops:
        if 0 < crop.person < 4 and not crop.masked:
            shutil.copy(meeting.faces / crop.name, pictures)
    library = package.open(unmingle.folder / "out")
    first = library.add(pictures)
    library.cluster()
    library.name(1, "Ada")
    columns = ["person", "name", "faces", "first_file"]
    before, faces = library.people.select(columns), library.faces
    chances = library.confidence["probability"].to_numpy()

    other = unmingle("cluster", pictures, "-o", "out", "--model", "turned")
    assert other.code == 0, other.err
    assert f"({first.analysed} analysed now" in other.out
    assert "Warning: turned is not for commercial use" in other.err
    assert library.people.select(columns).equals(before)
    assert library.faces.drop("quality").equals(faces.drop("quality"))
    np.testing.assert_allclose(library.confidence["probability"].to_numpy(), chances, atol=0.02)
    assert library.models.select("model", "current").rows() == [("sface", False), ("turned", True)]
    with open_to_read(library.folder) as store:
        assert model_of(store, library.models["recipe"][1]).sha256 == json.loads(added.out)["card"]["sha256"]
    picture = pictures / before["first_file"][0]
    (seen,) = library.identify(picture)
    assert seen.person == 1

    again = library.add(pictures)
    library.cluster()
    assert (again.analysed, again.known) == (0, again.files)
    assert library.people.select(columns).equals(before)
    back = library.add(pictures, model="turned")
    assert back.analysed == 0

    assert unmingle("models", "remove", "turned").code == 0
    with pytest.raises(ModelError, match="No model is called 'turned'"):
        library.add(pictures, model="turned")
    library.cluster()  # what was found with it is still there, and so is how similar strangers are to it
    assert library.people.select(columns).equals(before)
    with pytest.raises((ModelError, LibraryError)):
        library.identify(picture)


def test_what_cant_go_together(tmp_path: Path, meeting: Meeting) -> None:
    library = package.open(tmp_path / "out")
    with pytest.raises(SettingsError, match="has a model of its own"):
        library.add(meeting.faces, recipe="classic", model="buffalo_l")
    with pytest.raises(ModelError, match="The model buffalo_l is not here"):
        library.add(meeting.faces, model="buffalo_l")
    with pytest.raises(ModelError, match="dlib, which runs this model, is not here"):
        library.add(meeting.faces, model="dlib")
    with pytest.raises(ModelError, match="yunet is no face embedding"):
        library.add(meeting.faces, model="yunet")
