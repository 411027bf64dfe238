"""What goes into the convolutions of SFace that int8 arithmetic computes: the ranges in `models/graphs.py`.

`ranges`: the least and the most on made-up faces. Beside them, of the main faces of the sets named: which share of the
numbers lies outside, and would be cut. JSON out.

    python benchmarks/int8_ranges.py --data DATA pins_a umist > benchmarks/results/int8_ranges.json
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper

from unmingle.example_faces import Examples, made_up_faces
from unmingle.models.graphs import prepared_model, wide_pointwise
from unmingle.models.registry import SFACE
from unmingle.models.runtime import open_session
from unmingle.progress import silent
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.records import F32, U8

AT_ONCE = 8
MOST = 1000  # faces of a set


def inputs(aligned_nhwc: U8) -> Iterator[list[F32]]:
    """What goes into each convolution, a few faces at a time."""
    model = onnx.load(str(prepared_model(SFACE, "embedding")))
    names = [node.input[0] for node in wide_pointwise(model.graph)]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = open_session(model.SerializeToString(), EngineSettings(engine="openvino", precision="f32"))
    for start in range(0, len(aligned_nhwc), AT_ONCE):
        outputs = session(aligned_nhwc[start : start + AT_ONCE])
        yield [outputs[name] for name in names]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="folders in DATA, of a folder for each person")
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    options = parser.parse_args()
    ends = np.array([[(one.min(), one.max()) for one in part] for part in inputs(made_up_faces().aligned)])
    ranges = [(float(low), float(high)) for low, high in zip(ends[..., 0].min(0), ends[..., 1].max(0), strict=True)]
    outside = {}
    for name in options.sets:
        aligned = Examples(labels=options.data / name).read(silent).aligned
        aligned = aligned[:: -(-len(aligned) // MOST)]
        shares = [
            [float(np.mean((one < low) | (one > high))) for one, (low, high) in zip(part, ranges, strict=True)]
            for part in inputs(aligned)
        ]
        outside[name] = {"faces": len(aligned), "outside": [round(share, 7) for share in np.mean(shares, axis=0)]}
    print(json.dumps({"ranges": np.round(ranges, 2).tolist(), "sets": outside}, indent=1))


if __name__ == "__main__":
    main()
