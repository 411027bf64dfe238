"""Our VGG16 against Keras' own, on the same weights and the same file, from the JPEG to fc2.

Keras runs in a process of its own, on JAX, to give its memory back before our build begins. The weights are random, of
the size that keeps each layer's spread (He et al. 2015), in the layout of the published file: 553 MB for a while.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image

from unmingle.models.runtime import import_openvino, open_session
from unmingle.models.vgg16 import build_vgg16, to_224
from unmingle.settings import Engine, EngineSettings, Precision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed (group parity)"),
]

BLOCKS = [(3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512)]

KERAS = """
import sys
import numpy as np
import keras
from keras.applications.vgg16 import VGG16, preprocess_input
from keras.utils import img_to_array, load_img

weights, out, *files = sys.argv[1:]
# The file's weights come in their stead: 138 million random numbers take longer than all the rest.
keras.initializers.GlorotUniform.__call__ = keras.initializers.Zeros.__call__
model = VGG16(weights=weights)
fc2, pool5 = model.layers[-2].output, model.get_layer("block5_pool").output
average = keras.layers.GlobalAveragePooling2D()(pool5)
crops = np.stack([np.array(load_img(file, target_size=(224, 224))) for file in files])
inputs = preprocess_input(np.stack([img_to_array(crop) for crop in crops]))
fc2_nd, pool5_nd = keras.Model(model.inputs, [fc2, average]).predict(inputs, verbose=0)
np.savez(out, crops=crops, fc2=fc2_nd, pool5=pool5_nd)
"""


class Reference(NamedTuple):
    weights: Path
    files: list[Path]
    crops: NDArray[np.uint8]
    fc2: F32
    pool5: F32


def write_weights(path: Path) -> None:
    rng = np.random.default_rng(16)
    shapes: dict[str, tuple[int, ...]] = {}
    for number, widths in enumerate(BLOCKS, start=1):
        for i, (width_in, width_out) in enumerate(pairwise(widths), start=1):
            shapes[f"block{number}_conv{i}"] = (3, 3, width_in, width_out)
    shapes |= {"fc1": (25088, 4096), "fc2": (4096, 4096), "predictions": (4096, 1000)}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layer_names(shapes)]
        for name in layer_names(shapes):
            file.create_group(name).attrs["weight_names"] = []
        for name, shape in shapes.items():
            names = [f"{name}_W_1:0", f"{name}_b_1:0"]
            file[name].attrs["weight_names"] = [text.encode() for text in names]
            spread = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
            kernel = rng.standard_normal(shape, np.float32)
            kernel *= spread  # in place: the largest has 411 MB
            file[name][names[0]] = kernel
            file[name][names[1]] = rng.standard_normal(shape[-1], np.float32) * np.float32(0.1)


def layer_names(shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """With those that have no weights, as in the published file."""
    names = ["input_1"]
    for name in shapes:
        if name == "fc1":
            names.append("flatten")
        names.append(name)
        if name.startswith("block") and name[-1] == ("2" if name[5] in "12" else "3"):
            names.append(f"{name[:6]}_pool")
    return names


def write_pictures(folder: Path) -> list[Path]:
    """Three made-up pictures: noise, a gradient with a disc, grey."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[0:181, 0:143].astype(np.float32)
    gradient = np.stack([rows, columns, 255 - rows], axis=-1).clip(0, 255).astype(np.uint8)
    cv2.circle(gradient, (70, 90), 40, (200, 120, 90), thickness=-1)
    pictures = {
        "noise.jpg": Image.fromarray(rng.integers(0, 256, (60, 75, 3), np.uint8)),
        "gradient.jpg": Image.fromarray(gradient),
        "grey.jpg": Image.fromarray(rng.integers(0, 256, (300, 257), np.uint8)),
    }
    for name, picture in pictures.items():
        picture.save(folder / name, quality=90)
    return [folder / name for name in pictures]


def as_keras_reads(file: Path) -> NDArray[np.uint8]:
    """Without turning it as its EXIF orientation says, transparency dropped."""
    with Image.open(file) as picture:
        return to_224(np.asarray(picture.convert("RGB")))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    folder = tmp_path_factory.mktemp("parity")
    weights, out = folder / "standin_kernels.h5", folder / "keras.npz"
    write_weights(weights)
    files = write_pictures(folder)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "KERAS_HOME": str(folder)}
    command = [sys.executable, "-c", KERAS, str(weights), str(out), *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    with np.load(out) as arrays:
        yield Reference(weights, files, arrays["crops"], arrays["fc2"], arrays["pool5"])
    weights.unlink()


@pytest.fixture(scope="module")
def fc2_graph(reference: Reference) -> Iterator[Path]:
    destination = reference.weights.with_name("fc2.onnx")
    yield build_vgg16(reference.weights, features="fc2", destination=destination, allow_other_weights=True)
    destination.unlink()


def run(model: Path, crops: NDArray[np.uint8], engine: Engine, precision: Precision) -> dict[str, F32]:
    return open_session(model, EngineSettings(engine=engine, precision=precision, threads=2))(crops)


def relative_errors(have_nd: F32, want_nd: F32) -> F32:
    """Of each picture: the largest difference over the largest value."""
    result: F32 = np.abs(have_nd - want_nd).max(axis=1) / np.abs(want_nd).max(axis=1)
    return result


def test_the_reference_is_alive(reference: Reference) -> None:
    """Dead or exploded activations would be equal too, and prove nothing."""
    active = (reference.fc2 > 0).mean(axis=1)
    assert active.min() > 0.2
    assert active.max() < 0.8
    assert 1 < np.median(reference.fc2.max(axis=1)) < 1e5
    unit_nd = reference.fc2 / np.linalg.norm(reference.fc2, axis=1, keepdims=True)
    assert (unit_nd @ unit_nd.T)[np.triu_indices(3, 1)].max() < 0.999  # the three pictures are told apart


def test_crops_are_those_of_keras(reference: Reference) -> None:
    np.testing.assert_array_equal(np.stack([as_keras_reads(file) for file in reference.files]), reference.crops)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_fc2_in_float32(reference: Reference, fc2_graph: Path, engine: Engine) -> None:
    crops = np.stack([as_keras_reads(file) for file in reference.files])
    outputs = run(fc2_graph, crops, engine, "f32")
    assert list(outputs) == ["fc2"]
    assert outputs["fc2"].shape == (3, 4096)
    assert relative_errors(outputs["fc2"], reference.fc2).max() <= 1e-4


def test_fc2_in_bf16(reference: Reference, fc2_graph: Path) -> None:
    if "BF16" not in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("the engine has no bf16 on this processor: what it computes is float32")
    found_nd = run(fc2_graph, reference.crops, "openvino", "bf16")["fc2"]
    cosines = (found_nd * reference.fc2).sum(axis=1)
    cosines /= np.linalg.norm(found_nd, axis=1) * np.linalg.norm(reference.fc2, axis=1)
    assert cosines.min() >= 0.9995
    assert relative_errors(found_nd, reference.fc2).max() > 1e-4  # it really was rounded


def test_pool5_is_the_average_of_keras_last_block(reference: Reference) -> None:
    destination = reference.weights.with_name("pool5.onnx")
    build_vgg16(reference.weights, features="pool5", destination=destination, allow_other_weights=True)
    found_nd = run(destination, reference.crops, "openvino", "f32")["pool5"]
    assert found_nd.shape == (3, 512)
    assert relative_errors(found_nd, reference.pool5).max() <= 1e-4
