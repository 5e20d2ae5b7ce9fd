"""The Slack credential, from Secrets Manager; which of two shapes it has decides how Slack is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tocsin.adapters.slack.errors import CredentialRefusedError, RetryableDeliveryError
from tocsin.core.model import Millis

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT: Millis = 5 * 60_000
"""How long a credential is used before the secret is read again."""

SHAPES = (
    '{"webhook_url": "https://hooks.slack.com/services/..."} or {"bot_token": "xoxb-...", "channel": "C..."}'
)
SIGNING_SHAPE = '"signing_secret": "...", "app_id": "A...", "team_id": "T..."'
"""What the secret of a bot holds besides, so that people can act from Slack."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Errors a person must fix; anything else may pass by itself.
_LASTING = {
    "ResourceNotFoundException": "there is no such secret",
    "InvalidRequestException": "it cannot be read: it is marked for deletion or has no value",
    "AccessDeniedException": "this function may not read it",
    "DecryptionFailure": "its key cannot decrypt it",
    "InvalidParameterException": "its name is not valid",
    "ValidationException": "its name is not valid",
}


@dataclass(frozen=True, slots=True)
class WebhookCredential:
    """An incoming webhook's address."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BotCredential:
    """A bot token and the channel it posts to; with all three of the rest, people can act there."""

    token: str = field(repr=False)
    channel: str
    signing_secret: str = field(repr=False, default="")
    app_id: str = ""
    team_id: str = ""

    @property
    def acts(self) -> bool:
        """Whether it says how to know a request from Slack."""
        return bool(self.signing_secret and self.app_id and self.team_id)


Credential = WebhookCredential | BotCredential


class SlackSecret:
    """The secret, read when needed and kept for five minutes; by one thread for all that ask meanwhile.

    Args:
        name: The secret's name or ARN. client: A Secrets Manager client. api_url: The base address of
        Slack's API; over plain HTTP a webhook may only be on this host or this machine.
    """

    def __init__(self, name: str, client: SecretsManagerClient, api_url: str) -> None:
        self._name, self._client, self._api_url = name, client, api_url
        self._kept: tuple[Credential, Millis] | None = None
        self._lock = threading.Lock()

    def credential(self, now: Millis, *, fresh: bool = False) -> Credential:
        """The credential; with ``fresh`` as it is in Secrets Manager this moment.

        Raises:
            CredentialRefusedError: The secret is missing, unreadable or of another shape; says which.
            RetryableDeliveryError: Secrets Manager does not answer.
        """
        with self._lock:
            if self._kept and not fresh and 0 <= now - self._kept[1] < KEPT:
                return self._kept[0]
            credential = read_credential(self._read(), self._name, self._api_url)
            self._kept = (credential, now)
            return credential

    def _read(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        if not self._name:
            raise CredentialRefusedError("TOCSIN_SLACK_SECRET names no secret")
        try:
            answer = self._client.get_secret_value(SecretId=self._name)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _LASTING:
                raise CredentialRefusedError(f"secret {self._name!r}: {_LASTING[code]} ({code})") from error
            raise RetryableDeliveryError(f"secret {self._name!r}: Secrets Manager answered {code}") from error
        except BotoCoreError as error:
            name = type(error).__name__
            raise RetryableDeliveryError(
                f"secret {self._name!r}: Secrets Manager cannot be asked ({name})"
            ) from error
        return answer.get("SecretString") or ""


def read_credential(text: str, name: str, api_url: str) -> Credential:
    """Read the credential out of the secret's text.

    Raises:
        CredentialRefusedError: It has neither shape; the message names the secret and both shapes, and
        nothing of
            its content.
    """
    data: Any = None
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CredentialRefusedError(f"secret {name!r} is not a JSON object; it must be {SHAPES}")
    webhook, token, channel = (data.get(key) for key in ("webhook_url", "bot_token", "channel"))
    if isinstance(token, str) and token.strip():
        if not isinstance(channel, str) or not re.fullmatch(r"[CGD][A-Z0-9]{2,}", channel.strip()):
            raise CredentialRefusedError(
                f"secret {name!r}: channel must be the channel's id (C..., in Slack under the channel's "
                f"details), not its name; the secret must be {SHAPES}"
            )
        if not re.fullmatch(r"[!-~]+", token.strip()):
            raise CredentialRefusedError(f"secret {name!r}: bot_token holds characters no token has")
        return BotCredential(token.strip(), channel.strip(), *_signing(data, name))
    if isinstance(webhook, str) and webhook.strip():
        if not _may_be_called(webhook.strip(), api_url):
            raise CredentialRefusedError(
                f"secret {name!r}: webhook_url must be an https address; it must be {SHAPES}"
            )
        return WebhookCredential(webhook.strip())
    raise CredentialRefusedError(
        f"secret {name!r} holds neither a webhook nor a bot token; it must be {SHAPES}"
    )


def _signing(data: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    """Signing secret, app and team; empty ones where nothing of them is given."""
    values = tuple(data.get(key) or "" for key in ("signing_secret", "app_id", "team_id"))
    secret, app, team = (value.strip() if isinstance(value, str) else "?" for value in values)
    forms = ((secret, r"[!-~]{16,200}"), (app, r"A[A-Z0-9]{2,20}"), (team, r"T[A-Z0-9]{2,20}"))
    if any(values) and not all(re.fullmatch(form, value) for value, form in forms):
        raise CredentialRefusedError(
            f"secret {name!r}: for actions from Slack it must hold all of {SIGNING_SHAPE}, as the app's Basic "
            "Information shows them"
        )
    return secret, app, team


def _may_be_called(url: str, api_url: str) -> bool:
    """HTTPS anywhere; plain HTTP only to this machine or to where the local Slack was said to be."""
    try:
        parts, api = urlsplit(url), urlsplit(api_url)
    except ValueError:
        return False
    if not parts.hostname or not re.fullmatch(r"[!-~]+", url):
        return False
    local = parts.hostname in _LOOPBACK or (api.scheme == "http" and parts.hostname == api.hostname)
    return parts.scheme == "https" or (parts.scheme == "http" and local)
