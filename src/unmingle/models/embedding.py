"""Embeddings of aligned faces: by SFace, by dlib, or by any ONNX graph that takes them.

A published graph may want the channels in another order, other numbers for pixels, the axes in another order, or one
face at a time. All that is seen to here, so that every embedding takes (n, 112, 112, 3) uint8 RGB.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import ModelError
from unmingle.models.graphs import BANDS, fold_constants, free_batch, prepared_model, waiting_node
from unmingle.models.registry import DLIB, SFACE, Card, Intake, model_file
from unmingle.models.runtime import Session, open_session
from unmingle.records import F32, U8
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

    # (n, d) float32, each of length 1, from (n, 112, 112, 3) uint8 RGB; safe from several threads.
    Embedder = Callable[[U8], F32]

SIDE = 112
EMBEDDING = "fc1"
TOP_BAND = 2  # of seven bands of 16 pixels: the two above the brows show hair and hats
LEAST_DIMENSION = 16  # an output of fewer numbers tells something else of a face than whose it is
AS_ALONE = 0.999  # cosine: a face among others must come out as it does alone, to the rounding of bf16
PATIENCE = 60.0  # seconds to open a graph that nobody knows
ROOM = 4 << 30  # bytes that it may take meanwhile
AGAIN = "Get it again."
SUSPECT = "It is damaged, or made to do that: get it again, from whom you trust."
EXPORT = "Export it for faces aligned by five points: N×3×112×112 or N×112×112×3."


@dataclass(frozen=True, slots=True)
class OnnxEmbedder:
    """An `Embedder` by an ONNX graph, given the kind of input that it wants."""

    session: Session  # of the graph; its only output is the embedding
    intake: Intake
    channels_first: bool  # whether it takes (n, 3, 112, 112)
    dtype: np.dtype[Any]
    one_by_one: bool  # whether it takes a single face only

    def __call__(self, aligned_nhwc: U8) -> F32:
        """See `Embedder`."""
        if self.one_by_one and len(aligned_nhwc) > 1:
            return np.concatenate([self(face) for face in np.split(aligned_nhwc, len(aligned_nhwc))])
        channels = aligned_nhwc[..., ::-1] if self.intake.colour == "bgr" else aligned_nhwc
        batch = (channels.astype(np.float32) - np.float32(self.intake.mean)) / np.float32(self.intake.scale)
        batch = batch.transpose(0, 3, 1, 2) if self.channels_first else batch
        (output,) = self.session(batch.astype(self.dtype)).values()
        return unit(output.reshape(len(aligned_nhwc), int(np.prod(output.shape[1:]))))


def unit(vectors_nd: F32) -> F32:
    """Each of length 1; one of zeros stays."""
    length_n1 = np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    return np.asarray(vectors_nd / np.maximum(length_n1, np.finfo(np.float32).tiny), np.float32)


def open_embedder(card: Card, engine: EngineSettings) -> Embedder:
    """The embedding of a card, its file checked; ModelError if it can't be used, is not here, or is another file.

    dlib's takes faces of (n, 150, 150, 3), cut out its way.
    """
    if card.name == DLIB.name:
        return open_dlib()
    if card.unfit:
        raise ModelError(f"{card.name} can't be used here: {card.unfit}.", "Choose another model.")
    if card.intake is None:
        raise ModelError(f"{card.name} is no face embedding.", "unmingle models list shows which are.")
    return open_embedding(model_file(card), card.intake, engine)


def check_alone(file: Path, output: str = "") -> None:
    """Open a graph that nobody knows in a process of its own, which it may end; ModelError if it can't be opened."""
    words = [sys.executable, "-P", "-m", __name__, str(file), output]
    problem = f"{file} ends the process that runs it."
    try:
        done = subprocess.run(words, capture_output=True, timeout=PATIENCE, check=False)
        if not done.returncode:
            if done.stdout:
                raise ModelError(*json.loads(done.stdout))
            return
    except subprocess.TimeoutExpired:
        problem = f"{file} can't be opened within {PATIENCE:.0f} s."
    raise ModelError(problem, SUSPECT)


def open_alone(file: str, output: str) -> None:
    """What that process does: it has limits, and whatever a graph raises is that graph's."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (ROOM, ROOM))
    try:
        open_embedding(Path(file), Intake(output=output), EngineSettings(precision="f32"))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{file} can't be opened within {ROOM >> 30} GB: {_why(error)}", SUSPECT) from error


def open_embedding(file: Path, intake: Intake, engine: EngineSettings) -> OnnxEmbedder:
    """An ONNX embedding from its file; it takes several faces at once where the graph can do that.

    ModelError if it is no ONNX graph that makes one vector of a 112×112 face.
    """
    for one_by_one in (False, True):
        model = _load(file)
        port = _only_input(model.graph, file)
        channels_first = _channels_first(port, file)
        _keep_output(model.graph, intake.output, file)
        if not one_by_one:
            free_batch(model.graph)
        from onnx import helper

        dtype = helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
        try:
            session = open_session(model.SerializeToString(), engine)
            embedder = OnnxEmbedder(session, intake, channels_first, dtype, one_by_one)
            noise = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
            vectors_nd = embedder(noise)
            # Some graphs mix the faces of a batch up, and none says so.
            alone_nd = vectors_nd if one_by_one else replace(embedder, one_by_one=True)(noise)
        except (ModelError, ValueError) as error:
            if one_by_one:
                raise ModelError(f"{file} can't be run on a face: {_why(error)}", EXPORT) from error
            continue
        if alone_nd.shape == vectors_nd.shape and (np.sum(alone_nd * vectors_nd, axis=1) >= AS_ALONE).all():
            break
    if not np.isfinite(vectors_nd).all():
        raise ModelError(f"{file} gives numbers that are none (NaN or infinite).", "Check how pixels must go in.")
    return embedder


def _load(file: Path) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it comes with onnx

    try:
        model = onnx.load(str(file))
    except OSError as error:
        raise ModelError(f"{file} can't be read: {error.strerror or error}.", "Name an ONNX file.") from error
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{file} is no ONNX file, or not all of it.", AGAIN) from error
    if not model.graph.node:
        raise ModelError(f"{file} is no ONNX file, or an empty one.", AGAIN)
    if kind := waiting_node(model.graph):
        raise ModelError(f"{file} can't be run: a {kind} needs what nothing gives, or gives what it needs.", AGAIN)
    fold_constants(model.graph)
    return model


def _only_input(graph: GraphProto, file: Path) -> ValueInfoProto:
    # Some exporters list constants among the inputs, and some quantisers leave there what they took away.
    constants = {tensor.name for tensor in graph.initializer}
    used = {name for node in graph.node for name in node.input} - constants
    inputs = [value for value in graph.input if value.name in used]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs)
        raise ModelError(f"{file} has {len(inputs)} inputs ({names}), not one.", EXPORT)
    for value in [value for value in graph.input if value.name != inputs[0].name]:
        graph.input.remove(value)
    return inputs[0]


def _shape(value: ValueInfoProto) -> list[int]:
    """The axes of a port; 0 where one is free."""
    return [dim.dim_value if dim.HasField("dim_value") else 0 for dim in value.type.tensor_type.shape.dim]


def _channels_first(port: ValueInfoProto, file: Path) -> bool:
    """Whether the graph takes (n, 3, 112, 112); else (n, 112, 112, 3). Axes that are free fit anything."""
    shape = _shape(port)
    for axes in ((3, SIDE, SIDE), (SIDE, SIDE, 3)):
        if len(shape) == 4 and all(have in (0, want) for have, want in zip(shape[1:], axes, strict=True)):
            return axes[0] == 3
    written = "×".join(str(length or "any") for length in shape)
    raise ModelError(f"{file} takes {written or 'a single number'}, not faces of 112×112.", EXPORT)


def _keep_output(graph: GraphProto, name: str, file: Path) -> None:
    """Leave only the output that is the embedding."""
    if name:
        chosen = [value for value in graph.output if value.name == name]
    else:
        # Some give out the length of the vector beside it.
        chosen = [value for value in graph.output if _shape(value)[1:2] != [1]] or list(graph.output)
    if len(chosen) != 1:
        names = ", ".join(value.name for value in graph.output)
        wrong = f"no output {name}" if name else f"{len(graph.output)} outputs"
        raise ModelError(f"{file} has {wrong} ({names}).", "Name the one that is the embedding: --output NAME")
    for value in [value for value in graph.output if value.name != chosen[0].name]:
        graph.output.remove(value)


def _why(error: Exception) -> str:
    """The line of an engine's report that says what is wrong, without where in its code that was noticed."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    noise = ("Exception from", "Check '", "FrontEnd API", "the graph can't")
    said = [line for line in lines if not line.startswith(noise)]
    return (said or lines)[0]


def open_sface(engine: EngineSettings | None = None) -> Session:
    """A session of SFace (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss", 2021), for `describe`."""
    int8 = engine is not None and engine.precision == "int8"
    graph = prepared_model(SFACE, "embedding", int8=int8)
    return open_session(graph, engine, quantised=int8)


def embed(session: Session, aligned_nhwc: U8) -> F32:
    """Embed aligned faces: the first of what `describe` returns."""
    return describe(session, aligned_nhwc)[0]


def describe(session: Session, aligned_nhwc: U8) -> tuple[F32, F32]:
    """Embed aligned faces (n, 112, 112, 3) uint8 RGB, and tell what the network saw, from the brows to the chin.

    (n, 128) float32, each of length 1; and (n, 512, 5) float32, the averages of the channels of the twelfth block over
    five bands across the face, 16 pixels high each.
    """
    outputs = session(aligned_nhwc)
    return unit(outputs[EMBEDDING]), outputs[BANDS][:, :, TOP_BAND:, 0]


def open_dlib() -> Embedder:
    """The embedding by dlib (King 2017) of (n, 150, 150, 3) RGB; ModelError if dlib or its network is not here."""
    try:
        import dlib
    except ImportError as error:
        raise ModelError("dlib, which runs this model, is not here.", "Run: pip install 'unmingle[dlib]'") from error
    network, lock = dlib.face_recognition_model_v1(str(model_file(DLIB))), Lock()

    def embed(cut_nhwc: U8) -> F32:
        with lock:
            return unit(np.array(network.compute_face_descriptor(list(np.ascontiguousarray(cut_nhwc))), np.float32))

    return embed


if __name__ == "__main__":
    try:
        open_alone(*sys.argv[1:])
    except ModelError as error:
        sys.stdout.write(json.dumps([error.problem, error.mend]))
