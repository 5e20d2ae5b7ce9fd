"""The ledger in DynamoDB.

Counting exactly once, and why this way: every delivery is counted with one conditional put of a *occurrence count*, one
item per alert and envelope. A transaction of marker and totals would be simpler to read, but concurrent writers
to one alert cancel each other (TransactionConflict), worst in a storm, when it matters most; a set of seen
envelopes inside the alert's item is one write too, but the item ends at 400 KB and every write is billed by its
whole size. Puts of distinct keys never conflict. Whoever next looks after the incident applies the pending occurrence counts
into it in one transaction: the incident under a version condition, and each occurrence count marked as applied on the
condition that it was not. An occurrence count outlives every redelivery (Lambda's retries take minutes, CloudWatch's a day),
then its time to live removes it.

Items (``pk``/``sk``):

=====================  ======================  ===========================================================
``A#<fingerprint>``    ``E#<envelope>``        an occurrence count; ``grp``/``due`` while it is pending
``A#@action``          ``E#<id>``              something a person pressed; ``grp``/``due`` while it is pending
``G#<service>``        ``CURRENT``             the service's latest incident; ``grp``/``due`` while it moves
``G#<service>``        ``INCIDENT#<id>``       an incident that is over
``G#<service>``        ``WATCH#<signature>``   a watch over a line that must appear; ``grp``/``due`` while it waits
``CHANGE``             ``<time>#<id>``         something that was deployed or altered
``W#<cause>``          ``CURRENT``             the incidents of several services that have one cause
``SILENCE``            ``<id>``                a silence; ``made``/``ends`` are what its replacement is held to
=====================  ======================  ===========================================================

The index ``due`` (``grp``, ``due``) is sparse: it holds only what is unfinished, so one scan of it is all that
``reconcile`` needs, and costs one read unit while nothing is wrong. It is eventually consistent, which the
conditions make harmless: what it shows too late is applied a minute later, what it still shows is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from tocsin.adapters.aws.wide_table import Member, join_wide, joined, wide_key
from tocsin.core.absence.watch import Watch
from tocsin.core.incidents.actions import Action
from tocsin.core.incidents.serialization import dump_incident, load_incident
from tocsin.core.incidents.silences import Silence, load_silence
from tocsin.core.incidents.store import (
    AlreadyAppliedError,
    CountKey,
    SilenceConflictError,
    StaleVersionError,
    Stored,
    key_of,
    key_of_action,
)
from tocsin.core.incidents.wide import Joined
from tocsin.core.model import TEST_MODE_GROUP, Change, OccurrenceCount
from tocsin.core.stored_document import dump_document, load_document

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

    from tocsin.core.incidents.incident import Incident
    from tocsin.core.model import Millis

KEEP_COUNTS: int = 15 * 86_400
"""Seconds; an event may come again from CloudWatch Logs for 24 hours, from Lambda for 6 more, and from people who
replay the failure queue for the 14 days that it keeps."""

KEEP_ACTIONS: int = 15 * 86_400
"""Seconds; the incident's own record keeps what came of it."""

KEEP_INCIDENTS: int = 90 * 86_400
"""Seconds."""

KEEP_SILENCES: int = 30 * 86_400
"""Seconds after it expired: long enough that ``silence_expired`` is told, and people can look up what was muted."""

KEEP_WATCHES: int = 90 * 86_400
"""Seconds after something was last received for it."""

KEEP_CHANGES: int = 25 * 3_600
"""Seconds after it happened: a day, and time for an incident that begins then to be told."""

INDEX = "due"
ACTIONS = "A#@action"
"""The partition of all actions: few a day."""
CHANGE = "CHANGE"
"""The partition of all changes: few a day, and which service one concerns is for the settings of the day to say."""

SILENCE = "SILENCE"
"""The partition of all silences."""
WATCH = "WATCH#"
"""What the sort keys of watches begin with."""


class IncidentTable:
    """A ``Ledger`` in one DynamoDB table."""

    max_applied = 99
    """A transaction takes 100 actions (DynamoDB's limit); one is the incident."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def count(self, occurrence_count: OccurrenceCount) -> bool:
        """See ``Ledger``: one write, whatever else is going on."""
        document = {"occurrence_count": {"S": dump_document(occurrence_count)}}
        due, key = occurrence_count.received_at, key_of(occurrence_count)
        return self._keep_pending(key, occurrence_count.service, due, document, KEEP_COUNTS)

    def load(self, service: str) -> Stored:
        """See ``Ledger``."""
        item = self._item(_incident_key(service))
        if not item:
            return Stored(None, 0)
        return Stored(load_incident(item["doc"]["S"]), int(item["version"]["N"]))

    def closed_incident(self, service: str, incident: str) -> Incident | None:
        """See ``Ledger``."""
        item = self._item(_closed_key(service, incident))
        return load_incident(item["doc"]["S"]) if item else None

    def pending(self, service: str) -> list[OccurrenceCount]:
        """See ``Ledger``."""
        items = self._items(
            "query",
            IndexName=INDEX,
            KeyConditionExpression="grp = :service",
            FilterExpression="attribute_exists(occurrence_count)",
            ExpressionAttributeValues={":service": {"S": service}},
        )
        return [load_document(item["occurrence_count"]["S"], OccurrenceCount) for item in items]

    def keep_action(self, action: Action) -> bool:
        """See ``Ledger``: one write."""
        document = {"action": {"S": dump_document(action)}}
        return self._keep_pending(key_of_action(action), action.service, action.at, document, KEEP_ACTIONS)

    def pending_actions(self, service: str) -> list[Action]:
        """See ``Ledger``: the index shows the keys; what was pressed, which is little, is read from the table."""
        items = self._items(
            "query",
            IndexName=INDEX,
            KeyConditionExpression="grp = :service",
            FilterExpression="pk = :actions",
            ProjectionExpression="pk, sk",
            ExpressionAttributeValues={":service": {"S": service}, ":actions": {"S": ACTIONS}},
        )
        found = []
        for key in list(items):
            item = self._item(key)
            if item and "grp" in item:
                with suppress(ValueError, KeyError):  # of a version yet to come: that one applies it
                    found.append(load_document(item["action"]["S"], Action))
        return found

    def drop_actions(self, actions: Sequence[Action]) -> None:
        """See ``Ledger``."""
        self._drop(map(key_of_action, actions))

    def open_services(self, now: Millis) -> list[str]:
        """See ``Ledger``."""
        items = self._items(
            "scan",
            IndexName=INDEX,
            ProjectionExpression="grp, #due",
            FilterExpression="#due <= :now",
            ExpressionAttributeNames={"#due": "due"},
            ExpressionAttributeValues={":now": {"N": str(now)}},
        )
        due: dict[str, int] = {}
        for item in items:
            service, at = item["grp"]["S"], int(item["due"]["N"])
            due[service] = min(due.get(service, at), at)
        return sorted(due, key=lambda service: due[service])

    def open_incidents(self) -> int:
        """See ``Ledger``."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            IndexName=INDEX,
            Select="COUNT",
            FilterExpression="sk = :current AND grp <> :test_mode",  # not occurrence counts, not watches
            ExpressionAttributeValues={":current": {"S": "CURRENT"}, ":test_mode": {"S": TEST_MODE_GROUP}},
        )
        return sum(page["Count"] for page in pages)

    def drop(self, occurrence_counts: Sequence[OccurrenceCount]) -> None:
        """See ``Ledger``."""
        self._drop(map(key_of, occurrence_counts))

    def save(
        self,
        incident: Incident,
        version: int,
        *,
        applied: Sequence[OccurrenceCount] = (),
        due: Millis | None,
        closed: Incident | None = None,
        acted: Sequence[Action] = (),
    ) -> int:
        """See ``Ledger``."""
        put = self._incident_put(incident, version, due)
        if closed is not None:
            self._client.put_item(TableName=self._table, Item=_closed_item(closed))
        if not applied and not acted:
            try:
                self._client.put_item(**put)
            except (
                self._client.exceptions.ConditionalCheckFailedException,
                self._client.exceptions.TransactionConflictException,  # somebody's transaction is under way
            ) as error:
                raise StaleVersionError from error
            return version + 1
        keys = [*(key_of(occurrence_count) for occurrence_count in applied), *map(key_of_action, acted)]
        actions: list[TransactWriteItemTypeDef] = [{"Put": put}]
        actions += [{"Update": self._mark_applied(key)} for key in keys]
        try:
            self._client.transact_write_items(TransactItems=actions)
        except self._client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            gone = [
                key for key, code in zip(keys, codes[1:], strict=False) if code == "ConditionalCheckFailed"
            ]
            if codes[:1] == ["ConditionalCheckFailed"] or "TransactionConflict" in codes:
                raise StaleVersionError from error
            if gone:
                raise AlreadyAppliedError(gone) from error
            raise
        except self._client.exceptions.TransactionInProgressException as error:
            raise StaleVersionError from error
        return version + 1

    def watch(self, service: str, signature: str) -> Watch | None:
        """See ``Ledger``."""
        item = self._item(_watch_key(service, signature))
        if not item:
            return None
        version = int(item["version"]["N"])
        with suppress(ValueError, KeyError):
            return replace(load_document(item["doc"]["S"], Watch), version=version)
        # Broken by hand, or by a version yet to come: begun again over what is there.
        return Watch(service, signature, version=version)

    def save_watch(self, watch: Watch, due: Millis | None) -> Watch:
        """See ``Ledger``: one write."""
        saved = replace(watch, version=watch.version + 1)
        item: dict[str, Any] = {
            **_watch_key(watch.service, watch.signature),
            "doc": {"S": dump_document(saved)},
            "version": {"N": str(saved.version)},
        }
        # While its line is missing it must be known, however long that is.
        if watch.received_at and not watch.fired:
            item["expires_at"] = {"N": str(watch.received_at // 1000 + KEEP_WATCHES)}
        if due is not None:
            item |= {"grp": {"S": watch.service}, "due": {"N": str(due)}}
        try:
            self._client.put_item(**self._put_over(item, watch.version))
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleVersionError from error
        return saved

    def due_watches(self, now: Millis) -> list[tuple[str, str]]:
        """See ``Ledger``: one more look at the index, which shows the keys."""
        items = self._items(
            "scan",
            IndexName=INDEX,
            ProjectionExpression="grp, sk",
            FilterExpression="#due <= :now AND begins_with(sk, :watch)",
            ExpressionAttributeNames={"#due": "due"},
            ExpressionAttributeValues={":now": {"N": str(now)}, ":watch": {"S": WATCH}},
        )
        return [(item["grp"]["S"], item["sk"]["S"].removeprefix(WATCH)) for item in items]

    def silences(self) -> tuple[Silence, ...]:
        """See ``Ledger``."""
        items = self._items(
            "query",
            KeyConditionExpression="pk = :silence",
            ExpressionAttributeValues={":silence": {"S": SILENCE}},
            ConsistentRead=True,
        )
        found = []
        for item in items:
            # Broken by hand, or by a version yet to come, it mutes nothing.
            with suppress(ValueError, KeyError):
                silence = load_silence(item["doc"]["S"])
                matched = int(item.get("matched", {"N": "0"})["N"])
                found.append(replace(silence, last_matched=max(matched, silence.last_matched)))
        return tuple(sorted(found, key=lambda silence: (silence.expires_at, silence.id)))

    def put_silence(self, silence: Silence) -> None:
        """See ``Ledger``."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": SILENCE},
                    "sk": {"S": silence.id},
                    "doc": {"S": dump_document(silence)},
                    "made": {"N": str(silence.created_at)},
                    "ends": {"N": str(silence.expires_at)},
                    "expires_at": {"N": str(silence.expires_at // 1000 + KEEP_SILENCES)},
                },
                ConditionExpression="attribute_not_exists(pk) OR (made = :made AND ends >= :ends)",
                ExpressionAttributeValues={
                    ":made": {"N": str(silence.created_at)},
                    ":ends": {"N": str(silence.expires_at)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise SilenceConflictError(silence.id) from error

    def note_match(self, silence: str, at: Millis) -> None:
        """See ``Ledger``: one write, beside the document, which only people change."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": SILENCE}, "sk": {"S": silence}},
                UpdateExpression="SET matched = :at",
                ConditionExpression="attribute_exists(pk) AND (attribute_not_exists(matched) OR matched < :at)",
                ExpressionAttributeValues={":at": {"N": str(at)}},
            )

    def join_wide(self, key: str, incident: str, service: str, now: Millis, within: Millis) -> Joined:
        """See ``Ledger`` and ``wide_table``."""
        return join_wide(self._client, self._table, key, Member(incident, service), now, within)

    def wide(self, key: str) -> Joined | None:
        """See ``Ledger``."""
        item = self._item(wide_key(key))
        return joined(item) if item else None

    def keep_change(self, change: Change) -> None:
        """See ``Ledger``: one write."""
        self._client.put_item(
            TableName=self._table,
            Item={
                "pk": {"S": CHANGE},
                "sk": {"S": f"{change.at:014d}#{change.id}"},
                "doc": {"S": dump_document(change)},
                "expires_at": {"N": str(change.at // 1000 + KEEP_CHANGES)},
            },
        )

    def changes(self, since: Millis) -> list[Change]:
        """See ``Ledger``: one read, of the latest 1 MB, which are about three thousand."""
        items = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :change AND sk >= :since",
            ExpressionAttributeValues={":change": {"S": CHANGE}, ":since": {"S": f"{max(0, since):014d}"}},
            ScanIndexForward=False,
            ConsistentRead=True,
        )["Items"]
        found = []
        for item in items:
            with suppress(ValueError, KeyError):  # broken by hand, or by a version yet to come
                found.append(load_document(item["doc"]["S"], Change))
        return found

    def _items(self, way: Literal["query", "scan"], **asked: Any) -> Iterator[dict[str, Any]]:
        """The items that a query or a scan of the table finds, page by page."""
        paginator: Any = self._client.get_paginator(way)
        for page in paginator.paginate(TableName=self._table, **asked):
            yield from page["Items"]

    def _item(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """An item as of every write that has returned; None when there is none."""
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def _keep_pending(
        self, key: CountKey, service: str, due: Millis, document: dict[str, Any], keep: int
    ) -> bool:
        """Keep what is to be applied to the service's incident; False where it is kept already."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_occurrence_count_key(key),
                    **document,
                    "grp": {"S": service},
                    "due": {"N": str(due)},
                    "expires_at": {"N": str(due // 1000 + keep)},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        except (
            self._client.exceptions.ConditionalCheckFailedException,
            self._client.exceptions.TransactionConflictException,  # being applied this moment: it was there
        ):
            return False
        return True

    def _drop(self, keys: Iterable[CountKey]) -> None:
        for key in keys:
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.update_item(**self._mark_applied(key))

    def _mark_applied(self, key: CountKey) -> UpdateTypeDef:
        return {
            "TableName": self._table,
            "Key": _occurrence_count_key(key),
            "UpdateExpression": "REMOVE grp, due",
            "ConditionExpression": "attribute_exists(grp)",
        }

    def _incident_put(self, incident: Incident, version: int, due: Millis | None) -> PutTypeDef:
        item: dict[str, Any] = {
            **_incident_key(incident.service),
            "doc": {"S": dump_incident(incident)},
            "version": {"N": str(version + 1)},
            # For people who read the table; the document is what counts.
            "incident": {"S": incident.id},
            "status": {"S": "firing" if incident.resolved_at is None else "resolved"},
        }
        if due is not None:
            item |= {"grp": {"S": incident.service}, "due": {"N": str(due)}}
        return self._put_over(item, version)

    def _put_over(self, item: dict[str, Any], version: int) -> PutTypeDef:
        """The put of an item on the condition that the stored one has this version; 0 for none."""
        if version == 0:
            return {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }


def _occurrence_count_key(key: CountKey) -> dict[str, Any]:
    fingerprint, envelope = key
    return {"pk": {"S": f"A#{fingerprint}"}, "sk": {"S": f"E#{envelope}"}}


def _incident_key(service: str) -> dict[str, Any]:
    return {"pk": {"S": f"G#{service}"}, "sk": {"S": "CURRENT"}}


def _watch_key(service: str, signature: str) -> dict[str, Any]:
    return {"pk": {"S": f"G#{service}"}, "sk": {"S": WATCH + signature}}


def _closed_key(service: str, incident: str) -> dict[str, Any]:
    return {"pk": {"S": f"G#{service}"}, "sk": {"S": f"INCIDENT#{incident}"}}


def _closed_item(closed: Incident) -> dict[str, Any]:
    return {
        **_closed_key(closed.service, closed.id),
        "doc": {"S": dump_incident(closed)},
        "expires_at": {"N": str((closed.resolved_at or closed.opened_at) // 1000 + KEEP_INCIDENTS)},
    }
