"""Which incidents of one cause belong together: one item for each cause, at which whoever is first leads.

``pk`` = ``W#<cause>``, ``sk`` = ``CURRENT``. Joining it and beginning it are one conditional write each, so that of
several services that fail in the same second exactly one leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tocsin.core.incidents.wide import MAX_SERVICES, Joined
from tocsin.core.model import Millis

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEEP_WIDE: int = 86_400
"""Seconds after others could join a wide incident: what is published again after a failure still finds it."""

MAX_JOINS = 5
"""Tries to join or begin a wide incident that others begin at the same moment."""


class Member(NamedTuple):
    """An incident that belongs to a wide one, and its service."""

    incident: str
    service: str


def join_wide(
    client: DynamoDBClient, table: str, key: str, member: Member, now: Millis, within: Millis
) -> Joined:
    """See ``Ledger``: one write, or two for the first of a cause; whoever is first leads."""
    for _ in range(MAX_JOINS):
        try:
            answer = client.update_item(
                TableName=table,
                Key=wide_key(key),
                UpdateExpression="SET members.#me = :service",
                ConditionExpression=(
                    "attribute_exists(members.#me) OR (began > :since AND size(members) < :most)"
                ),
                ExpressionAttributeNames={"#me": member.incident},
                ExpressionAttributeValues={
                    ":service": {"S": member.service},
                    ":since": {"N": str(now - within)},
                    ":most": {"N": str(MAX_SERVICES)},
                },
                ReturnValues="ALL_NEW",
            )
            return joined(answer["Attributes"])
        except client.exceptions.ConditionalCheckFailedException:
            pass
        begun = _begin(client, table, key, member, now, within)
        if begun is not None:
            return begun
    return Joined(member.incident, now, {member.incident: member.service})


def _begin(
    client: DynamoDBClient, table: str, key: str, member: Member, now: Millis, within: Millis
) -> Joined | None:
    """Begin the incidents of a cause again; None where somebody else just did."""
    item: dict[str, Any] = {
        "lead": {"S": member.incident},
        "began": {"N": str(now)},
        "members": {"M": {member.incident: {"S": member.service}}},
        "expires_at": {"N": str((now + within) // 1000 + KEEP_WIDE)},
    }
    try:
        client.put_item(
            TableName=table,
            Item={**wide_key(key), **item},
            ConditionExpression="attribute_not_exists(pk) OR began <= :since OR size(members) >= :most",
            ExpressionAttributeValues={":since": {"N": str(now - within)}, ":most": {"N": str(MAX_SERVICES)}},
        )
    except client.exceptions.ConditionalCheckFailedException:
        return None
    return joined(item)


def wide_key(cause: str) -> dict[str, Any]:
    """The key of a cause's item."""
    return {"pk": {"S": f"W#{cause}"}, "sk": {"S": "CURRENT"}}


def joined(item: Mapping[str, Any]) -> Joined:
    """What an item says."""
    members = {incident: service["S"] for incident, service in item["members"]["M"].items()}
    return Joined(item["lead"]["S"], int(item["began"]["N"]), members)
