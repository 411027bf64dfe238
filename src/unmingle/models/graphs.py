"""Published ONNX graphs made ready: block-quantised weights in plain float32, which every engine runs fast.

The int8 files of YuNet and SFace store weights as DequantizeLinear nodes over int8 constants, with the batch (and for
YuNet the picture) frozen to one size. Folding computes those constants once; the result is the same network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from unmingle.errors import WriteError
from unmingle.files import is_file, write_atomically
from unmingle.models.registry import Card, cache_folder, model_file

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    Constants = dict[str, NDArray[np.generic]]

# Part of every cache key: raise it when a change to how graphs are made or fed changes their results.
PREPARATION = 2

# A second output of SFace, for what faces/quality.py reads: its twelfth block (512 channels, 14×14) in seven bands
# across the face.
BANDS = "bands"
BANDS_LAYER = "conv_12_relu"
BANDS_KERNEL = (2, 14)

WIDE = 128  # channels

# What goes into SFace's wide 1×1 convolutions, one after the other: the least and the most on made-up faces
# (benchmarks/int8_ranges.py). In between are the 256 steps of int8 arithmetic.
RANGES = (
    (-4.06, 13.2), (-4.44, 10.58), (-3.35, 10.22), (-5.83, 11.25), (-3.19, 10.75), (-4.21, 11.6), (-4.7, 14.56),
    (-3.17, 11.57), (-3.06, 12.38), (-4.09, 13.8), (-1.23, 12.43),
)  # fmt: skip


def prepared_model(wanted: Card, kind: Literal["detector", "embedding"], *, int8: bool = False) -> Path | bytes:
    """The graph of a packaged model in float32, or SFace's with `int8` arithmetic; made once where it can be cached.

    The published file is checked against its card each time (a few milliseconds), so the cache can't hide a change.
    """
    published = model_file(wanted)
    destination = cache_folder() / f"{wanted.name}-{wanted.sha256[:12]}-{PREPARATION}{'-int8' * int8}.onnx"
    if not is_file(destination):
        import onnx

        model = fold_quantised(onnx.load(str(published)), free_size=kind == "detector")
        if kind == "detector":
            swap_input_channels(model)  # YuNet was trained on BGR pictures; everything of ours is RGB
        else:
            add_pooled_output(model, BANDS_LAYER, BANDS, kernel=BANDS_KERNEL)
        if int8:
            quantise(model, RANGES)
        content: bytes = model.SerializeToString()
        try:
            write_atomically(destination, content)
        except WriteError:  # a full disk, or no home, as services have none: it is made again the next time
            return content
    return destination


def fold_quantised(model: ModelProto, *, free_size: bool) -> ModelProto:
    """Fold constants, in place, free the batch axis, and take pictures as they come: uint8, (n, h, w, 3).

    The graph has one NCHW float32 input; `free_size`: height and width may vary too.
    """
    import onnx

    graph = model.graph
    fold_constants(graph)
    free_batch(graph)
    if free_size:
        for axis, name in ((2, "h"), (3, "w")):
            graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
        for value in graph.output:
            value.type.tensor_type.shape.dim[1].dim_param = f"anchors_{value.name}"
    _take_pictures(graph)
    onnx.checker.check_model(model)
    return model


def fold_constants(graph: GraphProto) -> None:
    """Compute quantised weights once, in place; a graph without any stays as it is."""
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    if not any(node.op_type == "DequantizeLinear" for node in graph.node):
        return
    constants: Constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    left = []
    for node in graph.node:
        if node.op_type in {"DequantizeLinear", "Reshape"} and constants.keys() >= set(node.input):
            values = {name: constants[name] for name in node.input}
            (constants[node.output[0]],) = ReferenceEvaluator(node).run(None, values)
        else:
            left.append(node)
    _rebuild(graph, left, constants)


def free_batch(graph: GraphProto) -> None:
    """Let the graph take any number of pictures, also where it was exported for one."""
    from onnx import numpy_helper

    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "n"
    del graph.value_info[:]
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {
        node.output[0]: node.attribute[0].t
        for node in graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    for node in graph.node:
        tensor = constants.get(node.input[1]) if node.op_type == "Reshape" else None
        if tensor is None:
            continue
        shape = numpy_helper.to_array(tensor).copy()
        if len(shape) and shape[0] == 1:  # the one picture; 0 tells ONNX to copy the axis from the input
            shape[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))


def waiting_node(graph: GraphProto) -> str:
    """The kind of a node that needs what nothing gives, or what it gives itself; empty if all can be run.

    Engines don't look: OpenVINO takes memory without end.
    """
    known = {"", *(one.name for one in (*graph.input, *graph.initializer))}
    known.update(one.values.name for one in graph.sparse_initializer)
    nodes = list(graph.node)
    while nodes:
        later = []
        for node in nodes:  # as a rule in an order in which they can be run
            if known.issuperset(node.input) and known.isdisjoint(filter(None, node.output)):
                known.update(node.output)
            else:
                later.append(node)
        if len(later) == len(nodes):
            return str(later[0].op_type)
        nodes = later
    return ""


def swap_input_channels(model: ModelProto) -> None:
    """Flip the input channels of the convolution that reads the picture, so a BGR network takes RGB."""
    from onnx import numpy_helper

    first = next(node for node in model.graph.node if node.op_type == "Conv")
    for tensor in model.graph.initializer:
        if tensor.name == first.input[1]:
            flipped = np.ascontiguousarray(numpy_helper.to_array(tensor)[:, ::-1])
            tensor.CopyFrom(numpy_helper.from_array(flipped, tensor.name))
            return
    raise ValueError("the first convolution has no constant weights")


def add_pooled_output(model: ModelProto, layer: str, name: str, *, kernel: tuple[int, int]) -> None:
    """Give out the averages of a layer over blocks of `kernel` rows and columns, beside what the graph gives out."""
    import onnx
    from onnx import TensorProto, helper

    graph = model.graph
    if not any(layer in node.output for node in graph.node):
        raise ValueError(f"the graph has no layer {layer}")
    graph.node.append(helper.make_node("AveragePool", [layer], [name], kernel_shape=kernel, strides=kernel))
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, None, None]))
    onnx.checker.check_model(model)


def wide_pointwise(graph: GraphProto) -> list[NodeProto]:
    """The 1×1 convolutions of so many channels that 8 bits are faster; of narrow ones they cost a third of the loss."""
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    convolutions = [(node, shapes.get(node.input[1], [])) for node in graph.node if node.op_type == "Conv"]
    return [node for node, shape in convolutions if shape[2:] == [1, 1] and shape[1] >= WIDE]


def quantise(model: ModelProto, ranges: Sequence[tuple[float, float]]) -> None:
    """Let wide 1×1 convolutions compute with whole numbers of 8 bits, in place: each has its range of what goes in.

    They are most of the work; between them 8 bits cost more than they bring.
    """
    import onnx
    from onnx import helper, numpy_helper

    graph = model.graph
    constants: Constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    range_of = {node.output[0]: ends for node, ends in zip(wide_pointwise(graph), ranges, strict=True)}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.output[0] in range_of:
            low, high = range_of[node.output[0]]
            step = np.float32((high - low) / 255)
            weights = np.asarray(constants[node.input[1]], np.float32)
            step_o = np.abs(weights).max(axis=(1, 2, 3)) / np.float32(127)
            whole = np.round(weights / step_o[:, None, None, None]).astype(np.int8)
            for i, values in enumerate(((step, np.uint8(round(-low / step))), (step_o, np.zeros(len(whole), np.int8)))):
                scaled, rounded = [f"{node.input[i]}_{name}" for name in ("step", "zero")], f"{node.input[i]}_int8"
                constants |= dict(zip(scaled, map(np.asarray, values), strict=True))
                if i:
                    constants[rounded] = whole
                else:
                    nodes.append(helper.make_node("QuantizeLinear", [node.input[i], *scaled], [rounded]))
                node.input[i] += "_near"
                nodes.append(helper.make_node("DequantizeLinear", [rounded, *scaled], [node.input[i]], axis=0))
        nodes.append(node)
    _rebuild(graph, nodes, constants)
    onnx.checker.check_model(model)


def _rebuild(graph: GraphProto, nodes: list[NodeProto], constants: Constants) -> None:
    from onnx import numpy_helper

    used = {name for node in nodes for name in node.input}
    inputs = [value for value in graph.input if value.name not in constants]
    del graph.node[:], graph.initializer[:], graph.input[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    for name, value in constants.items():
        if name in used:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def _take_pictures(graph: GraphProto) -> None:
    """Put a uint8 NHWC input in front: pictures travel at a quarter of the memory, and no caller transposes."""
    from onnx import TensorProto, helper

    old = graph.input[0]
    n, c, h, w = (dim.dim_param or dim.dim_value for dim in old.type.tensor_type.shape.dim)
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, [n, h, w, c])
    cast = helper.make_node("Cast", ["pictures"], ["pictures_float"], to=TensorProto.FLOAT)
    turn = helper.make_node("Transpose", ["pictures_float"], [old.name], perm=[0, 3, 1, 2])
    rest = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.input.append(pictures)
    graph.node.extend([cast, turn, *rest])
