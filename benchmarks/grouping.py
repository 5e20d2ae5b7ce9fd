"""Grouping accuracy of templates, beside Drain3: ``python -m benchmarks.grouping`` prints JSON.

The share of lines whose predicted group holds exactly the lines of their true group (Zhu et al., "Tools and Benchmarks
for Automated Log Parsing", 2019), on loghub's labelled files of 2,000 lines (github.com/logpai/loghub). Their terms allow
research use, so the lines are not in this repository: ``TOCSIN_LOGHUB`` names a folder with a file ``NAME.jsonl`` for
each, one object a line with ``message`` (without its header) and ``event`` (the true template's id).

Drain3 is measured where it is installed (extra ``bench``); ``make bench`` therefore runs this with the other environment.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import elsewhere
from tocsin.core.matching.error_masking import error_template

FOLDER = "TOCSIN_LOGHUB"


def accuracy(predicted: Sequence[Hashable], true: Sequence[Hashable]) -> float:
    """The share of lines in a group that holds exactly the lines of their true group."""
    groups, truth = _places(predicted), _places(true)
    right = [group for group in groups.values() if group == truth[true[group[0]]]]
    return sum(map(len, right)) / len(true)


def _places(names: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        found[name].append(place)
    return found


def tocsin(messages: Sequence[str]) -> Sequence[Hashable]:
    return [error_template(message) for message in messages]


def drain3() -> Callable[[Sequence[str]], Sequence[Hashable]] | None:
    """Drain3 with its defaults; None where it is not installed (extra ``bench``)."""
    if importlib.util.find_spec("drain3") is None:
        return None
    module: Any = importlib.import_module("drain3")

    def run(messages: Sequence[str]) -> Sequence[Hashable]:
        miner = module.TemplateMiner()
        return [miner.add_log_message(message)["cluster_id"] for message in messages]

    return run


def labelled_files() -> dict[str, list[dict[str, str]]]:
    """The lines of each of loghub's files, by its name; none where the environment names no folder with them."""
    named = os.environ.get(FOLDER, "")
    return {
        file.stem: [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for file in (sorted(Path(named).glob("*.jsonl")) if named else [])
    }


def compare() -> dict[str, Any]:
    """Accuracy by file and way, and the means; ``skipped`` with the reason where there are no files."""
    named = os.environ.get(FOLDER, "")
    files = labelled_files()
    if not files:
        where = f"no *.jsonl in {named}" if named else f"{FOLDER} is not set"
        return {"skipped": f"{where}: it names a folder with loghub's labelled lines"}
    ways = {"Tocsin": tocsin}
    if other := drain3():
        ways["Drain3, defaults"] = other
    by_file: dict[str, dict[str, float]] = {}
    for name, rows in files.items():
        messages, events = [row["message"] for row in rows], [row["event"] for row in rows]
        by_file[name] = {label: accuracy(way(messages), events) for label, way in ways.items()}
    means = {name: sum(each[name] for each in by_file.values()) / len(by_file) for name in ways}
    return {"files": by_file, "means": means}


def measure() -> dict[str, Any]:
    """What ``compare`` says: in the environment with Drain3 where there is one, else here and without it."""
    found = elsewhere("benchmarks.grouping")
    return {"grouping": compare() if "skipped" in found else found}


if __name__ == "__main__":
    print(json.dumps(compare()))
