"""What a backtest found, as the JSON document that scripts read and the page and the terminal are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.inhibition import inhibitor
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.model import Millis
from tocsin.core.notifications.contract import Notification, document_of
from tocsin.core.signatures.signature import Signature
from tocsin.core.times import iso_time
from tocsin_cli.backtest.in_slack import slack_report
from tocsin_cli.simulation import Outcome

VERSION = "1"

Report = dict[str, Any]


def build_report(
    outcome: Outcome, config: Configuration, problems: Sequence[str] = (), mode: str = "bot"
) -> Report:
    """Write the document of ``tocsin backtest --json``; docs/backtest.md explains it.

    Args:
        outcome: What the simulation answered.
        config: The configuration it ran with.
        problems: What could not be read.
        mode: How Slack is spoken to, ``bot`` or ``webhook``.
    """
    sent: dict[str, list[Notification]] = {}
    for notification in outcome.notifications:
        sent.setdefault(notification.incident.id, []).append(notification)
    intervals = config.settings.intervals
    return {
        "version": VERSION,
        "lines": outcome.lines,
        "first_line": _time(outcome.first),
        "last_line": _time(outcome.last),
        "occurrences": sum(outcome.occurrences.values()),
        "messages": len(outcome.notifications),
        "digests": len(outcome.digests),
        "slack": slack_report(
            outcome.notifications,
            [each.id for each in outcome.notifications if outcome.is_after_end(each)],
            mode,
        ),
        "signatures": dict(outcome.occurrences.most_common()),
        "intervals": {
            name: getattr(intervals, name) / 1000
            for name in ("group_wait", "group_interval", "repeat_interval", "resolve_after")
        },
        "incidents": [
            _incident(incident, sent.get(incident.id, []), outcome, config.signatures)
            for incident in outcome.incidents
        ],
        "notifications": [document_of(notification) for notification in outcome.notifications],
        "minutes": {
            service: [[iso_time(minute), count] for minute, count in sorted(counts.items())]
            for service, counts in sorted(outcome.minutes.items())
        },
        "ignored": dict(outcome.ignored),
        "unexplained": outcome.unexplained.report(),
        "problems": list(problems),
    }


def compare(before: Outcome, after: Outcome, ref: str) -> Report:
    """Say what two versions of the configuration made of the same lines.

    Args:
        before: What the version of ``ref`` made of them.
        after: What the present one made of them.
        ref: The git reference.
    """
    ids = sorted(set(before.occurrences) | set(after.occurrences))
    old, new = Counter(map(_key, before.notifications)), Counter(map(_key, after.notifications))
    return {
        "ref": ref,
        "messages": {"before": len(before.notifications), "after": len(after.notifications)},
        "signatures": {
            name: {"before": before.occurrences[name], "after": after.occurrences[name]}
            for name in ids
            if before.occurrences[name] != after.occurrences[name]
        },
        "only_before": [_said(key) for key in sorted((old - new).elements())],
        "only_after": [_said(key) for key in sorted((new - old).elements())],
    }


_Key = tuple[str, str, str, str, tuple[str, ...]]


def _key(notification: Notification) -> _Key:
    """What makes two notifications the same to the people who read them."""
    about = tuple(sorted({alert.signature for alert in notification.alerts if alert.changed}))
    return notification.at, notification.service, notification.reason, notification.title, about


def _said(key: _Key) -> Report:
    return dict(
        zip(("at", "service", "reason", "title", "signatures"), (*key[:4], list(key[4])), strict=True)
    )


def _incident(
    incident: Incident, sent: Sequence[Notification], outcome: Outcome, signatures: Mapping[str, Signature]
) -> Report:
    return {
        "id": incident.id,
        "service": incident.service,
        "title": sent[0].title if sent else None,
        "severity": min((n.severity for n in sent), key=_rank) if sent else None,
        "opened_at": iso_time(incident.opened_at),
        "resolved_at": _time(incident.resolved_at),
        "count": incident.count,
        "omitted": incident.omitted,
        "alerts": [_alert(alert, incident, signatures) for alert in incident.alerts.values()],
        "notifications": [
            {
                "sequence": notification.sequence,
                "reason": notification.reason,
                "at": notification.at,
                "count": notification.incident.count,
                "signatures": sorted({a.signature for a in notification.alerts if a.changed}),
                "after_end": outcome.is_after_end(notification),
            }
            for notification in sent
        ],
    }


def _alert(alert: Alert, incident: Incident, signatures: Mapping[str, Signature]) -> Report:
    rule = with_unknown_error(signatures)[alert.signature]
    return {
        "fingerprint": alert.fingerprint,
        "signature": alert.signature,
        "title": rule.title,
        "severity": rule.severity.value,
        "status": rule.status.value,
        "fields": dict(alert.fields),
        "count": alert.count,
        "first_seen": iso_time(alert.first_seen),
        "last_seen": iso_time(alert.last_seen),
        "announced": alert.announced,
        "inhibited_by": inhibitor(incident, alert, signatures),
        "log_group": alert.origin.log_group,
        "log_stream": alert.origin.log_stream,
        "sample": alert.sample,
    }


def _rank(severity: str) -> int:
    return ("critical", "high", "medium", "low").index(severity)


def _time(at: Millis | None) -> str | None:
    return None if at is None else iso_time(at)
