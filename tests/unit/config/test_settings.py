"""Settings: what is read, what is refused and in which words, and which service things belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.core.config.settings import Intervals, parse_settings
from tocsin.core.problems import ConfigurationError
from tocsin.core.times import format_duration, parse_duration

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = (ROOT / "functions" / "tocsin.toml").read_text("utf-8")


def refused(text, **overrides):
    with pytest.raises(ConfigurationError) as raised:
        parse_settings(text, overrides)
    return str(raised.value).splitlines()


def test_what_ships_is_right_and_says_the_defaults():
    assert parse_settings(SHIPPED, {}).intervals == Intervals()


def test_the_deployments_values_win_and_empty_ones_do_not_count():
    settings = parse_settings(SHIPPED, {"TOCSIN_GROUP_INTERVAL": "5", "TOCSIN_RESOLVE_AFTER": ""})
    assert settings.intervals.group_interval == 5_000
    assert settings.intervals.resolve_after == Intervals().resolve_after


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[intervals]\ngroup_interval = 'soon'",
            "tocsin.toml: intervals.group_interval: 'soon' is not a duration",
        ),
        (
            "[intervals]\ngroup_interval = '0s'",
            "tocsin.toml: intervals.group_interval: must be longer than nothing",
        ),
        ("[intervals]\npatience = '1s'", "tocsin.toml: intervals.patience: unknown key"),
        (
            "[interval]\n",
            "tocsin.toml: interval: unknown key (did you mean intervals?); known are accounts, deploy, destinations",
        ),
        ("intervals = 1", "tocsin.toml: intervals: must be a table"),
        ("[services]\na = 1", "tocsin.toml: services.a: must be a table"),
        ("[services.'']\n", "tocsin.toml: services.: a service has a name"),
        ("[services.a]\nlog_groups = '*'", "tocsin.toml: services.a.log_groups: must be a list of globs"),
        ("[services.a]\nloggroups = ['*']", "tocsin.toml: services.a.loggroups: unknown key"),
        ("[links]\nrunbooks = 'wiki'", "tocsin.toml: links.runbooks: must be an http(s) address"),
        (
            "[links]\nrunbook = 'x'",
            "tocsin.toml: links.runbook: unknown key (did you mean runbooks?); known is runbooks",
        ),
        ("[[[", "tocsin.toml: -: not TOML"),
    ],
    ids=lambda value: value[:40],
)
def test_a_mistake_is_named_with_file_key_and_reason(text, problem):
    assert any(line.startswith(problem) for line in refused(text)), refused(text)


def test_all_mistakes_are_said_at_once():
    assert len(refused("[intervals]\na = 1\nb = 2\n[links]\nrunbooks = 3")) == 3


def test_a_bad_parameter_is_named_by_its_variable():
    assert refused(SHIPPED, TOCSIN_GROUP_WAIT="later")[0].startswith(
        "TOCSIN_GROUP_WAIT: intervals.group_wait: 'later'"
    )


def test_services_are_found_by_log_group_and_by_alarm():
    settings = parse_settings(SHIPPED, {})
    assert settings.service_of_log_group("/aws/lambda/prod-BackendApiFunction-x1") == "backend"
    assert settings.service_of_log_group("/aws/lambda/mailer") == "mailer"
    assert settings.service_of_alarm("Depth", {"QueueName": "my-worker-dlq.fifo"}) == "worker"
    assert settings.service_of_alarm("worker-errors", {}) == "worker"
    assert settings.service_of_alarm("Depth", {"QueueName": "mail-dlq"}) == "mail-dlq (queue)"
    assert settings.service_of_alarm("Composite", {}) == "Composite (alarm)"


@pytest.mark.parametrize(
    ("text", "millis"), [("90s", 90_000), ("5m", 300_000), ("4h", 14_400_000), ("2d", 172_800_000), ("250ms", 250), ("7", 7_000), (1.5, 1_500)]
)  # fmt: skip
def test_durations_are_read(text, millis):
    assert parse_duration(text) == millis


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "-5m", "1h30m", "nan"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write for example 90s, 5m, 4h or 2d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("millis", "text"),
    [(0, "0 s"), (45_000, "45 s"), (11_520_000, "3 h 12 min"), (90_061_000, "1 d 1 h"), (-5, "0 s")],
)
def test_durations_are_written_for_people(millis, text):
    assert format_duration(millis) == text


def test_what_comes_back_can_be_asked_for_no_longer_quiet():
    assert parse_settings("[intervals]\nmax_resolve_after = 'off'", {}).intervals.max_resolve_after == 0
    assert parse_settings("", {"TOCSIN_MAX_RESOLVE_AFTER": "2h"}).intervals.max_resolve_after == 7_200_000
