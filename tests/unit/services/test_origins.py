"""Logs gathered in a central account, and names that several accounts have: each alert is told of its origin."""

from __future__ import annotations

import json

import pytest
from test_detecting import BOOM, MIN, SETTINGS, SIGNATURES, T0, World, alarm, logs

from tocsin.core.matching.matcher import Matcher
from tocsin.services.detection import Detector

HOME = "123456789012"


class Central(World):
    """A detector that knows its own account."""

    def another_process(self):
        return Detector(
            Matcher(SIGNATURES), SIGNATURES, SETTINGS, reconciler=self._make_settler, failure_queue=lambda: self,
            own_log_groups="/tocsin/", region="us-east-1", account=HOME,
        )  # fmt: skip


def gathered(*log_groups, account="777788889999", region="sa-east-1"):
    return logs(
        [],
        group="/central/everything",
        logEvents=[
            {
                "id": f"{number}", "timestamp": 1_770_000_000_000 + number, "message": BOOM,
                "extractedFields": {"@aws.account": account, "@aws.region": region, "@source.log": log_group},
            }
            for number, log_group in enumerate(log_groups)
        ],
    )  # fmt: skip


@pytest.fixture
def world():
    return Central()


def test_an_alert_is_told_with_the_account_region_group_and_links_of_its_origin(world):
    world.detect(gathered("/aws/lambda/invoicing"))
    (told,) = world.published
    (alert,) = told["alerts"]
    assert told["service"] == "invoicing (777788889999 sa-east-1)"
    assert (alert["account"], alert["region"]) == ("777788889999", "sa-east-1")
    assert alert["source"] == {"log_group": "/aws/lambda/invoicing", "log_stream": None, "alarm": None}
    assert alert["links"]["insights"].startswith("https://sa-east-1.console.aws.amazon.com/")
    assert "central" not in json.dumps(told)


def test_two_origins_in_one_delivery_are_two_incidents(world):
    world.detect(gathered("/live/web", "/test/web", "/live/web"))
    told = {each["service"]: each["incident"]["count"] for each in world.published}
    assert told == {"/live/web (777788889999 sa-east-1)": 2, "/test/web (777788889999 sa-east-1)": 1}


def test_a_delivery_that_comes_again_counts_nothing_twice(world):
    for _ in range(2):
        done = world.detect(gathered("/live/web", "/test/web"))
    assert done.duplicates == 2
    assert len(world.published) == 2


def test_a_service_of_the_settings_is_found_by_the_log_group_of_the_origin(world):
    world.detect(gathered("/aws/lambda/my-backend"))
    assert [each["service"] for each in world.published] == ["backend"]


def test_tocsins_own_logs_are_refused_by_way_of_a_central_log_group_too(world):
    done = world.detect(gathered("/tocsin/detect"))
    assert world.published == []
    assert done.ignored == ["log group /tocsin/detect is Tocsin's own"]


def test_one_name_in_two_accounts_is_two_alerts(world):
    world.detect(logs([BOOM], group="/aws/lambda/mailer"))
    world.detect(logs([BOOM], group="/aws/lambda/mailer", owner="777788889999"))
    assert [each["service"] for each in world.published] == ["mailer", "mailer (777788889999)"]
    assert len({each["alerts"][0]["fingerprint"] for each in world.published}) == 2


def elsewhere_alarm(state, at):
    told = alarm(state, at)
    return json.loads(json.dumps(told).replace("123456789012", "777788889999"))


def test_alarms_of_one_name_in_two_accounts_that_one_service_claims_are_two_alerts_each_with_its_own_ok(
    world,
):
    world.detect(alarm())
    world.detect(elsewhere_alarm("ALARM", "2026-02-03T11:00:01.000+0000"), T0 + 1_000)
    world.detect(elsewhere_alarm("OK", "2026-02-03T11:04:00.000+0000"), T0 + 4 * MIN)
    states = {each["account"]: each["state"] for each in world.published[-1]["alerts"]}
    assert world.published[0]["service"] == "backend"
    assert states[HOME] == "firing"
    assert not any(each["reason"] == "resolved" for each in world.published)
    world.detect(alarm("OK", "2026-02-03T11:05:00.000+0000"), T0 + 5 * MIN)
    assert world.published[-1]["reason"] == "resolved"
