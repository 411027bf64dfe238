"""Model files, the archives they come in, and the cards beside them: taken, or refused with a sentence."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import os
import zipfile
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzzing import graphs
from fuzzing.mutants import ODD_NUMBERS, Outcome, chance, damage, signature
from unmingle.errors import ModelError, UnmingleError
from unmingle.models import registry
from unmingle.models.embedding import check_alone
from unmingle.models.fetch import fetch
from unmingle.models.registry import YUNET, Archive

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable, Sequence
    from pathlib import Path

SIDE, WIDTH = 112, 16
DOOR = 50  # each so manieth graph goes through the program's own door as well
FAULTS = {"raised": "tracebacks", "died": "crashes", "late": "hangs"}
CARD: dict[str, Any] = {
    "name": "mine", "purpose": "face embedding", "dimension": WIDTH, "input": "", "licence": "", "commercial": None,
    "source": "", "file": "mine.onnx", "sha256": "0" * 64, "size": 100, "archive": None,
    "intake": {"colour": "rgb", "mean": 127.5, "scale": 127.5, "output": ""},
    "calibration": {"mean": 0.1, "people": 0.1, "faces": 0.1, "pairs": 0.1, "measured_on": "x", "provisional": True},
}  # fmt: skip
OPERATIONS = (
    "Add", "BatchNormalization", "Concat", "Conv", "ConvTranspose", "DequantizeLinear", "Expand", "Flatten", "GRU",
    "Gather", "Gemm", "GlobalAveragePool", "If", "LSTM", "Loop", "MatMul", "MaxPool", "NonMaxSuppression", "NoSuch",
    "OneHot", "Pad", "Range", "Relu", "Reshape", "Resize", "Slice", "Softmax", "Squeeze", "Tile", "TopK", "Transpose",
)  # fmt: skip
ATTRIBUTES = ("axis", "axes", "group", "kernel_shape", "pads", "perm", "strides", "dilations")
ODD: tuple[Any, ...] = (None, "", 0, -1, 1e300, float("nan"), [], {}, [{}], "x" * 1000, True, "../x", {"mean": "x"})


@cache
def graph() -> bytes:
    """A small embedding that nothing is wrong with."""
    from onnx import TensorProto, helper, numpy_helper

    port = helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    out = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", WIDTH])
    weights = np.random.default_rng(0).standard_normal((WIDTH, 3, 28, 28)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["face", "w"], ["blocks"], strides=[28, 28]),
        helper.make_node("Relu", ["blocks"], ["kept"]),
        helper.make_node("GlobalAveragePool", ["kept"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
    ]
    made = helper.make_graph(nodes, "g", [port], [out], [numpy_helper.from_array(weights, "w")])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@cache
def packed(kind: str, method: int) -> bytes:
    """The graph in an archive that nothing is wrong with."""
    if kind == "bz2":
        return bz2.compress(graph())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, held in (("a/b.onnx", graph()), ("note.txt", b"x" * 100)):
            out.writestr(zipfile.ZipInfo(name), held, method)  # which has no time, so that it is the same again
    return buffer.getvalue()


def odd_graph(whole: bytes, draw: random.Random) -> bytes:
    """A graph that can be parsed and has one to three things in it that are odd."""
    import onnx

    model = onnx.load_from_string(whole)
    made = model.graph

    def odd_number(values: Any) -> None:
        if values:
            values[draw.randrange(len(values))] = draw.choice((*ODD_NUMBERS, -1, -(2**31), 2**40))

    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        node = draw.choice(made.node)
        way = draw.randrange(8)
        if way == 0:
            node.op_type = draw.choice(OPERATIONS)
        elif way == 1 and node.attribute:
            odd_number(draw.choice(node.attribute).ints)
        elif way == 2:
            node.attribute.append(onnx.helper.make_attribute(draw.choice(ATTRIBUTES), [draw.choice(ODD_NUMBERS)] * 2))
        elif way == 3:
            odd_number(made.initializer[0].dims)
        elif way == 4:
            made.initializer[0].data_type = draw.randrange(30)
        elif way == 5:
            port = draw.choice((*made.input, *made.output)).type.tensor_type
            draw.choice(port.shape.dim).dim_value = draw.choice(ODD_NUMBERS)
            port.elem_type = draw.choice((port.elem_type, draw.randrange(30)))
        elif way == 6:
            node.input[draw.randrange(len(node.input))] = draw.choice(("face", "w", "blocks", "vector", "nothing", ""))
        else:
            made.node.insert(0, made.node.pop())
    return model.SerializeToString()


class FaultError(Exception):
    """What another process did."""


class _Kind:
    """What the kinds have in common. mutant(folder, number, draw) hands one over."""

    mutant: Callable[[Path, int, random.Random], None]

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """See `Kind.run`."""
        os.environ["UNMINGLE_CACHE"] = str(folder / "cache")
        outcome, kind = Outcome(), type(self).__name__.lower()
        for number in numbers:
            try:
                self.mutant(folder, number, chance(seed, kind, number))
                outcome.read += 1
            except UnmingleError as error:
                outcome.refused += 1
                if not error.problem.strip():
                    outcome.blame(number, "no_sentence", type(error).__name__)
            except FaultError as fault:
                outcome.blame(number, *fault.args)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # what is looked for
                outcome.blame(number, "tracebacks", signature(error))
        return outcome


class Models(_Kind):
    """Graphs that somebody adds: see `fuzzing/graphs.py`; one in so many by the door itself."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def mutant(self, folder: Path, number: int, draw: random.Random) -> None:
        """A graph with odd parts, or one whose bytes are damaged but for the weights, which may be any."""
        whole = graph()
        if draw.random() < 0.6:
            content = odd_graph(whole, draw)
        else:
            at = whole.index(np.random.default_rng(0).standard_normal(1).astype(np.float32).tobytes())
            end = at + 4 * WIDTH * 3 * 28 * 28
            skeleton = damage(whole[:at] + whole[end:], draw, whole[:at])
            content = skeleton[:at] + whole[at:end] + skeleton[at:]
        path = folder / f"{number}.onnx"
        path.write_bytes(content)
        if self._process is None:
            self._process = graphs.start()
        alone, then = graphs.ask(self._process, path)
        if number % DOOR == 0:
            alone = self._by_the_door(path, alone)
        if alone[0] in ("died", "late"):
            raise ModelError(alone[1], "")
        kind, what = then or alone
        if kind == "refused":
            raise ModelError(what, "")
        if kind != "well":
            raise FaultError(FAULTS[kind], what)

    def _by_the_door(self, path: Path, alone: graphs.Told) -> graphs.Told:
        """The same as in the process of its own that the program starts."""
        try:
            check_alone(path)
        except ModelError as error:
            same = alone[0] in ("died", "late") or alone == ("refused", error.problem)
            return alone if same else ("raised", f"alone {alone}, by the door {error}")
        return alone if alone[0] == "well" else ("raised", f"alone {alone}, well by the door")


class Archives(_Kind):
    """Packed files that were fetched."""

    def mutant(self, folder: Path, number: int, draw: random.Random) -> None:
        """An archive that has the checksum of its card, whatever is in it."""
        whole, kind = graph(), draw.choice(("zip", "bz2"))
        content = damage(packed(kind, draw.choice((0, 8, 12, 14)) if kind == "zip" else 0), draw, whole)
        destination = folder / f"{number}.onnx"
        destination.with_name(f"{number}.onnx.{kind}").write_bytes(content)
        archive = Archive(kind=kind, sha256=hashlib.sha256(content).hexdigest(), size=len(content), member="a/b.onnx")
        sha = hashlib.sha256(whole).hexdigest()
        fetch(replace(YUNET, url="http://localhost:9/x", archive=archive, sha256=sha, size=len(whole)), destination)


class Cards(_Kind):
    """Cards in the folder of models."""

    def mutant(self, folder: Path, number: int, draw: random.Random) -> None:
        """A card in the model folder; it is read as often as models are listed."""
        card = json.loads(json.dumps(CARD))
        for _ in range(draw.choice((0, 1, 1, 3))):
            key = draw.choice([*CARD, "more"])
            inner = card.get(key)
            if isinstance(inner, dict) and inner and draw.random() < 0.7:
                inner[draw.choice([*inner, "more"])] = deepcopy(draw.choice((*ODD, *ODD_NUMBERS)))
            elif draw.random() < 0.3:
                card.pop(key, None)
            else:
                card[key] = deepcopy(draw.choice((*ODD, *ODD_NUMBERS)))
        content = json.dumps(card).encode()
        content = damage(content, draw, content) if draw.random() < 0.4 else content
        path = registry.model_folder() / "mine.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        try:
            found = registry.all_cards()["mine"]
            _ = (found.licence_warning, registry.is_here(found), str(found.intake))
            with suppress(ModelError):  # it is not here
                registry.model_file(found)
        finally:
            path.unlink()
