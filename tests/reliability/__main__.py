"""Writes what faults, outages and storms lead to into ``docs/reliability.md``; ``make reliability`` runs it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from reliability.deployment import Mode, simulated_aws
from reliability.enumeration import (
    ALL_MODES,
    MODES,
    Hit,
    Outcome,
    all_runs,
    calls_without_a_fault,
    hits,
    thinned,
)
from reliability.page import meanings, rows, table, write
from reliability.permissions import record, recorded_requests
from reliability.storm import measured_storm

MILLION = 1_000_000


def main(arguments: list[str]) -> int:
    """Do every run, write the page; 1 if an invariant was broken."""
    parser = argparse.ArgumentParser(prog="python -m reliability", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="runs done at once")
    parser.add_argument("--most", type=int, help="runs of each kind of call and fault; all if not given")
    parser.add_argument("--occurrences", type=int, default=MILLION, help="in the storm")
    parser.add_argument("--only", choices=("faults", "storm"), help="one part of the page")
    parser.add_argument("--modes", nargs="+", choices=ALL_MODES, default=ALL_MODES, help="of the faults")
    given = parser.parse_args(arguments)
    broken = 0
    if given.only != "storm":
        told, acted = [mode for mode in given.modes if mode in MODES], "people" in given.modes
        broken = _faults(told, "summary", given.processes, given.most) if told else 0
        broken += _faults(["people"], "people-summary", given.processes, given.most) if acted else 0
    if given.only != "faults":
        _say(f"{given.occurrences:,} occurrences ...")
        report, complaints = measured_storm(given.occurrences)
        for complaint in complaints:
            _say(complaint)
        broken += len(complaints)
        write({"storm": report})
    return int(bool(broken))


def _faults(modes: Sequence[Mode], part: str, processes: int, most: int | None) -> int:
    began = time.monotonic()
    todo: list[Hit] = []
    listed: dict[str, int] = {}
    with simulated_aws():
        for mode in modes:
            calls, unharmed = calls_without_a_fault(mode)
            if unharmed.broken:
                _say(f"without any fault: {unharmed.broken}")
                return 1
            listed[mode] = len(calls)
            todo += hits(mode, calls)
    possible = len(todo)
    todo = todo if most is None else thinned(todo, most)
    outcomes: list[Outcome] = []
    for outcome in all_runs(todo, processes):
        outcomes.append(outcome)
        if outcome.broken:
            where = f"{outcome.hit.mode}, call {outcome.hit.number} {outcome.hit.call.row}"
            _say(f"{where}, {outcome.hit.fault}: {'; '.join(outcome.broken)}")
        if len(outcomes) % 100 == 0:
            _say(f"{len(outcomes)} of {len(todo)} runs, {time.monotonic() - began:.0f} s")
    broken = [outcome for outcome in outcomes if outcome.broken]
    twice = [outcome for outcome in outcomes if outcome.twice]
    late = max(outcomes, key=lambda outcome: outcome.late)
    words = {"bot": "with a bot token", "webhook": "with a webhook", "people": "where people act"}
    calls = " and ".join(f"{count} calls {words[mode]}" for mode, count in listed.items())
    doubled = " and ".join(
        f"{sum(outcome.hit.mode == mode for outcome in twice)} {words[mode]}" for mode in listed
    )
    summary = (
        f"The scenario makes {calls}. "
        f"{len(outcomes):,} runs of {possible:,} possible, one fault each: {len(broken)} broke an invariant; in "
        f"{doubled} something stands in the channel twice; the latest word came "
        f"{late.late // 1_000} s after it would have come without the fault.\n"
    )
    write(
        {
            "meanings": meanings(),
            part: summary,
            **{mode: table(rows(one for one in outcomes if one.hit.mode == mode)) for mode in modes},
        }
    )
    asked = {request for outcome in outcomes for request in outcome.asked}
    record(asked | recorded_requests() if "people" in modes else asked)
    _say(summary + f"{time.monotonic() - began:.0f} s")
    return len(broken)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
