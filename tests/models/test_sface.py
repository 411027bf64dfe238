from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from unmingle.example_faces import made_up_faces
from unmingle.faces import recipe
from unmingle.models.embedding import describe, embed, open_sface
from unmingle.models.graphs import RANGES, add_pooled_output, prepared_model, quantise, wide_pointwise
from unmingle.models.registry import CARDS, SFACE, all_cards, card
from unmingle.models.runtime import open_session
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings, EngineSettings


def doubling() -> onnx.ModelProto:
    """A graph that adds a picture to itself."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, 4, 6]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubling", ports[:1], ports[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_a_pooled_output_holds_the_averages_of_a_layer() -> None:
    model = doubling()
    add_pooled_output(model, "y", "bands", kernel=(2, 6))
    picture = np.arange(48, dtype=np.float32).reshape(2, 1, 4, 6)
    outputs = open_session(model.SerializeToString(), EngineSettings(precision="f32"))(picture)
    np.testing.assert_allclose(outputs["y"], 2 * picture)
    np.testing.assert_allclose(outputs["bands"], 2 * picture.reshape(2, 1, 2, 12).mean(axis=3)[..., None])


def test_a_layer_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="no layer z"):
        add_pooled_output(doubling(), "z", "bands", kernel=(2, 6))


def test_faces_are_described_each_for_itself() -> None:
    session = open_sface(EngineSettings(precision="f32", threads=1))
    faces = np.random.default_rng(0).integers(0, 255, (3, 112, 112, 3), dtype=np.uint8)
    vectors, bands = describe(session, faces)
    assert vectors.shape == (3, 128)
    assert bands.shape == (3, 512, 5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(embed(session, faces), vectors)
    _, alone = describe(session, faces[1:2])
    np.testing.assert_allclose(alone[0], bands[1], atol=1e-4)


@pytest.mark.parametrize("cache", ["a file", "n" * 300])  # where nothing can be, and where nobody can even look
def test_without_a_cache_networks_are_made_ready_each_time(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, picture = EngineSettings(precision="f32", threads=1), np.zeros((1, 64, 64, 3), np.uint8)
    cached = open_yunet(settings)(picture)
    (tmp_path / "a file").touch()
    monkeypatch.setenv("UNMINGLE_CACHE", str(tmp_path / cache))
    made = open_yunet(settings)(picture)
    assert made.keys() <= cached.keys()  # a graph out of OpenVINO's cache has other names beside them
    for name in made:  # of the other a process may have told that computes with other threads
        np.testing.assert_allclose(made[name], cached[name], atol=1e-4)
    recipe._loaded.cache_clear()
    assert recipe.face_recipe(DetectionSettings(), settings, card("sface")).precision == "f32"
    assert all_cards() == CARDS


def test_bands_run_from_the_brows_down_to_the_chin() -> None:
    session = open_sface(EngineSettings(precision="f32", threads=1))
    face = np.full((1, 112, 112, 3), 120, np.uint8)
    below = face.copy()
    below[:, 100:] = np.random.default_rng(0).integers(0, 255, (1, 12, 112, 3))
    change = np.abs(describe(session, below)[1] - describe(session, face)[1]).mean(axis=(0, 1))
    assert change.argmax() == 4
    assert change[0] < 0.3 * change[4]


def test_int8_sees_nearly_the_same() -> None:
    faces = made_up_faces().aligned
    exact, exact_bands = describe(open_sface(EngineSettings(precision="f32", threads=1)), faces)
    session = open_sface(EngineSettings(precision="int8", threads=1))
    near, bands = describe(session, faces)
    assert session.precision == "int8"
    assert 0.99 < np.sum(exact * near, axis=1).min() < 0.9999
    assert np.abs(bands - exact_bands).max() < 0.3
    np.testing.assert_array_equal(embed(open_sface(EngineSettings(precision="int8", threads=1)), faces[:1]), near[:1])


@pytest.mark.skipif(cv2.__version__ < "5", reason="the steps are of faces as OpenCV 5 draws them")
def test_int8_has_the_steps_of_what_made_up_faces_need() -> None:
    graph = prepared_model(SFACE, "embedding")
    assert isinstance(graph, Path)
    model = onnx.load(str(graph))
    names = [node.input[0] for node in wide_pointwise(model.graph)]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    seen = open_session(model.SerializeToString(), EngineSettings(precision="f32"))(made_up_faces().aligned)
    found = [(float(seen[name].min()), float(seen[name].max())) for name in names]
    np.testing.assert_allclose(found, RANGES, atol=0.02)


def test_8_bits_are_within_a_step_of_the_product() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 128, 1, 1)).astype(np.float32)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, 5, 5]) for name in ("x", "y")]
    node = helper.make_node("Conv", ["x", "weights"], ["y"])
    graph = helper.make_graph([node], "one", ports[:1], ports[1:], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    quantise(model, [(-1.0, 2.0)])
    x = rng.uniform(-1, 2, (2, 128, 5, 5)).astype(np.float32)
    expected = np.einsum("oi,nihw->nohw", weights[:, :, 0, 0], x)
    for engine in ("openvino", "onnxruntime"):
        found = open_session(model.SerializeToString(), EngineSettings(engine=engine, precision="f32"))(x)["y"]
        assert 0 < np.abs(found - expected).max() < 128 * (3 * 3 / 255 / 2 + 4 * 2 / 254 / 2)
