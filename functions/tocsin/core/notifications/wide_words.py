"""What people read of a wide incident: which services, and what joins them."""

from __future__ import annotations

from tocsin.core.notifications.contract import Notification

_MAX_SHOWN = 20


def wide_words(notification: Notification) -> str:
    """One sentence on the wide incident that an incident leads or joined; empty for none."""
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
    if wide.lead != notification.incident.id:
        return f"One of {wide.service_count:,} services that fail at once: {joined_by}. It is told in the thread of the first."
    names = ", ".join(wide.services[:_MAX_SHOWN])
    more = wide.service_count - len(wide.services[:_MAX_SHOWN])
    listed = f"{names} and {more:,} more" if more > 0 else names
    return (
        f"{wide.service_count:,} services fail at once ({joined_by}): {listed}. Each is told in this thread."
    )
