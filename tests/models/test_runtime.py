"""One conformance suite for both engines, on a tiny graph made here."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from unmingle.errors import MissingExtraError, ModelError, SettingsError
from unmingle.models import runtime
from unmingle.models.runtime import OpenVinoSession, Session, available_cores, open_session, resolve_precision
from unmingle.settings import Engine, EngineSettings, Precision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    F32 = NDArray[np.float32]

ENGINES: tuple[Engine, ...] = ("openvino", "onnxruntime")
RNG = np.random.default_rng(5)
KERNEL = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
DENSE = RNG.normal(size=(4, 6)).astype(np.float32)


def graph_bytes(*, element: int = TensorProto.FLOAT, second_input: bool = False) -> bytes:
    """A convolution ("map"), its mean over the picture ("mean") and a dense layer on that ("out"), any n, h, w."""
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["float", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["map"]),
        helper.make_node("ReduceMean", ["map"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "dense"], ["out"]),
    ]
    inputs = [helper.make_tensor_value_info("x", element, ["n", 3, "h", "w"])]
    if second_input:
        inputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"]))
        nodes.append(helper.make_node("Identity", ["y"], ["z"]))
    outputs = [
        helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 6]),
        helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 4]),
        helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", 4, "h", "w"]),
    ]
    if second_input:
        outputs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n"]))
    weights = [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(DENSE, "dense")]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def expected(batch: NDArray[Any]) -> dict[str, F32]:
    """The same in NumPy."""
    padded = np.pad(batch.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    feature_map = np.maximum(np.einsum("nchwij,ocij->nohw", windows, KERNEL), 0)
    mean = feature_map.mean(axis=(2, 3))
    exact = {"out": mean @ DENSE, "mean": mean, "map": feature_map}
    return {name: value.astype(np.float32) for name, value in exact.items()}


def pictures(n: int, height: int = 9, width: int = 7, seed: int = 1) -> F32:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3, height, width)).astype(np.float32)


def assert_same(have: dict[str, F32], want: dict[str, F32]) -> None:
    assert list(have) == list(want)
    for name, value in want.items():
        assert have[name].dtype == np.float32
        assert have[name].shape == value.shape
        np.testing.assert_allclose(have[name], value, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def session(engine: Engine) -> Session:
    return open_session(graph_bytes(), EngineSettings(engine=engine, precision="f32", threads=2))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17])
def test_any_batch_gives_outputs_by_name_in_order(session: Session, n: int) -> None:
    batch = pictures(n)
    assert_same(session(batch), expected(batch))


def test_sizes_may_vary_from_call_to_call(session: Session) -> None:
    for height, width in [(9, 7), (32, 32), (1, 5), (9, 7)]:
        batch = pictures(3, height, width)
        assert_same(session(batch), expected(batch))


def test_a_batch_gives_the_same_as_its_pictures_alone(session: Session) -> None:
    batch = pictures(5)
    together = session(batch)
    for i, picture in enumerate(batch):
        alone = session(picture[None])
        for name, value in together.items():
            np.testing.assert_allclose(alone[name][0], value[i], rtol=1e-5, atol=1e-6)


def test_results_are_the_callers_own(session: Session) -> None:
    first_batch, second_batch = pictures(2, seed=1), pictures(2, seed=2)
    first = session(first_batch)
    session(second_batch)
    assert_same(first, expected(first_batch))


def test_strided_and_wider_types_are_taken(session: Session) -> None:
    batch = pictures(4)[::-1, :, :, ::-1]
    assert_same(session(batch), expected(batch))
    assert_same(session(batch.astype(np.float64)), expected(batch))


def test_integers_go_into_a_float_graph(session: Session) -> None:
    batch = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    assert session(batch)["mean"] == pytest.approx(expected(batch)["mean"], rel=1e-5)


def test_bytes_graph_refuses_floats_that_it_would_cut(engine: Engine) -> None:
    session = open_session(graph_bytes(element=TensorProto.UINT8), EngineSettings(engine=engine, precision="f32"))
    batch = RNG.integers(0, 256, (2, 3, 5, 5), dtype=np.uint8)
    assert session(batch)["out"] == pytest.approx(expected(batch)["out"], rel=1e-4)
    with pytest.raises(ValueError, match="takes uint8, got float32"):
        session(batch.astype(np.float32))


def test_wrong_shape_is_a_value_error(session: Session) -> None:
    with pytest.raises(ValueError, match=r"\(2, 5, 9, 7\)"):
        session(np.zeros((2, 5, 9, 7), np.float32))


def test_many_threads_share_one_session(session: Session) -> None:
    wrong: list[int] = []

    def work(seed: int) -> None:
        for step in range(20):
            batch = pictures(1 + (seed + step) % 5, seed=seed * 100 + step)
            have, want = session(batch), expected(batch)
            if not all(np.allclose(have[name], want[name], atol=1e-5) for name in want):
                wrong.append(seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_from_a_file(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "modèle 1.onnx"
    file.write_bytes(graph_bytes())
    batch = pictures(2)
    assert_same(open_session(file, EngineSettings(engine=engine, precision="f32"))(batch), expected(batch))


def test_missing_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        open_session(tmp_path / "none.onnx", EngineSettings(engine=engine))


def test_a_compiled_graph_is_kept_and_its_damage_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMINGLE_CACHE", str(tmp_path))
    file = tmp_path / "tiny.onnx"
    file.write_bytes(graph_bytes())
    batch = pictures(3, 16, 16)
    for damage in (None, b"", b"no compiled graph", "half"):
        for kept in (tmp_path / "compiled").glob("*"):
            content = kept.read_bytes()
            kept.chmod(0o600)
            if damage is not None:
                kept.write_bytes(content[: len(content) // 2] if isinstance(damage, str) else damage)
        assert_same(open_session(file, EngineSettings(engine="openvino", precision="f32"))(batch), expected(batch))
        assert list((tmp_path / "compiled").iterdir())
    for kept in (tmp_path / "compiled").glob("*"):
        kept.unlink()
    (tmp_path / "compiled").rmdir()
    (tmp_path / "compiled").write_bytes(b"no folder")
    assert_same(open_session(file, EngineSettings(engine="openvino", precision="f32"))(batch), expected(batch))
    monkeypatch.setattr(runtime, "KEPT_BYTES", 10)
    (tmp_path / "compiled").unlink()
    assert_same(open_session(file, EngineSettings(engine="openvino", precision="f32"))(batch), expected(batch))
    assert not (tmp_path / "compiled").exists()


def test_damaged_file(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "damaged.onnx"
    file.write_bytes(b"this is not a graph")
    with pytest.raises(ModelError, match=r"damaged\.onnx can't be loaded"):
        open_session(file, EngineSettings(engine=engine))
    with pytest.raises(ModelError, match="The model can't be loaded"):
        open_session(graph_bytes()[:100], EngineSettings(engine=engine))


def test_two_inputs_are_refused(engine: Engine) -> None:
    with pytest.raises(ModelError, match=r"2 inputs \(x, y\)"):
        open_session(graph_bytes(second_input=True), EngineSettings(engine=engine))


@pytest.mark.skipif(available_cores() < 2, reason="needs two cores")
def test_one_thread_may_run_on_any_core() -> None:
    # Bound to a core, those of all workers of a machine would be bound to the same one.
    session = open_session(graph_bytes(), EngineSettings(engine="openvino", precision="f32", threads=1))
    assert isinstance(session, OpenVinoSession)
    assert not session._compiled.get_property("ENABLE_CPU_PINNING")


def test_negative_threads_are_refused() -> None:
    with pytest.raises(SettingsError, match="threads is -1"):
        open_session(graph_bytes(), EngineSettings(threads=-1))


def test_auto_engine_runs_here() -> None:
    batch = pictures(3)
    assert_same(open_session(graph_bytes(), EngineSettings(precision="f32"))(batch), expected(batch))


def test_bf16_is_near_but_rounded() -> None:
    batch = pictures(4, 32, 32)
    exact = expected(batch)["map"]
    rounded = open_session(graph_bytes(), EngineSettings(engine="openvino", precision="bf16"))(batch)["map"]
    cosine = (exact * rounded).sum() / np.linalg.norm(exact) / np.linalg.norm(rounded)
    assert cosine > 0.9995


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_onnxruntime_has_float32_only(precision: Precision) -> None:
    with pytest.raises(SettingsError, match="float32 only"):
        open_session(graph_bytes(), EngineSettings(engine="onnxruntime", precision=precision))


def test_a_graph_that_is_not_quantised_has_no_int8() -> None:
    with pytest.raises(SettingsError, match="Only SFace computes in int8"):
        open_session(graph_bytes(), EngineSettings(precision="int8"))


def test_named_precision_stays() -> None:
    assert resolve_precision("f32") == "f32"
    assert resolve_precision("bf16") == "bf16"
    assert resolve_precision("int8") == "int8"


@pytest.fixture
def note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("UNMINGLE_CACHE", str(tmp_path))
    runtime.bf16_speed.cache_clear()
    yield tmp_path / "precision.json"
    runtime.bf16_speed.cache_clear()


def test_auto_precision_is_what_was_measured_here(note: Path) -> None:
    first = resolve_precision("auto")
    if not note.exists():
        pytest.skip("the engine has no bf16 on this processor")
    known = json.loads(note.read_text())
    assert first == ("bf16" if known["bf16_speed"] >= runtime.NATIVE else "f32")
    assert open_session(graph_bytes(), EngineSettings(engine="openvino")).precision == first
    for speed, precision in ((9.0, "bf16"), (0.9, "f32")):
        note.write_text(json.dumps(known | {"bf16_speed": speed}))
        runtime.bf16_speed.cache_clear()
        assert resolve_precision("auto") == precision


@pytest.mark.parametrize("damaged", ["", "[]", "{", '{"processor": "another", "bf16_speed": 0}'])
def test_what_was_measured_elsewhere_is_measured_again(note: Path, damaged: str) -> None:
    note.write_text(damaged)
    speed = runtime.bf16_speed(note)
    if not speed:
        pytest.skip("the engine has no bf16 on this processor")
    assert json.loads(note.read_text())["bf16_speed"] == speed > 0


def test_a_cache_that_cannot_be_written_is_no_problem(note: Path) -> None:
    note.mkdir()
    assert resolve_precision("auto") in ("f32", "bf16")


def test_onnxruntime_says_that_it_computes_in_float32() -> None:
    assert open_session(graph_bytes(), EngineSettings(engine="onnxruntime")).precision == "f32"


def test_missing_onnxruntime_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'unmingle\[onnxruntime\]'"):
        open_session(graph_bytes(), EngineSettings(engine="onnxruntime"))


NO_NETWORK = """
import sys
def watch(event, args):
    if event.startswith("socket."):
        raise SystemExit(f"{event} {args}")
sys.addaudithook(watch)
import numpy as np
from unmingle.models.runtime import open_session
from unmingle.settings import EngineSettings
from pathlib import Path
for engine in ("openvino", "onnxruntime"):
    open_session(Path(sys.argv[1]), EngineSettings(engine=engine))(np.zeros((1, 3, 5, 5), np.float32))
loaded = [name for name in sys.modules if name.split(".")[0] == "openvino_telemetry"]
import time
time.sleep(0.3)  # a telemetry thread would have started by now
import threading
print(loaded, [t.name for t in threading.enumerate() if not t.name.startswith(("MainThread", "openvino"))])
"""


def test_no_telemetry_and_no_socket(tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(graph_bytes())
    home = tmp_path / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(home), "USERPROFILE": str(home), "CI": "", "UNMINGLE_CACHE": str(tmp_path)},
    )
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "[] []", "")
    assert list(home.iterdir()) == []


CTRL_C = """
import signal, sys, threading
from pathlib import Path
from unmingle.models.runtime import open_session
from unmingle.settings import EngineSettings
held = [open_session(Path(sys.argv[1]), EngineSettings(engine="openvino"))]
thread = threading.Thread(target=held.clear)
thread.start()
thread.join()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""


def test_ctrl_c_does_not_crash_after_a_network_was_let_go_in_another_thread(tmp_path: Path) -> None:
    file = tmp_path / "tiny.onnx"
    file.write_bytes(graph_bytes())
    words = [sys.executable, "-c", CTRL_C, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n")
