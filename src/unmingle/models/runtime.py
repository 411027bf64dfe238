"""Run an ONNX graph: one `Session` protocol, two engines.

OpenVINO is the engine for processors, ONNX Runtime the one for NVIDIA cards (and the second opinion in the tests).
Both give the same numbers to float32 rounding, whatever way a batch is cut into pieces.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import platform
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from unmingle.errors import MissingExtraError, ModelError, SettingsError, WriteError
from unmingle.files import write_atomically
from unmingle.models.registry import cache_folder
from unmingle.records import F32
from unmingle.settings import EngineSettings, Precision

Arithmetic = Literal["f32", "bf16", "int8"]

# One thread per stream is best on few cores (no barrier inside a layer); past four, the memory of each stream's
# activations counts for more than the barriers.
MOST_STREAMS = 4
MOST_AT_ONCE = 32  # pictures in one request; more are no faster
# Numbers in one request: of 256×256 pixels two pictures, of 112×112 eight. What the layers of more say to each other no
# longer fits a core's cache, and each picture takes up to a fifth longer.
MOST_NUMBERS = 3 << 17
NATIVE = 1.3  # times the speed of float32: bf16 in hardware reaches 1.8 and more, emulated it stays below 1
ROUNDS = 9  # of 5 to 20 ms
KEPT_BYTES = 1 << 26  # a graph larger than this (VGG16) would fill the disk for a part of a second

_import_lock = threading.Lock()


class Session(Protocol):
    """A loaded graph. Calls are safe from several threads."""

    precision: Arithmetic  # of the arithmetic inside

    def __call__(self, batch: NDArray[Any]) -> dict[str, F32]:
        """Each output by its name, or names, of a batch for the only input, n pictures (or none) on its first axis.

        ValueError if the batch has another type or shape than the graph takes.
        """


def open_session(model: Path | bytes, settings: EngineSettings | None = None, *, quantised: bool = False) -> Session:
    """Load an ONNX graph, from its file or its bytes, that has one input, with the pictures on its first axis.

    The precision is of the arithmetic inside; the outputs are float32 always. quantised: whether the graph is one for
    int8.

    Raises:
        ModelError: the file is missing, isn't a graph the engine can read, or has not exactly one input.
        MissingExtraError: ONNX Runtime was asked for and is not installed.
        SettingsError: the engine or the graph can't be had in this precision.
    """
    settings = settings or EngineSettings()
    engine, precision = settings.engine, settings.precision
    if isinstance(model, Path) and not model.is_file():
        raise ModelError(f"There is no model file {model}.")
    cores = settings.threads or available_cores()
    if engine == "onnxruntime":
        return OnnxRuntimeSession(model, precision=precision, threads=cores)
    here = engine == "auto" and precision in {"auto", "f32"} and importlib.util.find_spec("onnxruntime") is not None
    if here and _card_offered(import_onnxruntime()):
        session = OnnxRuntimeSession(model, precision=precision, threads=cores, card=True)
        if session.on_card:
            return session
    if precision == "int8" and not quantised:
        raise SettingsError("Only SFace computes in int8.", "Use precision auto, bf16 or f32.")
    return OpenVinoSession(model, precision=precision, threads=cores)


def resolve_precision(precision: Precision) -> Arithmetic:
    """What "auto" means on this processor: bf16 where that is clearly faster than float32, else f32."""
    if precision == "auto":
        return "bf16" if bf16_speed(cache_folder() / "precision.json") >= NATIVE else "f32"
    return precision


@functools.cache
def bf16_speed(note: Path) -> float:
    """How many times as fast as float32 bf16 is here: measured once, and written down with the processor's name.

    OpenVINO offers bf16 also where the processor has no instructions for it, and is slower then.
    """
    openvino, core = import_openvino(), _core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return 0.0
    # Virtual machines share names; the host's tells one from the next.
    here = f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}, {platform.node()}, OpenVINO {openvino.__version__}"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["processor"] == here:
            return float(known["bf16_speed"])
    speed = _measured_speed(core)
    with contextlib.suppress(WriteError):  # then it is measured again
        write_atomically(note, json.dumps({"processor": here, "bf16_speed": speed}).encode())
    return speed


def _measured_speed(core: Any) -> float:
    """The best of some runs of a convolution in float32, in multiples of the best in bf16."""
    from onnx import TensorProto, helper, numpy_helper

    shape = (2, 64, 56, 56)
    weights = numpy_helper.from_array(np.ones((64, 64, 3, 3), np.float32), "weights")
    port = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    node = helper.make_node("Conv", ["x", "weights"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_model(helper.make_graph([node], "speed", port[:1], port[1:], [weights]))
    model = core.read_model(graph.SerializeToString())
    requests = {}
    for precision in ("f32", "bf16"):
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1}
        requests[precision] = core.compile_model(model, "CPU", options).create_infer_request()
    batch = np.ones(shape, np.float32)
    times: dict[str, list[float]] = {precision: [] for precision in requests}
    for _ in range(ROUNDS):  # in turns, so that a busy moment slows both
        for precision, request in requests.items():
            start = time.perf_counter()
            request.infer([batch])
            times[precision].append(time.perf_counter() - start)
    return min(times["f32"]) / min(times["bf16"])


def available_cores() -> int:
    """How many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def import_openvino() -> ModuleType:
    """OpenVINO without its telemetry; nothing else in unmingle may import it.

    `import openvino` alone imports its model converter, which starts `openvino_telemetry`: a background thread that
    looks up www.google-analytics.com and writes an identifier to ~/intel (seen with 2026.4). The converter has a stub
    for when the telemetry package is not there, so we make it look absent for as long as the import takes. The rest
    works as before, also for a caller who uses OpenVINO in the same process.
    """
    with _import_lock:
        hidden = "openvino_telemetry"
        if "openvino" in sys.modules or hidden in sys.modules:
            import openvino  # the caller imported it: what it sends then was the caller's choice

            return openvino  # type: ignore[no-any-return]
        sys.modules[hidden] = None  # type: ignore[assignment]  # Python's own way to say "not installed"
        try:
            import openvino
        finally:
            del sys.modules[hidden]
        return openvino  # type: ignore[no-any-return]


@functools.cache
def _core() -> Any:
    """OpenVINO's core, which is never let go."""
    # It gives its thread a stack for signals, and takes it away if it ends in another one: Ctrl+C would crash.
    return import_openvino().Core()


class _Engine:
    """What the two engines share: a batch goes in as the graph takes it, and what they raise comes out as one error."""

    _dtype: np.dtype[Any]
    _errors: tuple[type[Exception], ...] = (RuntimeError,)

    def __call__(self, batch: NDArray[Any]) -> dict[str, F32]:
        """Run the graph on a batch; see `Session`."""
        if len(batch) == 0:  # those of one blank picture, cut off, so that their other axes are right
            blank = self(np.zeros((1, *batch.shape[1:]), batch.dtype))
            return {name: value[:0] for name, value in blank.items()}
        if not np.can_cast(batch.dtype, self._dtype, casting="same_kind"):  # values would be cut (float to uint8)
            raise ValueError(f"the graph takes {self._dtype}, got {batch.dtype}")
        try:
            return self._outputs(np.ascontiguousarray(batch, self._dtype))
        except self._errors as error:
            raise ValueError(f"the graph can't run a batch of shape {batch.shape}: {error}") from error

    def _outputs(self, batch: NDArray[Any]) -> dict[str, F32]:
        raise NotImplementedError


class OpenVinoSession(_Engine):
    """A graph on the processor, through OpenVINO.

    A batch is cut into pieces that run on separate streams, one request to a worker thread, so that a plain call keeps
    all cores busy; a batch of one picture uses one stream. Shapes stay dynamic, and one that is new costs about 20 ms:
    so pieces are of powers of two, and callers should bring pictures to few heights and widths.
    """

    def __init__(self, model: Path | bytes, *, precision: Precision, threads: int) -> None:
        core = _core()
        self.precision: Arithmetic = resolve_precision(precision)
        self._streams = min(threads, MOST_STREAMS)
        options = {
            # Around what is quantised, whatever is fast.
            "INFERENCE_PRECISION_HINT": resolve_precision("auto") if precision == "int8" else self.precision,
            "NUM_STREAMS": self._streams,
            "INFERENCE_NUM_THREADS": threads,
        }
        if threads < available_cores():  # every process's are bound to the same first cores, while others rest
            options["ENABLE_CPU_PINNING"] = False
        try:
            if isinstance(model, bytes):
                graph = core.read_model(model)
                _check_inputs(model, [port.any_name for port in graph.inputs])
                # Names as the file has them: compiling may add aliases of its own to an output.
                self._names = [[port.any_name] for port in graph.outputs]
                self._compiled = core.compile_model(graph, "CPU", options)
            else:
                self._compiled = _compiled_once(core, model, options)
                _check_inputs(model, [port.any_name for port in self._compiled.inputs])
                self._names = [sorted(port.get_names()) for port in self._compiled.outputs]
        except RuntimeError as error:
            raise _unreadable(model, error) from error
        self._dtype = np.dtype(self._compiled.inputs[0].element_type.to_dtype())
        self._workers = ThreadPoolExecutor(self._streams, thread_name_prefix="openvino")
        self._own = threading.local()

    def _outputs(self, batch: NDArray[Any]) -> dict[str, F32]:
        ends = np.cumsum(_sizes(len(batch), self._streams, max(1, MOST_NUMBERS // max(1, batch[0].size))))
        results = list(self._workers.map(self._run, np.split(batch, ends[:-1])))
        outputs = [np.concatenate(parts) for parts in zip(*results, strict=True)]
        return {name: output for output, names in zip(outputs, self._names, strict=True) for name in names}

    def _run(self, piece: NDArray[Any]) -> list[F32]:
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self._compiled.create_infer_request()
        outputs = request.infer([piece], share_inputs=True)
        return [np.asarray(outputs[i], np.float32) for i in range(len(self._names))]


def _sizes(count: int, streams: int, most: int) -> list[int]:
    """Powers of two, the largest first, whose sum is a batch's length; where they can be, for all streams to work."""
    sizes = []
    most = 1 << most.bit_length() - 1
    largest = min(MOST_AT_ONCE, most, 1 << (-(-count // streams) - 1).bit_length())
    while count:
        while largest > count:
            largest //= 2
        sizes.append(largest)
        count -= largest
    return sizes


def _compiled_once(core: Any, model: Path, options: dict[str, Any]) -> Any:
    """The graph of a file; a prepared one is kept compiled: that takes a third of the time to open it again."""
    if model.parent == cache_folder() and model.stat().st_size <= KEPT_BYTES:
        # The cache may not be writable, or the model not be readable: then this raises, and what follows says why.
        with contextlib.suppress(RuntimeError):
            return core.compile_model(str(model), "CPU", options | {"CACHE_DIR": str(cache_folder() / "compiled")})
    return core.compile_model(str(model), "CPU", options)


class OnnxRuntimeSession(_Engine):
    """A graph through ONNX Runtime: on an NVIDIA card if `card`, else on the processor."""

    def __init__(self, model: Path | bytes, *, precision: Precision, threads: int, card: bool | None = None) -> None:
        if precision not in {"auto", "f32"}:
            raise SettingsError("ONNX Runtime computes in float32 only.", "Use precision f32 or auto, or OpenVINO.")
        self.precision: Arithmetic = "f32"
        onnxruntime = import_onnxruntime()
        # All that it raises; its errors have no base of their own.
        known = vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        own = [value for value in known if isinstance(value, type) and issubclass(value, Exception)]
        self._errors = (*own, RuntimeError)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors only: warnings would land on the caller's terminal
        if card is None:
            card = _card_offered(onnxruntime)
        # TF32 rounds the inputs of a product to 10 bits: wanted unless float32 was asked for by name.
        cuda = ("CUDAExecutionProvider", {"use_tf32": int(precision == "auto")})
        providers = [cuda, "CPUExecutionProvider"] if card else ["CPUExecutionProvider"]
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session = onnxruntime.InferenceSession(source, options, providers=providers)
        except self._errors as error:
            raise _unreadable(model, error) from error
        inputs = self._session.get_inputs()
        _check_inputs(model, [port.name for port in inputs])
        self._input = inputs[0].name
        inner = inputs[0].type.removeprefix("tensor(").removesuffix(")")  # as in "tensor(float)"
        self._dtype = np.dtype({"float": "float32", "double": "float64"}.get(inner, inner))
        self._names = [port.name for port in self._session.get_outputs()]

    @property
    def on_card(self) -> bool:
        """Whether an NVIDIA card really does the work; ONNX Runtime falls back to the processor in silence."""
        return "CUDAExecutionProvider" in self._session.get_providers()

    def _outputs(self, batch: NDArray[Any]) -> dict[str, F32]:
        outputs = self._session.run(self._names, {self._input: batch})
        return {name: np.asarray(value, np.float32) for name, value in zip(self._names, outputs, strict=True)}


def _card_offered(onnxruntime: ModuleType) -> bool:
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime without its telemetry; nothing else in unmingle may import it. MissingExtraError if it isn't there.

    Since 1.29 its Linux and macOS builds, too, have an uploader (a device identifier and a database in ~/.cache,
    made at the import, and https to mobile.events.data.microsoft.com). Only an environment variable read at that
    moment stops it: its name was ORT_TELEMETRY_DISABLED before the release and is ORT_DISABLE_TELEMETRY since.
    """
    os.environ.update(ORT_DISABLE_TELEMETRY="1", ORT_TELEMETRY_DISABLED="1")
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":  # installed but broken: say so as it is
            raise
        raise MissingExtraError("onnxruntime", "onnxruntime", "for --engine onnxruntime") from error
    onnxruntime.disable_telemetry_events()  # on Windows: events to the system's log
    return onnxruntime  # type: ignore[no-any-return]


def _check_inputs(model: Path | bytes, names: list[str]) -> None:
    if len(names) != 1:
        raise ModelError(f"{_name(model)} has {len(names)} inputs ({', '.join(names)}), expected one.")


def _unreadable(model: Path | bytes, error: Exception) -> ModelError:
    first_line = str(error).strip().partition("\n")[0]
    return ModelError(f"{_name(model)} can't be loaded: {first_line}", "Fetch it again, or check that it is ONNX.")


def _name(model: Path | bytes) -> str:
    return "The model" if isinstance(model, bytes) else str(model)
