"""VGG16 weight files in Keras' published layout, for the benchmarks: random, or with convolutions from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

BLOCKS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))
CONVOLUTIONS = {
    f"block{number}_conv{i + 1}": (3, 3, widths[i], widths[i + 1])
    for number, widths in enumerate(BLOCKS, start=1)
    for i in range(len(widths) - 1)
}
DENSE = {"fc1": (25088, 4096), "fc2": (4096, 4096), "predictions": (4096, 1000)}


def random_weights(seed: int = 16) -> dict[str, tuple[F32, F32]]:
    """Kernels and biases of a size that keeps each layer's spread (He et al. 2015), so that none dies or explodes."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in {**CONVOLUTIONS, **DENSE}.items():
        spread = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        weights[name] = (rng.standard_normal(shape, np.float32) * spread, np.zeros(shape[-1], np.float32))
    return weights


def write_weights(path: Path, weights: Mapping[str, tuple[F32, F32]]) -> Path:
    """Write kernels (Keras' order) and biases by layer, as `keras.Model.load_weights` reads them."""
    with h5py.File(path, "w") as file:
        order = _with_weightless(list(weights))
        file.attrs["layer_names"] = [name.encode() for name in order]
        for name in order:
            group = file.create_group(name)
            names = [f"{name}_W_1:0", f"{name}_b_1:0"] if name in weights else []
            group.attrs["weight_names"] = [text.encode() for text in names]
            for text, array in zip(names, weights.get(name, ()), strict=True):
                group[text] = array
    return path


def _with_weightless(names: list[str]) -> list[str]:
    """The layers in order, with those that have no weights but are listed in Keras' file."""
    last_of_block = {f"block{number}_conv{len(widths) - 1}" for number, widths in enumerate(BLOCKS, start=1)}
    order = ["input_1"]
    for name in names:
        order += ["flatten", name] if name == "fc1" else [name]
        if name in last_of_block:
            order.append(f"{name.partition('_')[0]}_pool")
    return order
