"""Timing: the fastest of some runs is what a machine can do when nothing else disturbs it."""

from __future__ import annotations

import time
from collections.abc import Callable

BUDGET = 0.6
"""Seconds to spend on one figure, unless one run takes longer."""


def best_of(action: Callable[[], object], *, most: int = 15, budget: float = BUDGET) -> float:
    """The fastest of up to ``most`` runs, in milliseconds; fewer where they take long."""
    fastest, spent = float("inf"), 0.0
    for _ in range(most):
        start = time.perf_counter()
        action()
        taken = time.perf_counter() - start
        fastest, spent = min(fastest, taken), spent + taken
        if spent > budget:
            break
    return fastest * 1000


def once(action: Callable[[], object]) -> float:
    """One run, in milliseconds: for what happens once in a process's life."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000
