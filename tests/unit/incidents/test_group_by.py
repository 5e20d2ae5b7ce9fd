"""``group_by`` of a route: what agrees in these labels is told as one, and nothing else is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.incidents.test_lifecycle import INTERVALS, T0, occurrence_count
from tests.unit.incidents.test_wide import SIGNATURES, World
from tocsin.core.config.settings import parse_settings
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import DRILL, Origin
from tocsin.core.signatures.drill import SIGNATURE as DRILL_SIGNATURE
from tocsin.core.signatures.signature import with_built_in

S, MIN = 1000, 60_000


def world(group_by, more="", intervals=INTERVALS):
    text = f"[[routes]]\ngroup_by = {group_by!r}\n{more}"
    return World(
        Policy(intervals, with_built_in(SIGNATURES, DRILL_SIGNATURE), parse_settings(text, {}).routing)
    )


def fails(where, service, name="db-gone", origin=Origin(), **fields):
    counted = replace(
        occurrence_count(T0, name=name, fingerprint=f"{service}-{name}"),
        service=service,
        fields=fields,
        origin=origin,
    )
    where.ledger.count(counted)
    where.look(service, T0, [counted])


def joined(where):
    """Which services are in the thread of another."""
    return [each.service for each in where.published if each.wide is not None]


def test_two_services_with_the_same_signature_are_one_message_whatever_else_they_say():
    by = world(["signature"])
    fails(by, "a", host="db-1")
    fails(by, "b", host="db-2")
    fails(by, "c", name="other")
    assert joined(by) == ["b"]
    assert len(by.in_channel()) == 2
    by.look("a", T0 + MIN)
    assert "2 services fail at once (the same signature, by group_by of routes[0]): a, b" in str(
        by.in_channel()[0]["blocks"]
    )


def test_without_the_signature_whatever_has_the_same_host_is_one_message():
    by = world(["host"])
    fails(by, "a", host="db-1")
    fails(by, "b", name="other", host="db-1")
    fails(by, "c", host="db-2")
    assert joined(by) == ["b"]
    assert by.published[1].wide.signature is None
    assert by.published[1].wide.shared == {"host": "db-1"}


@pytest.mark.parametrize("label", ["account", "region"])
def test_account_and_region_are_the_origins(label):
    by = world(["signature", label])
    fails(by, "a", origin=Origin(account="111111111111", region="eu-west-1"))
    fails(by, "b", origin=Origin(account="222222222222", region="eu-central-1"))
    fails(by, "c", origin=Origin(account="111111111111", region="eu-west-1"))
    assert joined(by) == ["c"]


def test_severity_joins_what_is_as_bad():
    by = world(["severity"])
    fails(by, "a")
    fails(by, "b", name="other")
    assert joined(by) == ["b"]


@pytest.mark.parametrize("group_by", [["..."], ["service"], ["signature", "service"]])
def test_by_service_or_by_everything_nothing_is_joined_not_even_what_the_built_in_rule_would_join(group_by):
    by = world(group_by)
    for service in "abcdefgh":
        fails(by, service, host="db-1")
    assert joined(by) == []
    assert len(by.in_channel()) == 8


def test_who_lacks_a_label_is_joined_with_nobody_that_lacks_it_too():
    by = world(["signature", "host"])
    for service in "abcdefgh":
        fails(by, service)
    assert joined(by) == []


def test_alarms_and_what_nobody_knows_are_joined_where_a_route_asks_for_it():
    by = world(["signature"])
    for service in "ab":
        fails(by, service, name="depth", origin=Origin(alarm=service))
        fails(by, f"{service}2", name="anything")
    assert joined(by) == ["b", "b2"]


def test_a_drill_is_joined_with_nothing():
    by = world(["severity"])
    fails(by, "a", name=DRILL)
    fails(by, "b", name=DRILL)
    assert joined(by) == []


def test_what_goes_by_different_routes_is_not_joined():
    by = World(
        Policy(
            INTERVALS,
            SIGNATURES,
            parse_settings(
                "[[routes]]\nmatch = {service = ['a']}\ngroup_by = ['host']\n[[routes]]\ngroup_by = ['host']\n", {}
            ).routing,
        )
    )  # fmt: skip
    fails(by, "a", host="x")
    fails(by, "b", host="x")
    fails(by, "c", host="x")
    assert joined(by) == ["c"]


def test_off_is_off_for_routes_too():
    by = world(["signature"], intervals=replace(INTERVALS, wide_within=0))
    fails(by, "a")
    fails(by, "b")
    assert joined(by) == []


def test_a_child_has_its_parents_group_by_unless_it_has_its_own():
    routing = parse_settings(
        "[[routes]]\ngroup_by = ['host']\n[[routes.routes]]\nmatch = {severity = ['low']}\n"
        "[[routes.routes]]\nmatch = {severity = ['high']}\ngroup_by = ['...']\n",
        {},
    ).routing
    found = [routing.grouping_of({"severity": severity}).group_by for severity in ("low", "high", "critical")]
    assert found == [("host",), ("...",), ("host",)]
