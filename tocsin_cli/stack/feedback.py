"""What people marked in Slack as not an alert: the lines, ready to become ``ignores`` of their signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.core.incidents.actions import ActionKind, ActionOutcome
from tocsin.core.incidents.incident import Incident
from tocsin.core.times import iso_time


def feedback(incidents: Iterable[Incident]) -> Iterator[dict[str, str]]:
    """One entry for each line that somebody marked.

    Args:
        incidents: With the record of what people did.

    Yields:
        ``{"signature", "line", "service", "who", "at", "incident"}``; the line is redacted, as it was shown.
    """
    for incident in incidents:
        for done in incident.record:
            if done.kind is not ActionKind.NOT_AN_ALERT or done.outcome is not ActionOutcome.DONE:
                continue
            alert = incident.alerts.get(done.fingerprint)
            if alert is not None and alert.sample:
                yield {
                    "signature": done.detail,
                    "line": alert.sample,
                    "service": incident.service,
                    "who": done.name,
                    "at": iso_time(done.at),
                    "incident": incident.id,
                }
