"""Odd and damaged input of every kind: a part of what the benchmark makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MUTANTS = 45
FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are watched through /proc")
def test_no_mutant_ends_the_job_and_each_is_accounted_for() -> None:
    words = [sys.executable, str(FUZZ), "--mutants", str(MUTANTS), "--seed", "1", "--processes", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=500)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert result["faults"] == []
    assert done.returncode == 0
    assert sum(kind["mutants"] for kind in result["kinds"].values()) >= MUTANTS
    for kind in ("pictures", "sidecars", "tables", "recordings"):
        assert result["kinds"][kind]["read"] > 0
        assert result["kinds"][kind]["refused"] > 0
    assert result["kinds"]["names"]["read"] == result["kinds"]["names"]["mutants"]
