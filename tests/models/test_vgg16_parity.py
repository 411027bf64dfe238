"""Our VGG16 against what Keras' own made of the same weights and files (vgg16_reference.py), from the JPEG to fc2."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image
from tests.models.vgg16_reference import RECORD, write_weights

from unmingle.models.runtime import import_openvino, open_session
from unmingle.models.vgg16 import build_vgg16, to_224
from unmingle.settings import Engine, EngineSettings, Precision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

pytestmark = pytest.mark.slow


class Reference(NamedTuple):
    weights: Path
    crops: NDArray[np.uint8]  # as we read them
    keras_crops: NDArray[np.uint8]  # every seventh row and column
    fc2: F32
    pool5: F32


def as_keras_reads(jpeg: bytes) -> NDArray[np.uint8]:
    """Without turning it as its EXIF orientation says, transparency dropped."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        return to_224(np.asarray(picture.convert("RGB")))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    weights = tmp_path_factory.mktemp("parity") / "standin_kernels.h5"
    write_weights(weights)
    with np.load(RECORD) as kept:
        crops = np.stack([as_keras_reads(kept[f"jpeg_{number}"].tobytes()) for number in range(3)])
        yield Reference(weights, crops, kept["crops"], kept["fc2"], kept["pool5"])
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
    np.testing.assert_array_equal(reference.crops[:, ::7, ::7], reference.keras_crops)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_fc2_in_float32(reference: Reference, fc2_graph: Path, engine: Engine) -> None:
    outputs = run(fc2_graph, reference.crops, engine, "f32")
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
