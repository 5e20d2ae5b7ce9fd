"""What must hold after a run, whatever went wrong in it: the invariants, asked of table, SNS, queues and Slack.

Nothing here knows which notifications a story makes: it compares what was logged with what was counted, what was
published with what was told, and each state in Slack with the one before it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from reliability.deployment import Deployment
from reliability.scenario import Story, is_stray_ok
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.serialization import load_incident
from tocsin.core.notifications.parsing import parse_notification
from tocsin.core.slack.messages import render_standalone, render_thread

TWICE = 2
MAY_BE_LEFT_OUT = {"update", "repeat"}
"""Reasons that only count on: a newer notification says it all, so that being overtaken loses nothing."""


@dataclass(slots=True)
class Verdict:
    """What a run came to.

    Attributes:
        broken: What does not hold, in words; empty when all is well.
        twice: How many messages stand in the channel twice.
        told_at: When each incident's first word and its last were in Slack, by service, in ms from the start.
        failure_queue: How many events or records were left to the failure queue.
    """

    broken: list[str] = field(default_factory=list)
    twice: int = 0
    told_at: dict[str, int] = field(default_factory=dict)
    failure_queue: int = 0


def judge(story: Story, *, most_told: int = TWICE) -> Verdict:
    """Ask everything that must hold once all is quiet.

    Args:
        story: What happened.
        most_told: How often a webhook may have posted one notification; twice is what one fault may cost. Above
            that nothing is asked about the order of its posts: what it took and said it had not is posted again
            after what it has taken since.
    """
    deployment, verdict = story.deployment, Verdict()
    incidents = stored_incidents(deployment)
    refused = Counter[tuple[str, str]]()
    for event in deployment.refused:
        held = [held for given, held in story.events if given == event]
        refused += held[0] if held else Counter()
    verdict.failure_queue = len(deployment.refused) + len(deployment.parked())
    _counted_once(story, incidents, refused, verdict)
    _all_told(deployment, incidents, verdict)
    _nothing_unfinished(deployment, verdict)
    if deployment.mode == "webhook":
        _told_by_webhook(deployment, verdict, most_told)
    else:
        _told_by_bot(deployment, verdict)
    verdict.broken += story.complaints()
    return verdict


def stored_incidents(deployment: Deployment) -> list[Incident]:
    """Every incident in the table, those that are over among them."""
    found = {}
    for item in deployment.items():
        if item["pk"].startswith("G#") and "doc" in item:
            incident = load_incident(item["doc"])
            current = item["sk"] == "CURRENT"
            if current or incident.id not in found:
                found[incident.id] = incident
    return list(found.values())


def _counted_once(
    story: Story, incidents: list[Incident], refused: Counter[tuple[str, str]], verdict: Verdict
) -> None:
    counted = Counter[tuple[str, str]]()
    for incident in incidents:
        for alert in incident.alerts.values():
            counted[incident.service, alert.signature] += alert.count
        if incident.omitted:
            counted[incident.service, "omitted"] += incident.omitted
    for key in set(counted) | set(story.logged):
        least, most = story.logged[key] - refused[key], story.logged[key]
        if not least <= counted[key] <= most:
            verdict.broken.append(f"{'/'.join(key)}: logged {most}, counted {counted[key]}")


def _all_told(deployment: Deployment, incidents: list[Incident], verdict: Verdict) -> None:
    """The newest notification of each incident tells all that was counted."""
    newest: dict[str, dict[str, Any]] = {}
    for notification in deployment.published():
        name = notification["incident"]["id"]
        if name not in newest or newest[name]["sequence"] < notification["sequence"]:
            newest[name] = notification
    for incident in incidents:
        told = newest.get(incident.id)
        if told is None:
            verdict.broken.append(f"incident {incident.id} of {incident.service} was never published")
        elif told["incident"]["count"] != incident.count:
            verdict.broken.append(
                f"{incident.service}: counted {incident.count}, told {told['incident']['count']}"
            )
        elif told["incident"]["status"] != ("resolved" if incident.resolved_at else "firing"):
            verdict.broken.append(f"{incident.service}: its end was not told")


def _nothing_unfinished(deployment: Deployment, verdict: Verdict) -> None:
    if deployment.waiting():
        verdict.broken.append(f"{deployment.waiting()} notifications still wait")
    for item in deployment.items():
        if "occurrence_count" in item and "grp" in item and not is_stray_ok(item):
            verdict.broken.append("a occurrence_count was never applied")
    for incident in stored_incidents(deployment):
        if incident.outbox:
            verdict.broken.append(f"{incident.service}: something is still to be published")


def _once_each(deployment: Deployment) -> dict[tuple[str, int], dict[str, Any]]:
    """The published notifications, each once, but for those that lie in the dead-letter queue."""
    dead = {(note["incident"]["id"], note["sequence"]) for note in deployment.dead()}
    found = {(note["incident"]["id"], note["sequence"]): note for note in deployment.published()}
    return {key: note for key, note in found.items() if key not in dead}


def _told_by_bot(deployment: Deployment, verdict: Verdict) -> None:
    notifications = _once_each(deployment)
    _never_edited_back(deployment, notifications, verdict)
    newest: dict[str, int] = {}
    for name, sequence in notifications:
        newest[name] = max(newest.get(name, 0), sequence)
    mains, replies = Counter[str](), Counter[tuple[str, int]]()
    for message in deployment.slack.messages():
        about = message["metadata"]["event_payload"] if message["metadata"] else {}
        if about.get("part") == "incident":
            mains[about["incident"]] += 1
            if about["sequence"] != newest.get(about["incident"]):
                verdict.broken.append(
                    f"{about['incident']} ends on {about['sequence']}, not on {newest.get(about['incident'])}"
                )
        elif about:
            replies[about["incident"], about["sequence"]] += 1
        else:
            verdict.broken.append(f"a message nobody ordered: {message['text'][:60]}")
    verdict.broken += [f"{name} has no message" for name in newest if not mains[name]]
    for key, note in notifications.items():
        wanted = (
            note["reason"] not in MAY_BE_LEFT_OUT
            and render_thread(parse_notification(json.dumps(note)), late=False) is not None
        )
        if wanted and not replies[key]:
            verdict.broken.append(f"{key[0]}: {note['reason']} has no reply")
    verdict.broken += [f"{key}: a reply nobody ordered" for key in set(replies) - set(notifications)]
    verdict.twice = sum(count - 1 for count in (*mains.values(), *replies.values()))
    if verdict.twice:
        verdict.broken.append(f"{verdict.twice} messages stand there twice")


def _never_edited_back(
    deployment: Deployment, notifications: dict[tuple[str, int], dict[str, Any]], verdict: Verdict
) -> None:
    """No message ever shows an older state than it did; and when each incident's beginning and end were told."""
    shown: dict[str, int] = {}
    for at, message in deployment.told:
        about = (message["metadata"] or {}).get("event_payload", {})
        if about.get("part") != "incident":
            continue
        before = shown.get(message["ts"], 0)
        if about["sequence"] < before:
            verdict.broken.append(f"{about['incident']}: {about['sequence']} was shown over {before}")
        shown[message["ts"]] = about["sequence"]
        if note := notifications.get((about["incident"], about["sequence"])):
            _note_time(note, at - deployment.began, verdict)


def _told_by_webhook(deployment: Deployment, verdict: Verdict, most_told: int) -> None:
    """A webhook's messages carry no metadata: they are known by being what a notification looks like."""
    notifications = _once_each(deployment)
    looks: dict[str, tuple[tuple[str, int], bool]] = {}
    for key, note in notifications.items():
        for late in (True, False):
            message = render_standalone(parse_notification(json.dumps(note)), late=late)
            looks[_look(message.text, message.blocks)] = looks[_look(message.plain, [])] = key, late
    told = Counter[tuple[str, int]]()
    newest: dict[str, int] = {}
    for at, message in deployment.told:
        key, late = looks.get(_look(message["text"], message["blocks"]), (None, False))
        if key is None:
            verdict.broken.append(f"a message nobody ordered: {message['text'][:60]}")
            continue
        note = notifications[key]
        older = key[1] < newest.get(key[0], 0) and not late and note["incident"]["status"] != "resolved"
        if older and most_told <= TWICE:
            verdict.broken.append(f"{key[0]}: {key[1]} was told after {newest[key[0]]} as if it were news")
        newest[key[0]] = max(newest.get(key[0], 0), key[1])
        told[key] += 1
        _note_time(note, at - deployment.began, verdict)
    for key, note in notifications.items():
        if not told[key] and note["reason"] not in MAY_BE_LEFT_OUT:
            verdict.broken.append(f"{key[0]}: {note['reason']} was not told")
        if told[key] > most_told:
            verdict.broken.append(f"{key[0]}: {note['reason']} was told {told[key]} times")
    verdict.twice = sum(count - 1 for count in told.values() if count > 1)


def _look(text: str, blocks: object) -> str:
    return json.dumps([text, blocks], sort_keys=True)


def _note_time(note: dict[str, Any], at: int, verdict: Verdict) -> None:
    """When a service was first heard of, and when its end was."""
    service, end = note["service"], note["incident"]["status"] == "resolved"
    key = f"{service} {'over' if end else 'begun'}"
    verdict.told_at.setdefault(key, at)
