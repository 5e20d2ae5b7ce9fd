"""Calls to Slack over HTTP, with every failure told apart and no secret in any of them.

``requests`` puts the whole address into its errors, and a webhook's address is its secret. So its errors are
never raised nor chained: what leaves here names the kind of failure only.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests
from requests.auth import AuthBase

from tocsin.adapters.slack.errors import RetryableDeliveryError
from tocsin.core.model import Millis

TIMEOUT = (3.05, 10.0)
"""Seconds to connect, and between two bytes of the answer."""

_DEFAULT_WAIT: Millis = 30_000
_MAX_WAIT: Millis = 3_600_000


class BearerToken(AuthBase):
    """Puts the token into the header, where no ``.netrc`` of the environment can replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """See ``AuthBase``."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def call(
    session: requests.Session,
    verb: str,
    url: str,
    *,
    what: str,
    payload: Mapping[str, Any] | None = None,
    query: Mapping[str, Any] | None = None,
    auth: AuthBase | None = None,
    timeout: tuple[float, float] = TIMEOUT,
) -> requests.Response:
    """Call Slack and return its answer if it is one (status below 500, not 429).

    Args:
        session: What holds the connection.
        verb: GET or POST.
        url: The address; never shown.
        what: How errors call it.
        payload: The body, sent as JSON.
        query: The query.
        auth: The credential.
        timeout: Seconds to connect, and between two bytes of the answer.

    Raises:
        RetryableDeliveryError: No answer, 429, or 5xx; ``ambiguous`` unless it is sure that nothing was done.
    """
    failure: RetryableDeliveryError | None = None
    response: requests.Response | None = None
    try:
        response = session.request(
            verb, url, json=payload, params=query, auth=auth, timeout=timeout, allow_redirects=False
        )
    except (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError) as error:
        failure = RetryableDeliveryError(f"{what}: Slack cannot be reached ({type(error).__name__})")
    except requests.RequestException as error:
        failure = RetryableDeliveryError(
            f"{what}: no answer from Slack ({type(error).__name__})", ambiguous=True
        )
    except ValueError as error:  # an address or a header that cannot be sent; its text may hold the secret
        failure = RetryableDeliveryError(f"{what}: cannot be sent ({type(error).__name__})")
    if failure is not None:
        raise failure  # outside of the handlers, so that nothing is chained to it
    assert response is not None  # noqa: S101 - one of the two is set; this tells the type checker
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise RetryableDeliveryError(
            f"{what}: Slack asks for fewer messages (429)", retry_after=retry_after(response), limited=True
        )
    if (
        response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        or response.status_code == HTTPStatus.REQUEST_TIMEOUT
    ):
        raise RetryableDeliveryError(f"{what}: Slack answered HTTP {response.status_code}", ambiguous=True)
    return response


def retry_after(response: requests.Response) -> Millis:
    """How long Slack asks to wait; half a minute where it does not say, an hour at most."""
    said = response.headers.get("Retry-After", "").strip()
    return min(_MAX_WAIT, max(1_000, int(said) * 1_000)) if said.isdecimal() else _DEFAULT_WAIT
