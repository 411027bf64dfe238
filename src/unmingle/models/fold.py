"""Turn a block-quantised ONNX graph into a plain float32 one that every engine runs fast.

The published int8 files of YuNet and SFace store weights as DequantizeLinear nodes over int8 constants, with the batch
(and for YuNet the picture) frozen to one size. Folding computes those constants once; the result is the same network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

    Constants = dict[str, NDArray[np.generic]]


def fold_quantised(model: ModelProto, *, free_size: bool) -> ModelProto:
    """Fold constants, free the batch axis, and take pictures as they come: uint8, (n, h, w, 3).

    Args:
        model: graph with one NCHW float32 input; changed in place and returned.
        free_size: whether height and width may vary too.
    """
    graph = model.graph
    nodes, constants = _fold(graph)
    for node in nodes:
        if node.op_type == "Reshape" and node.input[1] in constants:
            # A leading 1 is the frozen batch; 0 tells ONNX to copy the axis from the input.
            shape = constants[node.input[1]].copy()
            shape[0] = 0
            constants[node.input[1]] = shape
    _rebuild(graph, nodes, constants)
    _free_axes(graph, free_size=free_size)
    _take_pictures(graph)
    onnx.checker.check_model(model)
    return model


def fold_constants(graph: GraphProto) -> None:
    """Compute quantised weights once, in place; a graph without any stays as it is."""
    if any(node.op_type == "DequantizeLinear" for node in graph.node):
        _rebuild(graph, *_fold(graph))


def _fold(graph: GraphProto) -> tuple[list[NodeProto], Constants]:
    """The nodes that are left to run, and all constants, with what they made of each other."""
    constants: Constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return [node for node in graph.node if not _folded(node, constants)], constants


def swap_input_channels(model: ModelProto) -> None:
    """Flip the input channels of the convolution that reads the picture, so a BGR network takes RGB."""
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    for tensor in model.graph.initializer:
        if tensor.name == first.input[1]:
            flipped = np.ascontiguousarray(numpy_helper.to_array(tensor)[:, ::-1])
            tensor.CopyFrom(numpy_helper.from_array(flipped, tensor.name))
            return
    raise ValueError("the first convolution has no constant weights")


def add_pooled_output(model: ModelProto, layer: str, name: str, *, kernel: tuple[int, int]) -> None:
    """Give out the averages of a layer over blocks of `kernel` rows and columns, beside what the graph gives out."""
    graph = model.graph
    if not any(layer in node.output for node in graph.node):
        raise ValueError(f"the graph has no layer {layer}")
    graph.node.append(helper.make_node("AveragePool", [layer], [name], kernel_shape=kernel, strides=kernel))
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, None, None]))
    onnx.checker.check_model(model)


def _folded(node: NodeProto, constants: Constants) -> bool:
    """Whether `node` works on constants only; if so its result joins `constants`."""
    if not node.input or any(name not in constants for name in node.input):
        return False
    if node.op_type == "DequantizeLinear" and len(node.input) == 3:
        constants[node.output[0]] = _dequantised(node, constants)
    elif node.op_type == "Reshape":
        constants[node.output[0]] = constants[node.input[0]].reshape(constants[node.input[1]])
    else:
        return False
    return True


def _dequantised(node: NodeProto, constants: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float32]:
    quantised, scale, zero = (np.asarray(constants[name], np.float32) for name in node.input)
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    block, axis = attributes.get("block_size", 0), attributes.get("axis", 1)
    if block:
        # One scale for `block` neighbours along `axis`; the last block may be cut short.
        kept = np.arange(quantised.shape[axis]) // block
        scale, zero = scale.take(kept, axis), zero.take(kept, axis)
    return np.asarray((quantised - zero) * scale, np.float32)


def _rebuild(graph: GraphProto, nodes: list[NodeProto], constants: Constants) -> None:
    used = {name for node in nodes for name in node.input}
    inputs = [value for value in graph.input if value.name not in constants]
    del graph.node[:], graph.initializer[:], graph.input[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    for name, value in constants.items():
        if name in used:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def _free_axes(graph: GraphProto, *, free_size: bool) -> None:
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    if free_size:
        for axis, name in ((2, "h"), (3, "w")):
            graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
        for value in graph.output:
            value.type.tensor_type.shape.dim[1].dim_param = f"anchors_{value.name}"


def _take_pictures(graph: GraphProto) -> None:
    """Put a uint8 NHWC input in front: pictures travel at a quarter of the memory, and no caller transposes."""
    old = graph.input[0]
    n, c, h, w = (dim.dim_param or dim.dim_value for dim in old.type.tensor_type.shape.dim)
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, [n, h, w, c])
    cast = helper.make_node("Cast", ["pictures"], ["pictures_float"], to=TensorProto.FLOAT)
    turn = helper.make_node("Transpose", ["pictures_float"], [old.name], perm=[0, 3, 1, 2])
    rest = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.input.append(pictures)
    graph.node.extend([cast, turn, *rest])
