"""Several incidents at once: what is of one incident goes one after the other, in a lane; the lanes go side by side.

Incidents have nothing to do with each other, so a slow one need not keep the next waiting. Within an incident order
counts, and the lease on it (``delivery``) would send away whoever came second. An incident that joined a wide one is
told in the thread of the one that leads: where both are in the batch, the one that leads goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass

from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.notifications.queue_message import QueueMessage
from tocsin.core.signatures.heartbeat import Heartbeat


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a batch, read.

    Attributes:
        message: As the queue gave it.
        content: What is in it; the error where it cannot be read.
    """

    message: QueueMessage
    content: Notification | Heartbeat | Exception


@dataclass(slots=True)
class Lane:
    """Messages that are worked on one after the other.

    Attributes:
        items: In their order.
        rank: How urgent they are; 0 is the most.
        after: The incident whose lane goes first; empty for none.
    """

    items: list[Item]
    rank: tuple[int, int]
    after: str = ""


def lanes_of(items: Sequence[Item]) -> dict[str, Lane]:
    """The lanes of a batch by incident, the most severe first, of two as severe the one that waits longer.

    What is about no incident (a heartbeat, what cannot be read) has a lane of its own, before all others: it is quick.
    """
    lanes: dict[str, Lane] = {}
    leads: dict[str, str] = {}
    for number, item in enumerate(items):
        if not isinstance(item.content, Notification):
            lanes[f"#{number}"] = Lane([item], (-1, number))
            continue
        about = item.content
        name, rank = about.incident.id, (about.severity.rank, millis_of(about.at))
        lane = lanes.setdefault(name, Lane([], rank))
        lane.items.append(item)
        lane.rank = min(lane.rank, rank)
        if about.wide is not None and about.wide.lead != name:
            leads[name] = about.wide.lead
    for name, lead in leads.items():
        if lead in lanes and lead not in leads:
            lanes[name].after = lead
            lanes[lead].rank = min(lanes[lead].rank, lanes[name].rank)
    for lane in lanes.values():
        lane.items.sort(key=_sequence)
    return dict(sorted(lanes.items(), key=lambda named: named[1].rank))


def work_through(lanes: dict[str, Lane], work: Callable[[Item], None], pool: Executor | None) -> None:
    """Work on every item: lanes side by side as far as the pool has room, in their order; without a pool in turn.

    Args:
        lanes: By name, the most urgent first.
        work: What is done with an item; it raises nothing.
        pool: What runs lanes. One that cannot run any more is done without.
    """
    waiting = dict(lanes)
    running: dict[Future[None], str] = {}

    def run(lane: Lane) -> None:
        for item in lane.items:
            work(item)

    def begin(after: str) -> None:
        for name in [name for name, lane in waiting.items() if lane.after == after]:
            lane = waiting.pop(name)
            if pool is not None and len(lanes) > 1:
                try:
                    running[pool.submit(run, lane)] = name
                except RuntimeError:  # no thread can be started
                    pass
                else:
                    continue
            run(lane)
            begin(name)

    begin("")
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            future.result()
            begin(name)


def _sequence(item: Item) -> int:
    return item.content.sequence if isinstance(item.content, Notification) else 0
