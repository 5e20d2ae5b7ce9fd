"""What people read of a wide incident: which services, and what joins them."""

from __future__ import annotations

from enum import StrEnum

from tocsin.core.model import Reason
from tocsin.core.notifications.contract import Notification

_MAX_SHOWN = 20
"""Services named where each has a reply of its own in the thread; elsewhere all that the notification names are."""


class Medium(StrEnum):
    """Where it is read; the values say what becomes there of each service."""

    THREAD = "Each is announced in this thread."
    WEBHOOK = "Each says itself what is new in it, and when it is over."
    EMAIL = "Each has mails of its own."


def wide_words(notification: Notification, medium: Medium) -> str:
    """One or two sentences on the wide incident that an incident leads or joined; empty for none."""
    wide = notification.wide
    if wide is None:
        return ""
    same = [
        *(["signature"] if wide.signature else []),
        *(f"{name} {value}" for name, value in wide.shared.items()),
    ]
    joined_by = f"the same {' and '.join(same)}"
    if wide.route:
        joined_by += f", by group_by of {wide.route}"
    shown = wide.services[: _MAX_SHOWN if medium is Medium.THREAD else None]
    names = ", ".join(shown)
    more = wide.service_count - len(shown)
    listed = f"{names} and {more:,} more" if more > 0 else names
    leads = wide.lead == notification.incident.id
    if leads and notification.reason is Reason.RESOLVED:
        over = f"It is over in {notification.service}; each of the others says itself when it is."
        return f"{wide.service_count:,} services failed at once ({joined_by}): {listed}. {over}"
    if leads:
        return f"{wide.service_count:,} services fail at once ({joined_by}): {listed}. {medium.value}"
    if medium is Medium.THREAD:
        return f"One of {wide.service_count:,} services that fail at once: {joined_by}. It is announced in the thread of the first."
    return (
        f"One of {wide.service_count:,} services that fail at once ({joined_by}): {listed}. "
        f"The first is incident {wide.lead}, which lists those that join."
    )
