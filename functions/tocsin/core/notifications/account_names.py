"""Accounts by the names that the settings give them, beside their numbers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tocsin.core.notifications.contract import Notification, NotifiedAlert


def with_account_names(notification: Notification, names: Mapping[str, str]) -> Notification:
    """The notification with what its alerts' accounts are called.

    Args:
        notification: The contract.
        names: By the account's number.
    """
    if not any(alert.account in names for alert in notification.alerts):
        return notification
    alerts = (replace(alert, account_name=names.get(alert.account)) for alert in notification.alerts)
    return replace(notification, alerts=tuple(alerts))


def account_words(alert: NotifiedAlert) -> str:
    """The account for people: ``123456789012``, or ``shop-prod (123456789012)``; empty where it is not known."""
    return f"{alert.account_name} ({alert.account})" if alert.account_name else alert.account
