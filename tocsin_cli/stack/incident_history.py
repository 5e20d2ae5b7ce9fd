"""What an operator's commands read from the incident table: incidents that are open, those that are over, deliveries.

Open incidents are found without reading the table: the sparse index names every service that has something unfinished.
What is over is found by its service with one query; only where no service is named is the whole table read, page by
page, which an operator may do now and then and the Lambdas never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.core.config.routing import DEFAULT
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.serialization import load_incident
from tocsin.core.model import TEST_MODE_GROUP

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOREVER = 1 << 62
"""Later than anything that is due."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the delivery record of an incident says.

    Attributes:
        destination: Where it went, as ``tocsin.toml`` names it.
        channel: The Slack channel its message is in; empty for webhooks.
        ts: The message; empty for webhooks.
        shown: The highest sequence that people see.
        delivered: The sequences that are done with, as ``1-4,7``.
        unconfirmed: Sequences of which an attempt began and was not seen to end.
    """

    destination: str
    channel: str
    ts: str
    shown: int
    delivered: str
    unconfirmed: tuple[int, ...]


class IncidentHistory:
    """A table's incidents, read only.

    Args:
        client: A DynamoDB client.
        table: The table's name.

    Attributes:
        unreadable: What could not be read, as ``service: reason``; it does not keep the rest from being shown.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table
        self.unreadable: list[str] = []

    def open_incidents(self, services: Iterable[str] = ()) -> list[Incident]:
        """The incidents that are not over, the latest first; what waits for the next digest is none.

        Args:
            services: Services to look at, whether or not the index names them.
        """
        named = IncidentTable(self._client, self._table).open_services(FOREVER)
        wanted = (service for service in dict.fromkeys([*named, *services]) if service != TEST_MODE_GROUP)
        found = (self.current(service) for service in wanted)
        return _latest_first(incident for incident in found if incident and incident.resolved_at is None)

    def current(self, service: str) -> Incident | None:
        """A service's latest incident, open or over."""
        key = {"pk": {"S": f"G#{service}"}, "sk": {"S": "CURRENT"}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return self._incident(item) if item else None

    def of_service(self, service: str) -> list[Incident]:
        """Every incident of a service that is kept, the latest first; one query."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :service",
            ExpressionAttributeValues={":service": {"S": f"G#{service}"}},
            ConsistentRead=True,
        )
        return self._incidents(pages)

    def everything(self) -> list[Incident]:
        """Every incident that is kept, the latest first; reads the whole table. Digests are none."""
        found = self._scanned("begins_with(pk, :service)", {":service": {"S": "G#"}})
        return [incident for incident in found if incident.service != TEST_MODE_GROUP]

    def by_id(self, incident: str) -> Incident | None:
        """The incident of that id; reads the whole table if it is not open."""
        for each in self.open_incidents():
            if each.id == incident:
                return each
        found = self._scanned(
            "begins_with(pk, :service) AND (sk = :over OR incident = :id)",
            {":service": {"S": "G#"}, ":over": {"S": f"INCIDENT#{incident}"}, ":id": {"S": incident}},
        )
        return next((each for each in found if each.id == incident), None)

    def deliveries(self, incident: str) -> list[Delivery]:
        """What Slack was sent of an incident; none before the first attempt."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :incident AND begins_with(sk, :slack)",
            ExpressionAttributeValues={":incident": {"S": f"I#{incident}"}, ":slack": {"S": "SLACK"}},
            ConsistentRead=True,
        )
        return [_delivery(item) for page in pages for item in page["Items"]]

    def _scanned(self, condition: str, values: Mapping[str, Any]) -> list[Incident]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table, FilterExpression=condition, ExpressionAttributeValues=values
        )
        return self._incidents(pages)

    def _incidents(self, pages: Iterable[Mapping[str, Any]]) -> list[Incident]:
        found: dict[str, Incident] = {}
        for page in pages:
            for item in page["Items"]:
                # An incident can be kept twice for a moment, as current and as over: the document that is open, or else
                # either, is it.
                incident = self._incident(item)
                if incident and (incident.id not in found or item["sk"]["S"] == "CURRENT"):
                    found[incident.id] = incident
        return _latest_first(found.values())

    def _incident(self, item: Mapping[str, Any]) -> Incident | None:
        try:
            return load_incident(item["doc"]["S"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.unreadable.append(f"{item['pk']['S'].removeprefix('G#')}: {item['sk']['S']}: {error}")
            return None


def _latest_first(incidents: Iterable[Incident]) -> list[Incident]:
    return sorted(incidents, key=lambda incident: (incident.opened_at, incident.id), reverse=True)


def _delivery(item: Mapping[str, Any]) -> Delivery:
    return Delivery(
        destination=item["sk"]["S"].partition("#")[2] or DEFAULT,
        channel=item.get("channel", {}).get("S", ""),
        ts=item.get("ts", {}).get("S", ""),
        shown=int(item.get("shown", {}).get("N", "0")),
        delivered=item.get("told", {}).get("S", ""),
        unconfirmed=tuple(sorted(map(int, item.get("unconfirmed", {}).get("NS", ())))),
    )
