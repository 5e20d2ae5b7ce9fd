"""`engines`, `peers` and `grouping`, run by the Python of an environment that has the extra ``bench``.

The candidates stay out of the usual environment, so that nothing here or in the Lambda package comes to rely on one.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))
NAMES = ("engines", "peers", "grouping")


def measure() -> dict[str, Any]:
    """What each prints; ``skipped`` with the reason where there is no such environment."""
    if not PYTHON.exists():
        reason = f"there is no {PYTHON}; `make bench` makes it, if the candidates can be installed"
        return {name: {"skipped": reason} for name in NAMES}
    return {name: run(name) for name in NAMES}


def run(name: str) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(
        [PYTHON, "-m", f"benchmarks.{name}"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'functions'}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    if done.returncode:
        return {"skipped": (done.stderr.strip().splitlines() or ["it failed without a word"])[-1]}
    return json.loads(done.stdout)
