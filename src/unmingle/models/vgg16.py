"""VGG16 as a feature extractor: the model of the classic recipe, built as an ONNX graph from Keras' weight file.

The network is that of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
(2014), configuration D, with the weights that Keras publishes. Input and preprocessing are Keras' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unmingle.errors import ModelError
from unmingle.files import file_hash, write_atomically
from unmingle.models.graphs import PREPARATION
from unmingle.models.registry import VGG16, VGG16_NOTOP, cache_folder, downloaded_file
from unmingle.records import F32, U8, check_shape
from unmingle.settings import Features

SIDE = 224  # pixels, of the square that the network sees
BATCH = 16  # pictures a call: past it nothing is gained, and each one more takes 26 MB while it is computed

_MEAN_RGB = (123.68, 116.779, 103.939)  # of ImageNet, as Caffe's VGG16 was trained with
# Blocks of convolutions of 3×3, by their number and width, each with a 2×2 maximum behind it.
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_DENSE = {"fc1": (7 * 7 * 512, 4096), "fc2": (4096, 4096)}


def _convolutions() -> Iterator[dict[str, tuple[int, ...]]]:
    """For each block its layers, with the shape of their kernel in Keras' order: height, width, in, out."""
    width_in = 3
    for number, (count, width) in enumerate(_BLOCKS, start=1):
        widths = [width_in] + [width] * (count - 1)
        yield {f"block{number}_conv{i}": (3, 3, w, width) for i, w in enumerate(widths, start=1)}
        width_in = width


def to_224(pixels_hwc: U8) -> U8:
    """Pixels squeezed to 224×224 by nearest neighbour, as Keras has Pillow do it."""
    check_shape("pixels_hwc", pixels_hwc, (None, None, 3))
    return np.asarray(Image.fromarray(pixels_hwc).resize((SIDE, SIDE), Image.Resampling.NEAREST))


def prepared_vgg16(weights: Path | None, *, features: Features, any_weights: bool = False) -> tuple[Path, str]:
    """The graph of VGG16 up to `features`, made once from its weight file and cached, and the MD5 of the weights.

    Without a weight file, the one that `unmingle models fetch` brings; for "pool5" the convolution-only file does.
    `any_weights` accepts a file of the right layout that is not Keras' own. ModelError as for `build_vgg16`.
    """
    if weights is None:
        weights = downloaded_file(VGG16)
        if features == "pool5" and not weights.is_file():
            weights = downloaded_file(VGG16_NOTOP)
        if not weights.is_file():
            wanted = VGG16 if features == "fc2" else VGG16_NOTOP
            raise ModelError(
                "The classic recipe needs the weights of VGG16, which are not part of the installation.",
                f"Run: unmingle models fetch {wanted.name} ({wanted.size / 1e6:.0f} MB), or pass --weights PATH.",
            )
    if not weights.is_file():
        raise ModelError(f"There is no weight file {weights}.", "Run: unmingle models fetch vgg16")
    found = file_hash(weights, "md5")
    graph = cache_folder() / f"vgg16-{features}-{found[:12]}-{PREPARATION}.onnx"
    if not graph.is_file():
        build_vgg16(weights, features=features, destination=graph, allow_other_weights=any_weights)
    elif not any_weights:
        _check_official(weights, features, found)
    return graph, found


def build_vgg16(weights: Path, *, features: Features, destination: Path, allow_other_weights: bool = False) -> Path:
    """Write VGG16 up to `features` as an ONNX graph from Keras' weight file (h5).

    The graph takes "pictures", (n, 224, 224, 3) uint8 RGB, and does Keras' Caffe-style preprocessing itself. It gives
    one output, named as `features`: "fc2", (n, 4096), after the rectifier, as the model of the notebook that unmingle
    began as; "pool5", (n, 512), each channel's average over the 7×7 cells of the last convolution block: what Keras
    calls `include_top=False, pooling="avg"`.

    ModelError if the file is missing, isn't HDF5, lacks a layer, has one of another shape or is not the official one.
    """
    layers = {name: shape for block in _convolutions() for name, shape in block.items()}
    if features == "fc2":
        layers |= _DENSE
    if not weights.is_file():
        raise ModelError(f"There is no weight file {weights}.", "Run: unmingle models fetch vgg16")
    import h5py

    try:
        opened = h5py.File(weights, "r")
    except OSError as error:
        raise ModelError(f"{weights} is not a weight file of Keras (HDF5).", f"Expected {VGG16.file}.") from error
    with opened as file:
        places = {name: _find(file, name, kernel, weights) for name, kernel in layers.items()}
        if not allow_other_weights:
            _check_official(weights, features, file_hash(weights, "md5"))
        model = _graph(file, places, features)
    write_atomically(destination, model.SerializeToString())
    return destination


def _find(file: Any, layer: str, kernel: tuple[int, ...], weights: Path) -> tuple[str, str]:
    """Where a layer's kernel and bias are, their shapes checked.

    Keras' published file has "block1_conv1/block1_conv1_W_1:0"; what Keras itself saves has the layer at the top, below
    "model_weights" or below "layers", and other names inside. The kernel is the array with the most axes everywhere.
    """
    import h5py

    top = next((top for top in (layer, f"model_weights/{layer}", f"layers/{layer}") if top in file), None)
    if top is None:
        hint = "It is a convolution-only file: use features pool5." if layer in _DENSE else f"Expected {VGG16.file}."
        raise ModelError(f"{weights} has no layer {layer}.", hint)
    arrays: dict[str, tuple[int, ...]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[f"{top}/{name}"] = tuple(item.shape)

    file[top].visititems(note)
    found = sorted(arrays, key=lambda name: -len(arrays[name]))
    shapes, expected = [arrays[name] for name in found], [kernel, kernel[-1:]]
    if shapes != expected:
        raise ModelError(
            f"{weights}: layer {layer} has arrays of shape {shapes}, expected {expected}.", f"Expected {VGG16.file}."
        )
    return found[0], found[1]


def _check_official(weights: Path, features: Features, found: str) -> None:
    official = {VGG16.md5} if features == "fc2" else {VGG16.md5, VGG16_NOTOP.md5}
    if found not in official:
        raise ModelError(
            f"{weights} has MD5 {found}, expected {' or '.join(sorted(official))}.",
            "Run: unmingle models fetch vgg16, or pass --any-weights to use other weights of the same layout.",
        )


def _graph(file: Any, places: dict[str, tuple[str, str]], features: Features) -> Any:
    """The model up to `features`. Weights are read one layer at a time, to hold them once and not twice."""
    import onnx
    from onnx import TensorProto, helper

    graph = onnx.GraphProto(name="vgg16")
    last = "pictures"
    graph.input.append(helper.make_tensor_value_info(last, TensorProto.UINT8, ["n", SIDE, SIDE, 3]))

    def add(kind: str, *weights: str, output: str = "", **attributes: Any) -> None:
        """Put an operation after the last one."""
        nonlocal last
        output = output or f"{kind.lower()}_{len(graph.node)}"
        graph.node.append(helper.make_node(kind, [last, *weights], [output], **attributes))
        last = output

    def constant(name: str, values: F32) -> str:
        tensor = graph.initializer.add()
        tensor.name, tensor.data_type = name, TensorProto.FLOAT
        tensor.dims.extend(values.shape)
        tensor.raw_data = np.ascontiguousarray(values, "<f4").tobytes()
        return name

    def weights_of(layer: str) -> Iterator[F32]:
        return (file[place][...].astype(np.float32) for place in places[layer])

    # Channels first, minus the mean. The picture stays RGB: the first kernel is turned instead.
    add("Cast", to=TensorProto.FLOAT)
    add("Transpose", perm=[0, 3, 1, 2])
    # Not folded into the first bias: the zeros that the convolution pads with come after the subtraction.
    add("Sub", constant("mean", np.array(_MEAN_RGB, np.float32).reshape(1, 3, 1, 1)))
    for block in _convolutions():
        for layer in block:
            kernel_hwio, bias = weights_of(layer)
            if layer == "block1_conv1":
                kernel_hwio = kernel_hwio[:, :, ::-1]  # Keras turns the picture to BGR; this is the same
            kernel = constant(f"{layer}_kernel", kernel_hwio.transpose(3, 2, 0, 1))
            add("Conv", kernel, constant(f"{layer}_bias", bias), pads=[1, 1, 1, 1])
            add("Relu")
        add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    if features == "pool5":
        add("GlobalAveragePool")
        add("Flatten", output="pool5")
    else:
        # Keras flattens cell by cell: rows, columns, channels.
        add("Transpose", perm=[0, 2, 3, 1])
        add("Flatten")
        for layer in _DENSE:
            kernel_io, bias = weights_of(layer)
            add("Gemm", constant(f"{layer}_kernel", kernel_io), constant(f"{layer}_bias", bias))
            add("Relu", output=layer)
    width = 512 if features == "pool5" else 4096
    graph.output.append(helper.make_tensor_value_info(features, TensorProto.FLOAT, ["n", width]))
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="unmingle")
