from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_whole_program(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="what builds the wheel is in the group lint")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    source, site = ROOT / "src" / "unmingle", tmp_path / "site" / "unmingle"
    files = (path for path in source.rglob("*") if path.is_file())
    there = {path.relative_to(source) for path in files if path.parent.name != "__pycache__"}
    assert there == {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    what = "import unmingle.review.app; print(unmingle.__file__)"
    env = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", what], cwd=tmp_path, env=env, check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()) == site / "__init__.py"
