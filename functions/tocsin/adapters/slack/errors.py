"""How telling Slack fails: retryable or permanent, and the type says which.

No message of these errors holds a credential, an address with a secret in it, or log text.
"""

from __future__ import annotations

from tocsin.core.model import Millis


class DeliveryError(Exception):
    """A notification was not delivered."""


class RetryableDeliveryError(DeliveryError):
    """It may work later.

    Attributes:
        retry_after: How long to wait at least, where that is known.
        ambiguous: Whether Slack may have done what was asked although no answer said so.
        limited: Whether Slack asked for fewer calls (429).
        busy: Whether another invocation is telling of the same incident, which takes it a moment.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: Millis | None = None,
        ambiguous: bool = False,
        limited: bool = False,
        busy: bool = False,
    ) -> None:
        self.retry_after, self.ambiguous, self.limited, self.busy = retry_after, ambiguous, limited, busy
        super().__init__(message)


class PermanentDeliveryError(DeliveryError):
    """It will not work however often it is tried, until a person changes something."""


class CredentialRefusedError(PermanentDeliveryError):
    """Token, channel or webhook are not what Slack accepts; a change of the secret may fix it."""


class BlocksRefusedError(PermanentDeliveryError):
    """Slack does not like the blocks; as plain text the message may pass."""


class MessageGoneError(PermanentDeliveryError):
    """The message to edit or to answer is not there any more, or is not ours to edit."""
