"""A log group that no service claims is alone under its name, whatever other log groups are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.config.settings import parse_settings
from tocsin.core.ingest.origin import elsewhere
from tocsin.core.model import Origin

SETTINGS = parse_settings('[services.jobs]\nlog_groups = ["*jobs*"]\nalarms = ["*jobs*"]\n', {})
HOME = Origin("111111111111", "eu-central-1")
NAMES = st.text("a-/#._", min_size=1, max_size=12)
GROUPS = st.builds(str.__add__, st.sampled_from(["", "/", "/aws/", "/aws/lambda/", "aws/", "lambda/"]), NAMES)


@given(GROUPS, GROUPS)
def test_two_log_groups_never_have_one_name(one, other):
    if one != other:
        assert SETTINGS.service_of_log_group(one) != SETTINGS.service_of_log_group(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/aws/rds/instance/ledger-a/error", "/aws/rds/instance/ledger-b/error"),
        ("/live/payments/web", "/test/payments/web"),
        ("/aws/lambda/mailer", "mailer"),
        ("/aws/lambda/mailer", "/mailer"),
        ("/aws/ecs/mailer", "ecs/mailer"),
    ],
)
def test_what_ends_alike_stays_apart(one, other):
    assert SETTINGS.service_of_log_group(one) != SETTINGS.service_of_log_group(other)


@pytest.mark.parametrize(
    ("log_group", "shown"),
    [
        ("/aws/lambda/mailer", "mailer"),
        ("/aws/rds/instance/ledger-a/error", "rds/instance/ledger-a/error"),
        ("/live/payments/web", "/live/payments/web"),
        ("mailer", "mailer (log group)"),
        ("/aws/lambda/", "/aws/lambda/"),
        ("/aws/apigateway", "/aws/apigateway"),
    ],
)
def test_a_name_is_as_short_as_no_other_log_group_can_have_it(log_group, shown):
    assert SETTINGS.service_of_log_group(log_group) == shown


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        (HOME, "mailer"),
        (Origin("222222222222", "eu-central-1"), "mailer (222222222222)"),
        (Origin("111111111111", "eu-west-3"), "mailer (eu-west-3)"),
        (Origin("222222222222", "eu-west-3"), "mailer (222222222222 eu-west-3)"),
        (Origin("", ""), "mailer"),
        (Origin("<!channel>", "US East (N. Virginia)"), "mailer"),
    ],
)
def test_another_account_or_region_is_another_service_and_the_own_is_not_shown(origin, shown):
    assert SETTINGS.service_of_log_group("/aws/lambda/mailer", elsewhere(origin, HOME)) == shown


def test_what_the_settings_name_is_one_service_in_every_account():
    where = elsewhere(Origin("222222222222", "eu-west-3"), HOME)
    assert SETTINGS.service_of_log_group("/aws/lambda/jobs-night", where) == "jobs"
    assert SETTINGS.service_of_alarm("jobs-errors", {}, where) == "jobs"


def test_alarms_of_one_name_in_two_accounts_are_two_services():
    where = elsewhere(Origin("222222222222", "eu-central-1"), HOME)
    assert (
        SETTINGS.service_of_alarm("Depth", {"QueueName": "mail-dlq"}, where)
        == "mail-dlq (queue) (222222222222)"
    )
    assert SETTINGS.service_of_alarm("Depth", {"QueueName": "mail-dlq"}) == "mail-dlq (queue)"


RESOURCES = st.dictionaries(
    st.sampled_from(["QueueName", "TableName", "ClusterName", "ServiceName", "ApiName", "Stage"]),
    st.text("ab-", min_size=1, max_size=3),
    max_size=3,
)


@given(RESOURCES, RESOURCES, NAMES, NAMES)
def test_alarms_of_two_things_are_never_one_service_nor_that_of_a_log_group(one, other, name, group):
    first, second = (SETTINGS.service_of_alarm(name, each) for each in (one, other))
    assert (first == second) == (one == other)
    assert first != SETTINGS.service_of_log_group(f"/aws/lambda/{group}")
    assert first != SETTINGS.service_of_log_group(group)


def test_two_services_of_one_cluster_are_two_services_and_what_they_are_is_said():
    one, other = (
        SETTINGS.service_of_alarm("Cpu", {"ClusterName": "prod", "ServiceName": name})
        for name in ("shop", "mail")
    )
    assert (one, other) == ("prod, shop (ClusterName, ServiceName)", "prod, mail (ClusterName, ServiceName)")


def test_an_alarm_of_a_function_is_with_what_the_function_logs():
    of_alarm = SETTINGS.service_of_alarm("Errors", {"Resource": "mailer:live", "FunctionName": "mailer"})
    assert of_alarm == SETTINGS.service_of_log_group("/aws/lambda/mailer") == "mailer"


def test_alarms_without_any_resource_are_each_by_itself_and_no_function():
    assert SETTINGS.service_of_alarm("orders", {}) == "orders (alarm)"
    assert SETTINGS.service_of_alarm("orders", {"Currency": "USD"}) == "orders (alarm)"
