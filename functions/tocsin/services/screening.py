"""Screening: a batch in which nothing can match is answered before anything else is imported.

Nearly every cold start of ``detect`` is for a batch without a match. Reading signatures and settings, and importing
what counts and tells, takes several times as long as looking at such a batch. So a fresh process opens this prefilter
first, and everything else when a batch gets through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tocsin.adapters.files.compiled_search import compiled_search
from tocsin.core.ingest.inflation import EnvelopeError, inflate
from tocsin.core.literal import Literal
from tocsin.core.matching.first_look import FirstLook
from tocsin.core.matching.prefilter import RawSearch, is_whole

DEPLOYMENT_ROOT = Path(__file__).resolve().parent.parent.parent
"""Where ``tocsin.toml`` and ``signatures/`` lie, here and in the Lambda package."""

NO_SETTING = """
    TOCSIN_TABLE TOCSIN_ALERTS_TOPIC_ARN TOCSIN_OWN_LOG_GROUP_PREFIX TOCSIN_FAILURE_QUEUE_URL TOCSIN_STACK
    TOCSIN_WATCH_CHANGES TOCSIN_HEARTBEAT_LOG_GROUP TOCSIN_HEARTBEAT_TOPIC_ARN
    TOCSIN_LOG_LEVEL
""".split()
"""Variables of the environment that wire things and can make no configuration wrong; any other might."""


class Prefilter:
    """Answers for batches in which nothing can match.

    Args:
        search: The search for whatever any signature needs; whoever looks closer uses it too.
    """

    def __init__(self, search: RawSearch) -> None:
        self.search = search
        self._looked_at: tuple[str, bytes] = ("", b"")

    def skips(self, event: object) -> int | None:
        """Look at an event.

        Args:
            event: What Lambda handed over.

        Returns:
            How many records it has, if they are all envelopes of CloudWatch Logs, directly or through Kinesis, and
            certainly nothing in them matches; None for everything else, which must be looked at properly.
        """
        data = _envelopes(event)
        if not data:
            return None
        try:
            return len(data) if all(map(self._holds_nothing, data)) else None
        except EnvelopeError:
            return None

    def inflate(self, data: str) -> bytes:
        """As `inflation.inflate`; what `skips` could not answer for is not inflated again, and then forgotten."""
        looked_at, raw = self._looked_at
        if not raw or looked_at != data:
            return inflate(data)
        self._looked_at = ("", b"")
        return raw

    def _holds_nothing(self, data: str) -> bool:
        raw = inflate(data)
        if is_whole(raw) and not self.search.might_match(raw):
            return True
        self._looked_at = (data, raw)
        return False


def open_prefilter(environ: Mapping[str, str], root: Path = DEPLOYMENT_ROOT) -> Prefilter | None:
    """The prefilter, or None where the configuration must be read first because the environment may have made it wrong.

    Args:
        environ: The environment; a variable that may change a setting is a reason to read them all.
        root: The deployment root.

    Raises:
        ConfigurationError: There is no compiled form of exactly this configuration.
    """
    if any(
        value and name.startswith("TOCSIN_") and name not in NO_SETTING for name, value in environ.items()
    ):
        return None
    found = compiled_search(root)
    literals = [Literal(tuple(words.split(" "))) for words in found.exact]
    literals += [Literal(tuple(words.split(" ")), any_case=True) for words in found.any_case]
    return Prefilter(RawSearch(found.expression, FirstLook(literals, found.others)))


def no_match_response(records: int) -> dict[str, Any]:
    """What ``detect`` answers about records in which nothing was."""
    return {
        "records": records,
        "events": 0,
        "occurrences": {},
        "duplicates": 0,
        "changes": 0,
        "ignored": [],
        "dead_lettered": [],
        "sent": {},
        "failures": [],
    }


def _envelopes(event: object) -> list[str]:
    """The data of each record, or nothing where one is anything but an envelope of a subscription."""
    if not isinstance(event, dict):
        return []
    entries = [event["awslogs"]] if "awslogs" in event else _kinesis(event.get("Records"))
    data = [entry.get("data") if isinstance(entry, dict) else None for entry in entries]
    return [each for each in data if isinstance(each, str) and each] if all(data) else []


def _kinesis(records: object) -> list[object]:
    if not isinstance(records, list):
        return []
    return [record.get("kinesis") if isinstance(record, dict) else None for record in records]
