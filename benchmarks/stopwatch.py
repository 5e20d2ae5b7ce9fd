"""Timing: the fastest of some runs is what a machine can do when nothing else disturbs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

BUDGET = 0.6
"""Seconds to spend on one figure, unless one run takes longer."""


def best_of(
    action: Callable[[], object],
    *,
    most: int = 15,
    budget: float = BUDGET,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The fastest of up to ``most`` runs, in milliseconds by a clock of seconds; fewer where they take long."""
    fastest, spent = float("inf"), 0.0
    for _ in range(most):
        start = clock()
        action()
        taken = clock() - start
        fastest, spent = min(fastest, taken), spent + taken
        if spent > budget:
            break
    return fastest * 1000


def once(action: Callable[[], object]) -> float:
    """One run, in milliseconds: for what happens once in a process's life."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def in_own_process(module: str, *arguments: str, python: Path = Path(sys.executable)) -> dict[str, Any]:
    """The JSON object that a module of benchmarks prints, run in a process whose peak of memory is its own.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    done = subprocess.run(
        [python, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'functions'}{os.pathsep}{ROOT}"},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
