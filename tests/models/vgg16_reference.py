"""What Keras' VGG16 makes of three made-up pictures with made-up weights, kept in vgg16_reference.npz.

    uv run --group parity python tests/models/vgg16_reference.py

makes that file anew. The weights are random, of the size that keeps each layer's spread (He et al. 2015), in the layout
of the published file: 553 MB for a while.
"""

from __future__ import annotations

import io
import os
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from PIL import Image

RECORD = Path(__file__).with_suffix(".npz")
BLOCKS = [(3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512)]


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


def pictures() -> list[bytes]:
    """Three made-up JPEGs: noise, a gradient with a disc, grey."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[0:181, 0:143].astype(np.float32)
    gradient = np.stack([rows, columns, 255 - rows], axis=-1).clip(0, 255).astype(np.uint8)
    cv2.circle(gradient, (70, 90), 40, (200, 120, 90), thickness=-1)
    files = []
    for pixels in (rng.integers(0, 256, (60, 75, 3), np.uint8), gradient, rng.integers(0, 256, (90, 77), np.uint8)):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def record(folder: Path) -> None:
    """Run Keras, on JAX."""
    os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "KERAS_HOME": str(folder)}
    import keras
    from keras.applications.vgg16 import VGG16, preprocess_input
    from keras.utils import img_to_array, load_img

    write_weights(folder / "standin_kernels.h5")
    model = VGG16(weights=folder / "standin_kernels.h5")
    average = keras.layers.GlobalAveragePooling2D()(model.get_layer("block5_pool").output)
    files = pictures()
    crops = np.stack([np.array(load_img(io.BytesIO(file), target_size=(224, 224))) for file in files])
    inputs = preprocess_input(np.stack([img_to_array(crop) for crop in crops]))
    fc2, pool5 = keras.Model(model.inputs, [model.layers[-2].output, average]).predict(inputs, verbose=0)
    jpegs: dict[str, Any] = {f"jpeg_{number}": np.frombuffer(file, np.uint8) for number, file in enumerate(files)}
    np.savez_compressed(RECORD, fc2=fc2, pool5=pool5, crops=crops[:, ::7, ::7], **jpegs)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        record(Path(temporary))
