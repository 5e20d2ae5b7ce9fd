"""A wide incident where nothing has threads: by webhook one message lists the services, and no service is lost."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.incidents.test_lifecycle import INTERVALS, T0
from tests.unit.incidents.test_wide import POLICY, SIGNATURES, World, services
from tocsin.core.config.settings import parse_settings
from tocsin.core.incidents.policy import Policy
from tocsin.core.notifications.email import email_text
from tocsin.services.channel import Audience
from tocsin.services.delivery import LIST_EXPECTED, Attempt, deliver

S, MIN = 1000, 60_000


def webhook(policy=POLICY, **fields):
    return World(policy, mode="webhook", **fields)


def minute(world, names, start, minutes):
    for number in range(1, minutes + 1):
        for service in names:
            world.look(service, start + number * MIN)
        world.deliver()


def texts(world):
    return [str(each["blocks"]) for each in world.slack.messages()]


def test_thirty_services_in_one_second_are_two_messages_and_the_second_names_all():
    world = webhook()
    for number, service in enumerate(services(30)):
        world.fails(service, T0 + number * 30, host="db-1")
    assert len(texts(world)) == 1
    minute(world, services(30), T0, 3)
    assert len(texts(world)) == 2
    last = texts(world)[-1]
    assert "30 services fail at once (the same signature and host db-1)" in last
    assert all(service in last for service in services(30))
    assert "thread" not in last
    assert world.queue == []


def test_who_joins_after_the_list_is_in_the_next_one():
    world = webhook()
    for service in services(3):
        world.fails(service, T0, host="db-1")
    minute(world, services(3), T0, 1)
    world.fails("service-03", T0 + 90 * S, host="db-1")
    minute(world, services(4), T0 + MIN, 3)
    assert [text.count("services fail at once") for text in texts(world)] == [0, 1, 1]
    assert "4 services fail at once" in texts(world)[-1]


def test_every_services_end_is_told_of():
    world = webhook()
    for service in services(3):
        world.fails(service, T0, host="db-1")
    minute(world, services(3), T0, 20)
    assert sum("It is over" in text for text in texts(world)) == 3


def test_what_no_list_has_in_time_is_told_by_itself():
    world = webhook()
    world.fails("a", T0, host="db-1")
    world.fails("b", T0 + S, host="db-1")
    world.now = T0 + S + LIST_EXPECTED - 1
    world.deliver()  # nobody looks at the one that leads any more
    assert len(texts(world)) == 1
    world.now += 1
    world.deliver()
    assert len(texts(world)) == 2
    assert "One of 2 services that fail at once (the same signature and host db-1): a, b." in texts(world)[1]
    assert "thread" not in texts(world)[1]


def test_where_the_one_that_leads_was_never_told_nobody_waits_long():
    world = webhook()
    world.fails("a", T0, host="db-1")
    world.slack._store._kept.clear()
    world.fails("b", T0 + S, host="db-1")
    world.now += 3 * S
    world.deliver()
    assert len(texts(world)) == 2


def test_what_is_new_in_a_service_that_was_listed_is_told_and_that_it_goes_on_is_not():
    world = webhook()
    for service in services(2):
        world.fails(service, T0, host="db-1")
    minute(world, services(2), T0, 3)
    told = len(texts(world))
    for number in range(4, 30):
        world.fails("service-01", T0 + number * MIN, host="db-1")
        world.fails("service-00", T0 + number * MIN, host="db-1")
    assert {
        each["blocks"][0]["text"]["text"].rpartition(" ")[2] for each in world.slack.messages()[told:]
    } == {"service-00"}
    world.fails("service-01", T0 + 30 * MIN, name="other")
    assert "Also: " in texts(world)[-1]


def test_once_the_one_that_leads_is_over_the_others_speak_for_themselves():
    world = webhook()
    for service in services(2):
        world.fails(service, T0, host="db-1")
    minute(world, services(2), T0, 3)
    for number in range(4, 9 * 60, 4):
        world.fails("service-01", T0 + number * MIN, host="db-1")
        world.look("service-00", T0 + number * MIN)
    assert any("Still firing" in text and "service-01" in text for text in texts(world))


@pytest.mark.parametrize(
    ("mentions", "by_itself"), [(("S0TEAMONE",), False), (("S0TEAMTWO",), True), ((), False)]
)
def test_whoever_the_first_has_not_called_is_called(mentions, by_itself):
    world = webhook()
    of = {"a": ("S0TEAMONE",), "b": mentions}

    def with_audience(notification, now):
        world.slack._now = now
        channel, store, attempt = world.slack.delivery_channel, world.slack._store, Attempt("x", now, 60_000)
        return deliver(notification, channel, store, attempt, Audience(of[notification.service]))

    world.slack.deliver = with_audience
    world.fails("a", T0, host="db-1")
    world.fails("b", T0 + S, host="db-1")
    assert ("S0TEAMTWO" in texts(world)[-1]) is by_itself
    minute(world, "ab", T0, 3)
    assert len([text for text in texts(world) if "· b" in text]) == by_itself


def test_a_route_that_joins_alarms_lists_them_too():
    routing = parse_settings("[[routes]]\ngroup_by = ['signature']\n", {}).routing
    world = webhook(Policy(INTERVALS, SIGNATURES, routing))
    for service in services(3):
        world.fails(service, T0, name="anything")
    minute(world, services(3), T0, 3)
    assert len(texts(world)) == 2


def test_off_tells_each():
    world = webhook(Policy(replace(INTERVALS, wide_within=0), SIGNATURES))
    for service in services(3):
        world.fails(service, T0, host="db-1")
    assert len(texts(world)) == 3


def test_a_mail_speaks_of_no_thread_names_the_services_and_the_first():
    world = World()
    for service in services(30):
        world.fails(service, T0, host="db-1")
    world.look("service-00", T0 + MIN)
    first, *others, listing = [email_text(each) for each in world.published]
    assert "at once" not in first
    assert all(service in listing for service in services(30))
    assert world.published[0].incident.id in others[-1]
    assert not any("thread" in text for text in (first, *others, listing))
