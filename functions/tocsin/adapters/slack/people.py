"""Slack as it is asked while a person waits: dialogs, time zones, members of a group, answers to one person.

Scopes: ``users:read`` for time zones, ``usergroups:read`` where a group may act; dialogs and answers need none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from tocsin.adapters.slack.errors import PermanentDeliveryError
from tocsin.adapters.slack.http import call
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.core.model import Millis

TIMEOUT = (1.0, 1.2)
"""Seconds: Slack gives us three in all, and a dialog's trigger is good for no longer."""

ANSWERS = "hooks.slack.com"
"""The only host that answers to a person go to."""


class SlackPeople:
    """What is asked of Slack on behalf of a person.

    Args:
        token: The bot token.
        base_url: ``https://slack.com/api/``.
    """

    def __init__(self, token: str, base_url: str) -> None:
        self._bot = SlackBot(token, "", base_url, timeout=TIMEOUT)
        self._base_url = base_url

    def open_dialog(self, trigger: str, view: Mapping[str, Any]) -> None:
        """Show a dialog to who pressed.

        Raises:
            DeliveryError: It was not shown.
        """
        self._bot.ask("views.open", {"trigger_id": trigger, "view": view})

    def clock_offset(self, user: str) -> Millis:
        """How far a person's clock is ahead of UTC now, in milliseconds.

        Raises:
            DeliveryError: Slack does not say.
        """
        offset = (self._bot.ask("users.info", query={"user": user}).get("user") or {}).get("tz_offset")
        if not isinstance(offset, int) or abs(offset) > 15 * 3600:
            raise PermanentDeliveryError("users.info: no time zone")
        return offset * 1000

    def members(self, group: str) -> Sequence[str]:
        """The ids of a user group's members.

        Raises:
            DeliveryError: Slack does not say.
        """
        users = self._bot.ask("usergroups.users.list", query={"usergroup": group}).get("users")
        if not isinstance(users, list):
            raise PermanentDeliveryError("usergroups.users.list: no list")
        return [str(user) for user in users]

    def answer(self, response_url: str, text: str) -> None:
        """Say something to the person who pressed, and to nobody else.

        Raises:
            DeliveryError: It was not said.
        """
        answer_person(response_url, text, self._base_url)


def answer_person(response_url: str, text: str, base_url: str) -> None:
    """Post to a response address: only to Slack, or over plain HTTP to where the local Slack was said to be.

    Raises:
        DeliveryError: It was not said.
    """
    if not _is_slack(response_url, base_url):
        raise PermanentDeliveryError("response_url: not an address of Slack")
    said = {"response_type": "ephemeral", "replace_original": False, "text": text}
    with requests.Session() as session:
        response = call(session, "POST", response_url, what="response_url", payload=said, timeout=TIMEOUT)
    if response.status_code != HTTPStatus.OK:
        raise PermanentDeliveryError(f"response_url: HTTP {response.status_code}")


def _is_slack(url: str, base_url: str) -> bool:
    try:
        parts, base = urlsplit(url), urlsplit(base_url)
    except ValueError:
        return False
    local = base.scheme == "http" and (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
    return local or (parts.scheme == "https" and parts.netloc == ANSWERS)
