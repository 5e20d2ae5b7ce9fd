"""Slack by an incoming webhook: it posts, and that is all it can.

It answers ``ok`` or a plain-text code and no ``ts``: nothing can be edited, answered or found again.
Source: api.slack.com changelog, May 2016, "Changes to errors for incoming webhooks".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests

from tocsin.adapters.slack.errors import (
    BlocksRefusedError,
    CredentialRefusedError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from tocsin.adapters.slack.http import call

_WHAT = "webhook"
_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "invalid_payload"}


class SlackWebhook:
    """One incoming webhook.

    Args:
        url: Its address, which is its secret.
        session: What holds connections.
    """

    def __init__(self, url: str, session: requests.Session | None = None) -> None:
        self._url = url
        self._session = session or requests.Session()

    def post(self, said: Mapping[str, Any]) -> None:
        """Post a message: ``text``, ``blocks``, ``mrkdwn``, as Slack takes them.

        Raises:
            RetryableDeliveryError: It may work later.
            CredentialRefusedError: The webhook is not known, switched off, or its channel is gone.
            BlocksRefusedError: The blocks are not accepted; a webhook does not say why.
            PermanentDeliveryError: Anything else Slack refuses.
        """
        payload = {**said, "unfurl_links": False, "unfurl_media": False}
        response = call(self._session, "POST", self._url, what=_WHAT, payload=payload)
        code = response.text[:80].strip()
        if response.status_code == HTTPStatus.OK:
            if code == "ok":
                return
            raise RetryableDeliveryError(f"{_WHAT}: the answer is not Slack's ok", ambiguous=True)
        shown = code if re.fullmatch(r"[a-z0-9_]+", code) else f"HTTP {response.status_code}"
        if code in _BLOCKS:
            raise BlocksRefusedError(f"{_WHAT}: {shown}")
        if response.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise CredentialRefusedError(f"{_WHAT}: {shown}")
        raise PermanentDeliveryError(f"{_WHAT}: {shown}")
