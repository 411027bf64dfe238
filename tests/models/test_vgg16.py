"""The crop's way into the network, and which weight files are refused; the numbers are in test_vgg16_parity.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unmingle.errors import ModelError, WriteError
from unmingle.models.runtime import open_session
from unmingle.models.vgg16 import build_vgg16, to_224
from unmingle.settings import Engine, EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ENGINES: tuple[Engine, ...] = ("openvino", "onnxruntime")
WIDTHS = {
    "block1_conv1": (3, 64),
    "block1_conv2": (64, 64),
    "block2_conv1": (64, 128),
    "block2_conv2": (128, 128),
    "block3_conv1": (128, 256),
    "block3_conv2": (256, 256),
    "block3_conv3": (256, 256),
    "block4_conv1": (256, 512),
    "block4_conv2": (512, 512),
    "block4_conv3": (512, 512),
    "block5_conv1": (512, 512),
    "block5_conv2": (512, 512),
    "block5_conv3": (512, 512),
}
SHAPES: dict[str, tuple[int, ...]] = {
    **{name: (3, 3, *widths) for name, widths in WIDTHS.items()},
    "fc1": (25088, 4096),
    "fc2": (4096, 4096),
}
CONVOLUTIONS = {name: shape for name, shape in SHAPES.items() if len(shape) == 4}


def published(file: Any, name: str, shape: tuple[int, ...], dtype: str = "f4") -> None:
    """As in the file that Keras publishes. HDF5 keeps no bytes of an array that nothing was written to."""
    file.create_dataset(f"{name}/{name}_W_1:0", shape, dtype)
    file.create_dataset(f"{name}/{name}_b_1:0", shape[-1:], dtype)


def saved_by_keras_2(file: Any, name: str, shape: tuple[int, ...]) -> None:
    file.create_dataset(f"model_weights/{name}/{name}/bias:0", shape[-1:], "f4")
    file.create_dataset(f"model_weights/{name}/{name}/kernel:0", shape, "f4")


def saved_by_keras_3(file: Any, name: str, shape: tuple[int, ...]) -> None:
    file.create_dataset(f"layers/{name}/vars/0", shape, "f4")
    file.create_dataset(f"layers/{name}/vars/1", shape[-1:], "f4")


def weight_file(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    layout: Callable[[Any, str, tuple[int, ...]], None] = published,
) -> Path:
    with h5py.File(path, "w") as file:
        for name, shape in shapes.items():
            layout(file, name, shape)
    return path


def refusal(weights: Path, features: Any = "fc2", *, allow_other_weights: bool = True) -> str:
    destination = weights.with_suffix(".onnx")
    with pytest.raises(ModelError) as caught:
        build_vgg16(weights, features=features, destination=destination, allow_other_weights=allow_other_weights)
    assert not destination.exists()
    assert caught.value.mend
    return str(caught.value)


def noise(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(height * 5000 + width).integers(0, 256, (height, width, 3), np.uint8)


def pillows(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.fromarray(pixels).resize((224, 224), Image.Resampling.NEAREST))


@given(height=st.integers(1, 2500), width=st.integers(1, 700))
def test_to_224_is_pillows_nearest(height: int, width: int) -> None:
    pixels = noise(height, width)
    np.testing.assert_array_equal(to_224(pixels), pillows(pixels))


def test_to_224_leaves_its_size_alone_and_copies() -> None:
    pixels = noise(224, 224)
    same = to_224(pixels)
    np.testing.assert_array_equal(same, pixels)
    assert not np.shares_memory(same, pixels)


def test_to_224_wants_three_channels() -> None:
    with pytest.raises(ValueError, match="pixels_hwc"):
        to_224(np.zeros((5, 5), np.uint8))


def test_no_file(tmp_path: Path) -> None:
    assert "models fetch vgg16" in refusal(tmp_path / "none.h5")


def test_not_hdf5(tmp_path: Path) -> None:
    weights = tmp_path / "weights.h5"
    weights.write_bytes(b"<html>not found</html>")
    assert "is not a weight file of Keras (HDF5)" in refusal(weights)


def test_convolutions_alone_do_not_give_fc2(tmp_path: Path) -> None:
    weights = weight_file(tmp_path / "notop.h5", CONVOLUTIONS)
    assert "has no layer fc1. It is a convolution-only file: use features pool5." in refusal(weights)


def test_missing_layer(tmp_path: Path) -> None:
    fewer = {name: shape for name, shape in SHAPES.items() if name != "block3_conv3"}  # VGG13's shape
    assert "has no layer block3_conv3" in refusal(weight_file(tmp_path / "w.h5", fewer))


@pytest.mark.parametrize("layout", [published, saved_by_keras_2, saved_by_keras_3])
def test_wrong_shape_says_both(tmp_path: Path, layout: Any) -> None:
    shapes = {**SHAPES, "block2_conv1": (3, 3, 64, 100)}
    message = refusal(weight_file(tmp_path / "w.h5", shapes, layout))
    assert "layer block2_conv1 has arrays of shape [(3, 3, 64, 100), (100,)]" in message
    assert "expected [(3, 3, 64, 128), (128,)]" in message


def test_kernels_in_theanos_order_are_refused(tmp_path: Path) -> None:
    theano = {name: (*shape[::-1],) for name, shape in SHAPES.items()}
    assert "expected [(3, 3, 3, 64), (64,)]" in refusal(weight_file(tmp_path / "w.h5", theano))


def test_a_layer_without_bias(tmp_path: Path) -> None:
    weights = weight_file(tmp_path / "w.h5", SHAPES)
    with h5py.File(weights, "a") as file:
        del file["fc2/fc2_b_1:0"]
    assert "layer fc2 has arrays of shape [(4096, 4096)]" in refusal(weights)


@pytest.mark.parametrize(("features", "shapes"), [("fc2", SHAPES), ("pool5", SHAPES), ("pool5", CONVOLUTIONS)])
def test_other_weights_are_refused_unless_allowed(tmp_path: Path, features: Any, shapes: Any) -> None:
    message = refusal(weight_file(tmp_path / "w.h5", shapes), features, allow_other_weights=False)
    assert "has MD5" in message
    assert "64373286793e3c8b2b4e3219cbf3544b" in message
    assert "--any-weights" in message
    assert ("6d6bbae143d832006294945121d1f1fc" in message) == (features == "pool5")


def test_cant_write(tmp_path: Path) -> None:
    weights = weight_file(tmp_path / "w.h5", CONVOLUTIONS)
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(WriteError, match="can't be written"):
        build_vgg16(weights, features="pool5", destination=tmp_path / "models" / "v.onnx", allow_other_weights=True)


@pytest.fixture(scope="module")
def random_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(8)
    path = tmp_path_factory.mktemp("weights") / "notop.h5"

    def fill(file: Any, name: str, shape: tuple[int, ...]) -> None:
        scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        file[f"{name}/{name}_W_1:0"] = rng.standard_normal(shape, np.float32) * scale
        file[f"{name}/{name}_b_1:0"] = np.zeros(shape[-1], np.float32)

    return weight_file(path, CONVOLUTIONS, fill)


def test_pool5_from_convolutions_alone(random_base: Path, tmp_path: Path) -> None:
    destination = tmp_path / "models" / "pool5.onnx"
    built = build_vgg16(random_base, features="pool5", destination=destination, allow_other_weights=True)
    assert built == destination
    assert [file.name for file in destination.parent.iterdir()] == ["pool5.onnx"]
    pictures = np.stack([to_224(noise(90, 70)), to_224(noise(64, 64)), np.zeros((224, 224, 3), np.uint8)])
    both = [open_session(built, EngineSettings(engine=engine, precision="f32"))(pictures) for engine in ENGINES]
    first, second = (result["pool5"] for result in both)
    assert first.shape == (3, 512)
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4 * np.abs(second).max())
    assert first.std(axis=1).min() > 1  # alive: zeros would be equal too
