"""Why a notification was sent, so that nobody has to guess: its reason, what was reached, what was kept back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tocsin.core.incidents.incident import Alert, Incident, Pending
from tocsin.core.incidents.test_mode import is_in_test_mode
from tocsin.core.model import AlertState, Reason
from tocsin.core.notifications.contract import Threshold, Why
from tocsin.core.signatures.signature import Signature
from tocsin.core.times import format_duration

NOVELTY = {
    Reason.OPENED: "new",
    Reason.NEW_ALERT: "new",
    Reason.REGRESSED: "regressed",
}
"""What a reason means for whoever asks "have I seen this before?"; the others repeat what is known."""


def why(
    incident: Incident,
    pending: Pending,
    main: Alert,
    listed: Sequence[Alert],
    signatures: Mapping[str, Signature],
) -> Why:
    """The part ``why`` of the contract.

    Args:
        incident: The incident.
        pending: The notification.
        main: The alert that it is about, the most important one.
        listed: All alerts that it tells of.
        signatures: By id.
    """
    rule = signatures.get(main.signature)
    threshold = rule.threshold if rule else None
    digest = pending.reason is Reason.DIGEST
    since = sum(max(0, alert.count - pending.notified_before.get(alert.fingerprint, 0)) for alert in listed)
    first = sum(1 for alert in listed if alert.fingerprint not in pending.notified_before and alert.count)
    return Why(
        text=_text(incident, pending, main, listed, rule),
        signature=main.signature,
        novelty=NOVELTY.get(pending.reason, "repeat"),
        threshold=Threshold(count=threshold.count, within_seconds=threshold.within / 1000)
        if threshold and not digest
        else None,
        total=sum(alert.count for alert in listed) + incident.omitted,
        # What was counted and got no message of its own: all of them but the first of each alert that is new here.
        suppressed=max(0, since - first),
    )


def _text(
    incident: Incident, pending: Pending, main: Alert, listed: Sequence[Alert], rule: Signature | None
) -> str:
    """One clause without log text."""
    match pending.reason:
        case Reason.OPENED | Reason.NEW_ALERT:
            if rule and rule.threshold:
                within = format_duration(rule.threshold.within)
                return f"new: reached {rule.threshold.count:,} within {within}"
            joined = "" if pending.reason is Reason.OPENED else ", in an open incident"
            what = "alarm" if main.origin.alarm else "absence" if main.origin.absence else "occurrence"
            more = len(pending.fingerprints) - 1
            others = f" and {more} more alert{'s' if more > 1 else ''}" if more > 0 else ""
            return f"new: the first {what} of {main.signature}{others}{joined}"
        case Reason.UPDATE:
            return _went_on(incident, pending)
        case Reason.REPEAT:
            return (
                f"reminder {incident.pace.repeats:,}: it still fires"
                if incident.pace.repeats > 1
                else "it still fires"
            )
        case Reason.REGRESSED:
            over = main.over_at
            after = f" {format_duration(max(0, main.last_seen - over))} after it was over" if over else ""
            return f"seen again{after}"
        case Reason.RESOLVED:
            return _ended(main, latest_round(listed, incident), rule)
        case Reason.SILENCE_EXPIRED:
            return pending.reason_detail or "a silence ended"
        case Reason.DIGEST:
            marked = any(alert.marked_by for alert in listed)
            what = (
                "marked as no alert, or counted without a message," if marked else "counted without a message"
            )
            return f"what was {what} since the last digest"


def _went_on(incident: Incident, pending: Pending) -> str:
    """What an update tells: the weightiest of what changed."""
    if pending.growing:
        return "a dead-letter queue grew"
    if pending.learned:
        return "it became known what changed before"
    about = [alert for alert in incident.alerts.values() if alert.fingerprint in pending.fingerprints]
    more = sum(max(0, alert.count - pending.notified_before.get(alert.fingerprint, 0)) for alert in about)
    over = [alert.signature for alert in about if alert.state is AlertState.RESOLVED]
    parts = [f"{more:,} more" if more else "", f"{', '.join(dict.fromkeys(over))} is over" if over else ""]
    muted = any(alert.silence for alert in about)
    return "; ".join(filter(None, parts)) or ("muted now" if muted else "counts or states changed")


def _ended(main: Alert, ended: Sequence[Alert], rule: Signature | None) -> str:
    """Why an incident is over: each kind of alert in it ends in a way of its own."""
    if is_in_test_mode(rule) and main.origin.is_stateful:
        return "its signature is in test mode now"
    ways = (
        ("quiet for long enough", any(not alert.origin.is_stateful for alert in ended)),
        ("the line is back", any(alert.origin.absence for alert in ended)),
        ("its alarm is OK again", any(alert.origin.alarm for alert in ended)),
    )
    return ", ".join(words for words, so in ways if so)


def latest_round(listed: Sequence[Alert], incident: Incident) -> Sequence[Alert]:
    """What was active since the incident last began: what was over long before does not give its name to this end."""
    began = incident.reopened_at or 0
    return [alert for alert in listed if max(alert.last_seen, alert.active_at) >= began] or listed
