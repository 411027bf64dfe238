"""VGG16 as a feature extractor: the model of the classic recipe, built as an ONNX graph from Keras' weight file.

The network is that of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition"
(2014), configuration D, with the weights that Keras publishes. Input and preprocessing are Keras' own.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import ModelError, PictureError, reason
from unmingle.files import write_atomically
from unmingle.models.catalogue import PREPARATION, VGG16, VGG16_NOTOP, cache_folder, downloaded_file
from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unmingle.records import F32, U8
    from unmingle.settings import Features

SIDE = 224  # pixels, of the square that the network sees
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM")  # of crops
BATCH = 16  # pictures a call: past it nothing is gained, and each one more takes 26 MB while it is computed

# Each block: convolutions of 3×3 and then a 2×2 maximum.
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_MEAN_RGB = (123.68, 116.779, 103.939)  # of ImageNet, as Caffe's VGG16 was trained with


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer with weights. kernel: the shape in Keras' order (height, width, in, out) or (in, out)."""

    name: str
    kernel: tuple[int, ...]


def _convolutions() -> list[list[_Layer]]:
    blocks, width_in = [], 3
    for number, (count, width) in enumerate(_BLOCKS, start=1):
        widths = [width_in] + [width] * (count - 1)
        blocks.append([_Layer(f"block{number}_conv{i}", (3, 3, w, width)) for i, w in enumerate(widths, start=1)])
        width_in = width
    return blocks


_CONVOLUTIONS = _convolutions()
_DENSE = [_Layer("fc1", (7 * 7 * 512, 4096)), _Layer("fc2", (4096, 4096))]


def load_crop(source: Path | U8) -> U8:
    """A whole crop as the network sees it: RGB, squeezed to the square by nearest neighbour, as Keras' `load_img` does.

    Args:
        source: an image file, or its pixels (h, w, 3), uint8, RGB. A file is read as Keras reads it: without turning
            it as its EXIF orientation says, transparency dropped.

    Returns:
        (224, 224, 3) uint8, RGB.

    Raises:
        PictureError: the file can't be read as an image.
    """
    if not isinstance(source, Path):
        return to_224(source)
    from PIL import Image

    try:
        with Image.open(source, formats=FORMATS) as picture:
            return to_224(np.asarray(picture.convert("RGB")))
    except Exception as error:  # whatever a decoder raises on one file, it is that file's
        raise PictureError(f"{source.name} can't be read: {reason(error)}.") from error


def to_224(pixels_hwc: U8) -> U8:
    """Pixels squeezed to 224×224 by nearest neighbour, identical to Pillow's `resize((224, 224), NEAREST)`.

    Args:
        pixels_hwc: (h, w, 3) uint8, any height and width from 1.

    Returns:
        (224, 224, 3) uint8.
    """
    check_shape("pixels_hwc", pixels_hwc, (None, None, 3))
    rows, columns = (_nearest(length) for length in pixels_hwc.shape[:2])
    return pixels_hwc[rows[:, None], columns]


def _nearest(length: int) -> NDArray[np.intp]:
    """Which of `length` pixels each of 224 takes: the one under its centre.

    Pillow adds up the step from pixel to pixel, in double precision, so that a centre on the border of two pixels may
    fall to the left one by rounding; the running sum here rounds alike.
    """
    step = length / SIDE
    steps = np.full(SIDE, step)
    steps[0] = step / 2
    return np.cumsum(steps).astype(np.intp)


def build_vgg16(
    weights: Path,
    *,
    features: Features,
    destination: Path,
    allow_other_weights: bool = False,
) -> Path:
    """Write VGG16 up to `features` as an ONNX graph.

    The graph takes "pictures", (n, 224, 224, 3) uint8 RGB, and does Keras' Caffe-style preprocessing itself. It gives
    one output, named as `features`:

    - "fc2": (n, 4096), after the rectifier, as the model of the notebook that unmingle began as.
    - "pool5": (n, 512), each channel's average over the 7×7 cells of the last convolution block: what Keras calls
      `include_top=False, pooling="avg"`. The cells themselves would be 25,088 numbers a face (3 GB for 30,000 faces,
      and as much again for their PCA), and told people apart less well (three small collections, k-means: accuracy
      0.42, 0.44 and 0.46 with the average, 0.38, 0.36 and 0.41 with the cells).

    Args:
        weights: Keras' weight file (h5). For "pool5" the convolution-only file (…_notop.h5) will do.
        features: the layer to end with.
        destination: the file to write: 537 MB for "fc2", 59 MB for "pool5". It appears only when it is whole.
        allow_other_weights: accept a file whose layout is right but whose checksum is not that of Keras' own.

    Returns:
        `destination`.

    Raises:
        ModelError: the weight file is missing, isn't HDF5, lacks a layer, has one of another shape or is not the
            official one.
        WriteError: `destination` can't be written.
    """
    layers = [layer for block in _CONVOLUTIONS for layer in block] + (_DENSE if features == "fc2" else [])
    with _open_weights(weights) as file:
        places = {layer.name: _find(file, layer, weights) for layer in layers}
        if not allow_other_weights:
            _check_official(weights, features, _md5(weights))
        model = _Graph(file, places).end_with(features)
    write_atomically(destination, model.SerializeToString())
    return destination


@contextmanager
def _open_weights(weights: Path) -> Iterator[Any]:
    import h5py

    if not weights.is_file():
        raise ModelError(f"There is no weight file {weights}.", "Run: unmingle models fetch vgg16")
    try:
        file = h5py.File(weights, "r")
    except OSError as error:
        raise ModelError(f"{weights} is not a weight file of Keras (HDF5).", f"Expected {VGG16.file}.") from error
    with file:
        yield file


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a layer's weights are in the file."""

    kernel: str
    bias: str


def _find(file: Any, layer: _Layer, weights: Path) -> _Place:
    """Find a layer's kernel and bias, and check their shapes.

    Keras' published file has "block1_conv1/block1_conv1_W_1:0"; what Keras itself saves has the layer at the top, below
    "model_weights" or below "layers", and other names inside. The kernel is the array with the most axes everywhere.
    """
    import h5py

    tops = (layer.name, f"model_weights/{layer.name}", f"layers/{layer.name}")
    top = next((top for top in tops if top in file), None)
    if top is None:
        mend = "It is a convolution-only file: use features pool5." if layer in _DENSE else f"Expected {VGG16.file}."
        raise ModelError(f"{weights} has no layer {layer.name}.", mend)
    arrays: dict[str, tuple[int, ...]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[f"{top}/{name}"] = tuple(item.shape)

    file[top].visititems(note)
    found = sorted(arrays, key=lambda name: -len(arrays[name]))
    shapes = [arrays[name] for name in found]
    expected = [layer.kernel, layer.kernel[-1:]]
    if shapes != expected:
        raise ModelError(
            f"{weights}: layer {layer.name} has arrays of shape {shapes}, expected {expected}.",
            f"Expected {VGG16.file}.",
        )
    return _Place(*found)


def prepared_vgg16(weights: Path | None, *, features: Features, any_weights: bool = False) -> tuple[Path, str]:
    """The graph of VGG16 up to `features`, made once from its weight file and cached.

    Args:
        weights: Keras' weight file; None for the one that `unmingle models fetch` brings. For "pool5" the
            convolution-only file does.
        features: the layer to end with.
        any_weights: accept a file of the right layout that is not Keras' own.

    Returns:
        The graph, and the MD5 of the weights it was made from.

    Raises:
        ModelError: there are no weights, or they can't be used; see `build_vgg16`.
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
    checksum = _md5(weights)
    graph = cache_folder() / f"vgg16-{features}-{checksum[:12]}-{PREPARATION}.onnx"
    if not graph.is_file():
        build_vgg16(weights, features=features, destination=graph, allow_other_weights=any_weights)
    elif not any_weights:
        _check_official(weights, features, checksum)
    return graph, checksum


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _check_official(weights: Path, features: Features, found: str) -> None:
    official = {VGG16.md5} if features == "fc2" else {VGG16.md5, VGG16_NOTOP.md5}
    if found not in official:
        raise ModelError(
            f"{weights} has MD5 {found}, expected {' or '.join(sorted(official))}.",
            "Run: unmingle models fetch vgg16, or pass --any-weights to use other weights of the same layout.",
        )


class _Graph:
    """The ONNX graph while it grows. Weights are read one layer at a time, to hold them once and not twice."""

    def __init__(self, file: Any, places: dict[str, _Place]) -> None:
        import onnx

        self._file = file
        self._places = places
        self._onnx = onnx
        self._graph = onnx.GraphProto(name="vgg16")
        self._last = "pictures"

    def end_with(self, features: Features) -> Any:
        """The whole model up to `features`."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        shape = ["n", SIDE, SIDE, 3]
        self._graph.input.append(helper.make_tensor_value_info(self._last, kinds.UINT8, shape))
        self._preprocess()
        for block in _CONVOLUTIONS:
            for layer in block:
                self._convolution(layer)
            self._add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        if features == "pool5":
            self._add("GlobalAveragePool")
            self._add("Flatten", output="pool5")
        else:
            # Keras flattens cell by cell: rows, columns, channels.
            self._add("Transpose", perm=[0, 2, 3, 1])
            self._add("Flatten")
            for layer in _DENSE:
                self._dense(layer)
        width = 512 if features == "pool5" else 4096
        self._graph.output.append(helper.make_tensor_value_info(features, kinds.FLOAT, ["n", width]))
        opset = [helper.make_opsetid("", 17)]
        return helper.make_model(self._graph, opset_imports=opset, ir_version=8, producer_name="unmingle")

    def _preprocess(self) -> None:
        """Channels first, minus the mean. The picture stays RGB: the first kernel is turned instead."""
        self._add("Cast", to=self._onnx.TensorProto.FLOAT)
        self._add("Transpose", perm=[0, 3, 1, 2])
        # Not folded into the first bias: the zeros that the convolution pads with come after the subtraction.
        self._add("Sub", self._constant("mean", np.array(_MEAN_RGB, np.float32).reshape(1, 3, 1, 1)))

    def _convolution(self, layer: _Layer) -> None:
        kernel_hwio, bias = self._weights(layer)
        if layer == _CONVOLUTIONS[0][0]:
            kernel_hwio = kernel_hwio[:, :, ::-1]  # Keras turns the picture to BGR; this is the same
        kernel = self._constant(f"{layer.name}_kernel", kernel_hwio.transpose(3, 2, 0, 1))
        self._add("Conv", kernel, self._constant(f"{layer.name}_bias", bias), pads=[1, 1, 1, 1])
        self._add("Relu")

    def _dense(self, layer: _Layer) -> None:
        kernel_io, bias = self._weights(layer)
        kernel = self._constant(f"{layer.name}_kernel", kernel_io)
        self._add("Gemm", kernel, self._constant(f"{layer.name}_bias", bias))
        self._add("Relu", output=layer.name)

    def _weights(self, layer: _Layer) -> tuple[F32, F32]:
        place = self._places[layer.name]
        return self._file[place.kernel][...].astype(np.float32), self._file[place.bias][...].astype(np.float32)

    def _constant(self, name: str, values: F32) -> str:
        tensor = self._graph.initializer.add()
        tensor.name, tensor.data_type = name, self._onnx.TensorProto.FLOAT
        tensor.dims.extend(values.shape)
        tensor.raw_data = np.ascontiguousarray(values, "<f4").tobytes()
        return name

    def _add(self, kind: str, *weights: str, output: str = "", **attributes: Any) -> None:
        """Put an operation after the last one."""
        output = output or f"{kind.lower()}_{len(self._graph.node)}"
        self._graph.node.append(self._onnx.helper.make_node(kind, [self._last, *weights], [output], **attributes))
        self._last = output
