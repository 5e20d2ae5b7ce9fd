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
    return best_in_turn(action, most=most, budget=budget, clock=clock)[0]


def best_in_turn(
    *actions: Callable[[], object],
    most: int = 15,
    budget: float = BUDGET,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """The same of several that are compared, each after the other, so that what disturbs the machine hits all alike.

    Args:
        actions: What is run.
        most: Runs of each at most.
        budget: Seconds for each.
        clock: Says the time in seconds.
    """
    fastest, begun = [float("inf")] * len(actions), clock()
    for _ in range(most):
        for place, action in enumerate(actions):
            start = clock()
            action()
            fastest[place] = min(fastest[place], clock() - start)
        if clock() - begun > budget * len(actions):
            break
    return [each * 1000 for each in fastest]


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
