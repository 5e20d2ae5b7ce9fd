"""Every call of the scenario, each kind of fault, one run for each: what came of it."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from reliability.deployment import Deployment, Mode, simulated_aws
from reliability.faults import Call, Fault, Plan
from reliability.people import ACTS, PeopleStory
from reliability.permissions import Request
from reliability.scenario import SHORT, Story
from reliability.verdict import Verdict, judge

MODES: tuple[Mode, ...] = ("bot", "webhook")
"""How Slack is told."""

ALL_MODES: tuple[Mode, ...] = (*MODES, "people")
"""And with people who act, told by a bot."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One run to do: this fault, at this call.

    Attributes:
        mode: How Slack is told.
        number: Which call, in the order of the run without a fault.
        call: The call.
        fault: What happens to it.
    """

    mode: Mode
    number: int
    call: Call
    fault: Fault


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    Attributes:
        hit: The run.
        broken: What does not hold.
        twice: How many messages stand there twice.
        late: By how many ms the beginning or the end of an incident was told later than without the fault.
        asked: What IAM was asked.
    """

    hit: Hit
    broken: tuple[str, ...]
    twice: int
    late: int
    asked: frozenset[Request] = frozenset()


def calls_without_a_fault(mode: Mode) -> tuple[list[Call], Verdict]:
    """The scenario once, unharmed: every call that leaves the process, and what came of it."""
    story = _played(mode)
    return story.deployment.wire.plan.calls, judge(story)


def _played(mode: Mode, plan: Plan | None = None) -> Story:
    if mode == "people":
        story: Story = PeopleStory(Deployment(mode, plan, environment=ACTS))
    else:
        story = Story(Deployment(mode, plan, environment=SHORT))
    story.play()
    return story


def hits(mode: Mode, calls: list[Call]) -> list[Hit]:
    """Every fault at every call.

    A second delivery is about a whole invocation, so once for each is enough. How Slack is told is a matter of
    ``notify`` alone: what the other functions do is tried in one mode. Of the rounds of ``reconcile`` that
    only look and find nothing to do, one stands for all that follow it directly: nothing differs but the time.
    """
    idle = _idle_again(calls)
    return [
        Hit(mode, number, call, fault)
        for number, call in enumerate(calls)
        for fault in Fault
        if number not in idle and _is_tried(mode, call) and (fault is not Fault.REDELIVERED or call.opens)
    ]


def _is_tried(mode: Mode, call: Call) -> bool:
    """Whether a call is not one that another mode has tried already, in the same place of the story."""
    if mode == "people":
        return call.function in {"respond", "reconcile"} or call.about in {
            "unknown error",
            "when learning began",
        }
    return mode == MODES[0] or call.function == "notify"


def thinned(todo: list[Hit], most: int) -> list[Hit]:
    """So many runs at most of each kind of call and fault, spread over the scenario."""
    alike: dict[tuple[Mode, tuple[str, str], Fault], list[Hit]] = {}
    for hit in todo:
        alike.setdefault((hit.mode, hit.call.row, hit.fault), []).append(hit)
    chosen = {
        id(found[position * len(found) // min(most, len(found))])
        for found in alike.values()
        for position in range(min(most, len(found)))
    }
    return [hit for hit in todo if id(hit) in chosen]


def run(hit: Hit, unharmed: Verdict) -> Outcome:
    """The scenario once more, with one fault."""
    story = _played(hit.mode, Plan({hit.number: hit.fault}))
    verdict = judge(story)
    broken = list(verdict.broken)
    struck = story.deployment.wire.struck
    if struck != [(hit.call, hit.fault)]:
        broken.append(f"the fault struck {struck}, not {hit.call}")
    late = [at - unharmed.told_at[what] for what, at in verdict.told_at.items() if what in unharmed.told_at]
    return Outcome(hit, tuple(broken), verdict.twice, max(0, *late), frozenset(story.deployment.wire.asked))


def all_runs(todo: list[Hit], processes: int) -> Iterator[Outcome]:
    """Every run, so many at once, in order."""
    spawning = multiprocessing.get_context("spawn")  # a fork would take threads of the parent along half-way
    with ProcessPoolExecutor(processes, mp_context=spawning, initializer=_begin) as pool:
        yield from pool.map(_run, todo, chunksize=8)


_stack = ExitStack()
_unharmed: dict[Mode, Verdict] = {}


def _begin() -> None:
    _stack.enter_context(simulated_aws())
    _unharmed.update({mode: calls_without_a_fault(mode)[1] for mode in ALL_MODES})


def _run(hit: Hit) -> Outcome:
    return run(hit, _unharmed[hit.mode])


def _idle_again(calls: list[Call]) -> set[int]:
    """The calls of rounds that read only, and follow directly on a round that made the same calls."""
    rounds: list[list[int]] = []
    for number, call in enumerate(calls):
        if call.opens:
            rounds.append([])
        rounds[-1].append(number)
    idle: set[int] = set()
    for before, this in itertools.pairwise(rounds):
        names = [[calls[number].row for number in numbers] for numbers in (before, this)]
        if names[0] == names[1] and all(
            function == "reconcile" and any(word in what for word in ("Scan", "Query", "Get"))
            for function, what in names[1]
        ):
            idle.update(this)
    return idle
