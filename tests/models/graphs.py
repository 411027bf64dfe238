"""Small ONNX embeddings made by the tests: averages over a 16×16 grid of patches, then random directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CELL = 7  # pixels: 112 are 16 cells
DIMENSION = 32


def directions(dimension: int = DIMENSION) -> NDArray[np.float32]:
    return np.random.default_rng(4).normal(size=(16 * 16 * 3, dimension)).astype(np.float32)


def write(
    path: Path,
    *,
    batch: int | str = "n",
    last: bool = False,
    side: int = 112,
    dimension: int = DIMENSION,
    dtype: int = TensorProto.FLOAT,
    ending: list[onnx.NodeProto] | None = None,
    outputs: tuple[str, ...] = ("embedding",),
    more: tuple[str, ...] = (),
) -> Path:
    """Write a graph from faces to vectors.

    Args:
        path: of the file.
        batch: the first axis: a name, or how many faces it takes.
        last: whether the channels come last.
        side: of the faces.
        dimension: of the vectors.
        dtype: of the input.
        ending: nodes from "vectors" to the outputs; none: the vectors are given out as they are.
        outputs: the names of what is given out.
        more: the names of further inputs, shaped like the vectors.
    """
    shape = [batch, side, side, 3] if last else [batch, 3, side, side]
    cells = side // CELL
    weights = directions(dimension)[: cells * cells * 3]
    if cells != 16:
        weights = np.resize(weights, (cells * cells * 3, dimension))
    nodes = [
        helper.make_node("Cast", ["faces"], ["plain"], to=TensorProto.FLOAT),
        *([helper.make_node("Transpose", ["plain"], ["first"], perm=[0, 3, 1, 2])] if last else []),
        helper.make_node(
            "AveragePool", ["first" if last else "plain"], ["pooled"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]
        ),
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["vectors"]),
        *(ending or [helper.make_node("Identity", ["vectors"], [outputs[0]])]),
    ]
    constants = {
        "shape": np.array([batch if isinstance(batch, int) else -1, cells * cells * 3]),
        "weights": weights,
        "zero": np.zeros(1, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "embedding",
        [
            helper.make_tensor_value_info("faces", dtype, shape),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, dimension]) for name in more),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def expected(aligned: NDArray[np.uint8], *, bgr: bool, mean: float, scale: float) -> NDArray[Any]:
    """What `write` computes, in NumPy."""
    pixels = (aligned[..., ::-1] if bgr else aligned).astype(np.float64)
    pixels = ((pixels - mean) / scale).transpose(0, 3, 1, 2)
    pooled = pixels.reshape(len(pixels), 3, 16, CELL, 16, CELL).mean(axis=(3, 5))
    vectors = pooled.reshape(len(pixels), -1) @ directions()
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
