from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper
from tests.models import graphs

from unmingle.errors import ModelError
from unmingle.models.embedding import OnnxEmbedder, check_alone, embed, open_embedder, open_embedding, open_sface
from unmingle.models.registry import SFACE, YUNET, Intake, model_file
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from tests.command import Command

F32 = EngineSettings(precision="f32", threads=1)
FACES = np.random.default_rng(1).integers(0, 256, (3, 112, 112, 3), np.uint8)


def opened(path: Path, intake: Intake | None = None) -> OnnxEmbedder:
    return open_embedding(path, intake or Intake(), F32)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize(("colour", "mean", "scale"), [("rgb", 127.5, 128.0), ("bgr", 0.0, 255.0)])
def test_faces_go_in_as_the_graph_wants_them(
    tmp_path: Path, last: bool, batch: int | str, colour: str, mean: float, scale: float
) -> None:
    path = graphs.write(tmp_path / "model.onnx", batch=batch, last=last)
    embedder = opened(path, Intake(colour=colour, mean=mean, scale=scale))  # type: ignore[arg-type]
    assert not embedder.one_by_one  # a graph exported for one face takes several
    wanted = graphs.expected(FACES, bgr=colour == "bgr", mean=mean, scale=scale)
    np.testing.assert_allclose(embedder(FACES), wanted, atol=1e-5)
    assert embedder(FACES[:0]).shape == (0, graphs.DIMENSION)


def test_a_graph_of_bytes_is_given_bytes(tmp_path: Path) -> None:
    path = graphs.write(tmp_path / "model.onnx", dtype=TensorProto.UINT8)
    wanted = graphs.expected(FACES, bgr=False, mean=0, scale=1)
    np.testing.assert_allclose(opened(path, Intake(mean=0, scale=1))(FACES), wanted, atol=1e-5)


def test_a_graph_that_mixes_faces_up_gets_them_one_by_one(tmp_path: Path) -> None:
    """It adds how far each is from the average of the batch: nothing for the one face that it was exported for."""
    ending = [
        helper.make_node("ReduceMean", ["vectors"], ["average"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["vectors", "average"], ["rest"]),
        helper.make_node("Add", ["vectors", "rest"], ["embedding"]),
    ]
    embedder = opened(graphs.write(tmp_path / "model.onnx", batch=1, ending=ending))
    assert embedder.one_by_one
    wanted = graphs.expected(FACES, bgr=False, mean=127.5, scale=127.5)
    np.testing.assert_allclose(embedder(FACES), wanted, atol=1e-5)


def test_the_length_of_the_vector_beside_it_does_no_harm(tmp_path: Path) -> None:
    ending = [
        helper.make_node("Identity", ["vectors"], ["embedding"]),
        helper.make_node("ReduceL2", ["vectors"], ["norm"], axes=[1], keepdims=1),
    ]
    path = graphs.write(tmp_path / "model.onnx", ending=ending, outputs=("embedding", "norm"))
    with pytest.raises(ModelError, match=r"has 2 outputs \(embedding, norm\)") as caught:
        opened(path)
    assert "--output NAME" in caught.value.mend
    wanted = graphs.expected(FACES, bgr=False, mean=127.5, scale=127.5)
    np.testing.assert_allclose(opened(path, Intake(output="embedding"))(FACES), wanted, atol=1e-5)
    with pytest.raises(ModelError, match="has no output nothing"):
        opened(path, Intake(output="nothing"))


def test_the_published_sface_is_sface_though_it_is_quantised_and_lists_what_it_lacks() -> None:
    assert SFACE.intake is not None
    vectors = opened(model_file(SFACE), SFACE.intake)(FACES)
    cosines = np.sum(vectors * embed(open_sface(EngineSettings(precision="f32", threads=1)), FACES), axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-5)


def broken(tmp_path: Path, what: str) -> Path:
    path = tmp_path / "model.onnx"
    ending: list[onnx.NodeProto] | None = None
    if what == "nan":
        ending = [helper.make_node("Div", ["vectors", "zero"], ["embedding"])]
    if what == "circle":
        ending = [helper.make_node("Add", ["vectors", "embedding"], ["embedding"])]
    if what == "inputs":
        ending = [helper.make_node("Add", ["vectors", "more"], ["embedding"])]
    more = ("more",) if what == "inputs" else ()
    graphs.write(path, side=161 if what == "size" else 112, ending=ending, more=more)
    if what == "text":
        path.write_text("this is no model\n" * 20)
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:-5000])
    elif what == "missing":
        path.unlink()
    return path


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("text", "is no ONNX file"),
        ("empty", "is no ONNX file, or an empty one"),
        ("cut", "is no ONNX file, or not all of it"),
        ("missing", "can't be read"),
        ("size", "takes any×3×161×161, not faces of 112×112"),
        ("inputs", "has 2 inputs"),
        ("circle", "can't be run: a Add needs what nothing gives"),
        ("nan", "gives numbers that are none"),
    ],
)
def test_what_is_no_embedding_of_faces_is_said_with_the_mend(tmp_path: Path, what: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        opened(broken(tmp_path, what))
    assert caught.value.mend


def test_a_graph_that_ends_the_process_is_refused_before_it_does(unmingle: Command, tmp_path: Path) -> None:
    """OpenVINO looks for the weights where there are none."""
    file = graphs.write(tmp_path / "model.onnx", ending=[helper.make_node("Conv", ["vectors"], ["embedding"])])
    done = unmingle("models", "add", file)
    assert done.code == 1
    assert "model.onnx ends the process that runs it" in done.err


def test_a_graph_that_takes_too_much_is_not_opened_again_without_limits(tmp_path: Path) -> None:
    many = helper.make_tensor("many", TensorProto.INT64, [1], [1 << 33])
    ending = [
        helper.make_node("Constant", [], ["count"], value=many),
        helper.make_node("ConstantOfShape", ["count"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["none"], keepdims=0),
        helper.make_node("Add", ["vectors", "none"], ["embedding"]),
    ]
    with pytest.raises(ModelError, match="bad_alloc"):
        check_alone(graphs.write(tmp_path / "model.onnx", ending=ending))


def test_cards_of_other_things_are_no_embedders() -> None:
    with pytest.raises(ModelError, match="yunet is no face embedding"):
        open_embedder(YUNET, F32)
