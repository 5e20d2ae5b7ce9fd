"""Services, routes and intervals: ``tocsin.toml``, with the deployment's own values laid over it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.core.config.account_names import read_account_names
from tocsin.core.config.error_settings import SERVICE_KEYS, ErrorSettings, read_error_settings
from tocsin.core.config.routing import Routing
from tocsin.core.model import TEST_MODE_GROUP, Millis
from tocsin.core.problems import ConfigurationError, Problem, did_you_mean
from tocsin.core.times import parse_duration

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

FILE = "tocsin.toml"
MAX_SERVICE_LENGTH = 100
MAX_AFTER_DEPLOY: Millis = 3_600_000


class Intervals(Struct, frozen=True):
    """When an incident speaks; the meanings are Alertmanager's.

    Attributes:
        group_wait: How long a new incident waits for company before its first notification.
        group_interval: The least time between two count roll-ups of one incident.
        repeat_interval: How long an unchanged, still firing incident stays quiet before it reminds.
        resolve_after: How long an alert must be quiet to count as resolved.
        max_resolve_after: The longest quiet that is asked of an alert because it keeps coming back; 0 asks for no more
            than ``resolve_after`` of any.
        regress_within: How long after it was over an alert that is seen again belongs to the same incident.
        wide_within: How soon after another an incident with the same cause belongs to the same wide incident; 0 for never.
        digest_interval: How often what signatures in test mode recognised is told in one digest; 0 for never.
        acknowledged_for: How long nobody is reminded of an incident that somebody has.
    """

    group_wait: Millis = 0
    group_interval: Millis = 5 * 60_000
    repeat_interval: Millis = 4 * 3_600_000
    resolve_after: Millis = 15 * 60_000
    max_resolve_after: Millis = 6 * 3_600_000
    regress_within: Millis = 24 * 3_600_000
    wide_within: Millis = 2 * 60_000
    digest_interval: Millis = 24 * 3_600_000
    acknowledged_for: Millis = 4 * 3_600_000


class RepliesInChannel(StrEnum):
    """Which replies in an incident's thread are shown in the channel too."""

    NEVER = "never"
    IMPORTANT = "important"
    ALWAYS = "always"


class Service(Struct, frozen=True):
    """One service: the group its alerts are gathered in.

    Attributes:
        name: As it is shown.
        log_groups: Globs (``*``, ``?``) of the log groups that belong to it.
        alarms: Globs of alarm names, queue names and function names that belong to it.
        stacks: Globs of the CloudFormation stacks that deploy it; a stack may deploy several services.
        strict: Whether of its lines only what is known to be harmless is shown.
        after_deploy: For how long after a deploy of it what begins is start-up noise, unless it is critical; 0 for never.
    """

    name: str
    log_groups: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    strict: bool = False
    after_deploy: Millis = 0


class Settings(Struct, frozen=True):
    """Everything that is configuration and not a signature.

    Attributes:
        intervals: When an incident speaks.
        services: In the order they are tried; the first that fits wins.
        runbooks_url: Where the runbooks are read: a signature's ``runbook`` is appended to it.
        routing: Which destinations are told of which alerts.
        redaction: Rules of redaction besides those that are built in.
        strict_log_groups: Globs of the log groups of whose lines only what is known to be harmless is shown.
        replies_in_channel: Which replies in an incident's thread are shown in the channel too.
        may_act: The id of the user group whose members may act from Slack; empty for everybody in the channel.
        errors: Which lines are unknown errors.
        accounts: What accounts are called, by their number.
    """

    intervals: Intervals = field(default_factory=Intervals)
    services: tuple[Service, ...] = ()
    runbooks_url: str = "https://github.com/tocsin-alerts/tocsin/blob/main/runbooks/"
    routing: Routing = field(default_factory=Routing)
    redaction: tuple[Rule, ...] = ()
    strict_log_groups: tuple[str, ...] = ()
    replies_in_channel: RepliesInChannel = RepliesInChannel.IMPORTANT
    may_act: str = ""
    errors: ErrorSettings = field(default_factory=ErrorSettings)
    accounts: Mapping[str, str] = field(default_factory=dict)

    def service_of_log_group(self, log_group: str, elsewhere: str = "") -> str:
        """Name the service a log group belongs to: the configured one, else one that is this log group alone.

        Args:
            log_group: Its whole name.
            elsewhere: Its account and Region, as far as they are not Tocsin's own (``origin.elsewhere``).

        Returns:
            For a log group that no service claims, a name that no other log group has, in no account and no Region.
        """
        for service in self.services:
            if any(fnmatchcase(log_group, glob) for glob in service.log_groups):
                return service.name
        return _located(_unreserved(short_name(log_group)), elsewhere)

    def is_strict(self, service: str, log_group: str = "") -> bool:
        """Whether of a service's or log group's lines only what is known to be harmless is shown."""
        return any(entry.strict and entry.name == service for entry in self.services) or (
            bool(log_group) and _fits(log_group, self.strict_log_groups)
        )

    def service_of_alarm(self, name: str, dimensions: Mapping[str, str], elsewhere: str = "") -> str:
        """Name the service an alarm belongs to, by its name and the resources its metric is about.

        An alarm that no service claims is a service of its own, so that it still reaches people: the function that
        its metric is about, whose log group has the same name; else all that its metric names, which says what kind of
        thing it is, so that a queue is not the function of its name; and without any (a currency is none) the alarm.

        Args:
            name: The alarm's name.
            dimensions: Those of its metric.
            elsewhere: Its account and Region, as far as they are not Tocsin's own.
        """
        candidates = (name, *dimensions.values())
        for service in self.services:
            if any(fnmatchcase(candidate, glob) for glob in service.alarms for candidate in candidates):
                return service.name
        return _located(_unreserved(_of_resources(dimensions) or f"{name} (alarm)"), elsewhere)

    def after_deploy(self, service: str) -> Millis:
        """For how long after a deploy of a service what begins is start-up noise; 0 for never."""
        return next((entry.after_deploy for entry in self.services if entry.name == service), 0)

    def service_of_function(self, function: str) -> str:
        """Name the service of a Lambda function: that of the log group Lambda gives it, else as for an alarm."""
        named = self.service_of_log_group(f"/aws/lambda/{function}")
        return named if named != function else self.service_of_alarm(function, {"FunctionName": function})

    def services_of_stack(self, stack: str) -> tuple[str, ...]:
        """Name the services that claim a stack: by ``stacks``, or where none does by ``alarms``; empty for none."""
        by_stacks = [entry.name for entry in self.services if _fits(stack, entry.stacks)]
        return tuple(by_stacks or [entry.name for entry in self.services if _fits(stack, entry.alarms)])


_LAMBDA = "/aws/lambda/"
_AWS = "/aws/"


def short_name(log_group: str) -> str:
    """A log group's name as short as it can be without being another's.

    ``/aws/lambda/orders`` is ``orders``, the function's name; of what other services of AWS write only ``/aws/`` goes.
    All else stays whole, and a name without a slash, which could be taken for a function's, says what it is.
    """
    function = log_group.removeprefix(_LAMBDA)
    if function != log_group:
        return function if function and "/" not in function else log_group
    if log_group.startswith(_AWS):
        rest = log_group.removeprefix(_AWS)
        return rest if "/" in rest and not rest.startswith("/") else log_group
    # Without a slash it could be a function's name, with one inside it could be of AWS's.
    return log_group if log_group.startswith("/") or not log_group else f"{log_group} (log group)"


_KINDS = {
    "QueueName": "queue",
    "TopicName": "topic",
    "TableName": "table",
    "BucketName": "bucket",
    "ApiName": "API",
    "ApiId": "API id",
    "StateMachineArn": "state machine",
    "DBInstanceIdentifier": "database instance",
    "DBClusterIdentifier": "database cluster",
    "LogGroupName": "log group",
}
"""What the values of dimensions are, in words; of others the dimension's own name is said."""


def _of_resources(dimensions: Mapping[str, str]) -> str:
    """What a metric is about, in a name that no other thing has; empty for nothing."""
    if dimensions.get("FunctionName"):
        return dimensions["FunctionName"]
    resources = sorted(
        (each for each in dimensions.items() if each[0] != "Currency"), key=lambda each: each[0]
    )
    if not resources:
        return ""
    values = ", ".join(value for _, value in resources)
    return f"{values} ({', '.join(_KINDS.get(dimension, dimension) for dimension, _ in resources)})"


def _located(name: str, elsewhere: str) -> str:
    return f"{name} ({elsewhere})" if elsewhere else name


def _fits(name: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def parse_settings(text: str, overrides: Mapping[str, str]) -> Settings:
    """Read ``tocsin.toml`` and lay the deployment's values over it.

    Args:
        text: The file's content.
        overrides: Environment variables; those that count are ``TOCSIN_GROUP_WAIT``,
            ``TOCSIN_GROUP_INTERVAL``, ``TOCSIN_REPEAT_INTERVAL``, ``TOCSIN_RESOLVE_AFTER``,
            ``TOCSIN_REGRESS_WITHIN``, ``TOCSIN_DIGEST_INTERVAL``, ``TOCSIN_ACKNOWLEDGED_FOR`` (durations) and
            ``TOCSIN_RUNBOOKS_URL``, ``TOCSIN_REPLIES_IN_CHANNEL``. Empty ones do not count.

    Raises:
        ConfigurationError: With every problem found.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError.of(FILE, "", f"not TOML: {error}") from error
    problems: list[Problem] = []
    routing = {"destinations", "owners", "routes"}
    # The last four are read elsewhere: what changes the pack with the signatures, what is deployed by the command.
    known = (
        {"intervals", "services", "links", "redaction", "slack", "errors", "accounts"}
        | routing
        | {"override", "pack", "deploy", "env"}
    )
    problems += [
        Problem(FILE, key, f"unknown key{did_you_mean(key, known)}; known are {', '.join(sorted(known))}")
        for key in data
        if key not in known
    ]
    settings = Settings(
        intervals=_intervals(_table(data, "intervals", problems), overrides, problems),
        services=tuple(
            _service(name, table, problems) for name, table in _table(data, "services", problems).items()
        ),
        errors=read_error_settings(data, overrides, FILE, problems),
        accounts=read_account_names(_table(data, "accounts", problems), FILE, problems),
    )
    if routing & data.keys():
        # A file without routes, which is what ships, need not pay for reading them at a cold start.
        from tocsin.core.config.routing_reader import read_routing

        settings = replace(settings, routing=read_routing(data, FILE, problems))
    redaction = dict(_table(data, "redaction", problems))
    settings = replace(settings, strict_log_groups=_strict_log_groups(redaction.pop("strict", []), problems))
    if redaction:
        # Not at the top: it brings all of redaction with it, which a cold start without such rules need not wait for.
        from tocsin.core.redaction.custom_rules import read_redaction

        rules, found = read_redaction(redaction, FILE)
        problems += found
        settings = replace(settings, redaction=rules)
    links = _table(data, "links", problems)
    problems += [
        Problem(FILE, f"links.{key}", "unknown key; known is runbooks") for key in links if key != "runbooks"
    ]
    url = overrides.get("TOCSIN_RUNBOOKS_URL") or links.get("runbooks", settings.runbooks_url)
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        problems.append(Problem(FILE, "links.runbooks", f"must be an http(s) address, is {url!r}"))
    else:
        settings = replace(settings, runbooks_url=url if url.endswith("/") else url + "/")
    slack = _table(data, "slack", problems)
    problems += [
        Problem(FILE, f"slack.{key}", "unknown key; known are replies_in_channel, may_act")
        for key in slack
        if key not in {"replies_in_channel", "may_act"}
    ]
    may_act = slack.get("may_act", "")
    if isinstance(may_act, str) and re.fullmatch(r"(S[A-Z0-9]{2,20})?", may_act):
        settings = replace(settings, may_act=may_act)
    else:
        problems.append(
            Problem(FILE, "slack.may_act", f"must be the id of a user group (S...), is {may_act!r}")
        )
    replies = overrides.get("TOCSIN_REPLIES_IN_CHANNEL") or slack.get(
        "replies_in_channel", settings.replies_in_channel
    )
    if replies in set(RepliesInChannel):
        settings = replace(settings, replies_in_channel=RepliesInChannel(replies))
    else:
        one_of = ", ".join(RepliesInChannel)
        problems.append(Problem(FILE, "slack.replies_in_channel", f"must be one of {one_of}, is {replies!r}"))
    if problems:
        raise ConfigurationError(tuple(problems))
    return settings


def _table(data: Mapping[str, Any], key: str, problems: list[Problem]) -> Mapping[str, Any]:
    table = data.get(key, {})
    if isinstance(table, dict):
        return table
    problems.append(Problem(FILE, key, f"must be a table, is {table!r}"))
    return {}


_OFF = (("digest_interval", "off"), ("max_resolve_after", "off"), ("wide_within", "off"))


def _unreserved(service: str) -> str:
    """The name of a service that nobody configured, kept apart from the one that none may have."""
    return f"{service} (service)" if service == TEST_MODE_GROUP else service


def _intervals(table: Mapping[str, Any], overrides: Mapping[str, str], problems: list[Problem]) -> Intervals:
    names = list(Intervals.__struct_fields__)
    problems += [
        Problem(
            FILE, f"intervals.{key}", f"unknown key{did_you_mean(key, names)}; known are {', '.join(names)}"
        )
        for key in table
        if key not in names
    ]
    values: dict[str, Millis] = {}
    for name in names:
        variable = f"TOCSIN_{name.upper()}"
        where, value = (variable, overrides[variable]) if overrides.get(variable) else (FILE, table.get(name))
        if value is None:
            continue
        try:
            values[name] = 0 if (name, value) in _OFF else parse_duration(value)
        except ValueError as error:
            problems.append(Problem(where, f"intervals.{name}", str(error)))
    intervals = Intervals(**values)
    for name in ("group_interval", "repeat_interval", "resolve_after", "regress_within", "acknowledged_for"):
        if getattr(intervals, name) <= 0:
            problems.append(Problem(FILE, f"intervals.{name}", "must be longer than nothing"))
    return intervals


def _service(name: str, table: object, problems: list[Problem]) -> Service:
    key = f"services.{name}"
    if not name.strip() or len(name) > MAX_SERVICE_LENGTH:
        problems.append(Problem(FILE, key, f"a service has a name of 1 to {MAX_SERVICE_LENGTH} characters"))
    if name == TEST_MODE_GROUP:
        problems.append(
            Problem(FILE, key, "is the group of what is in test mode; a service has another name")
        )
    if not isinstance(table, dict):
        problems.append(Problem(FILE, key, f"must be a table, is {table!r}"))
        return Service(name)
    read_apart = ("after_deploy", *SERVICE_KEYS)  # the latter with the rest of what is said about errors
    known = ("log_groups", "alarms", "stacks", "redaction", *read_apart)
    globs: dict[str, tuple[str, ...]] = {}
    for entry, value in table.items():
        if entry in read_apart:
            continue
        if entry == "redaction":
            if value not in _REDACTIONS:
                problems.append(
                    Problem(
                        FILE, f"{key}.redaction", f"must be one of {', '.join(_REDACTIONS)}, is {value!r}"
                    )
                )
        elif entry not in known:
            problems.append(
                Problem(
                    FILE,
                    f"{key}.{entry}",
                    f"unknown key{did_you_mean(entry, known)}; known are {', '.join(known)}",
                )
            )
        elif not isinstance(value, list) or not all(isinstance(glob, str) and glob for glob in value):
            problems.append(Problem(FILE, f"{key}.{entry}", f"must be a list of globs, is {value!r}"))
        else:
            globs[entry] = tuple(value)
    after_deploy = _after_deploy(table.get("after_deploy", "0s"), key, problems)
    return Service(name, **globs, strict=table.get("redaction") == "strict", after_deploy=after_deploy)


def _after_deploy(value: Any, key: str, problems: list[Problem]) -> Millis:
    try:
        span = parse_duration(value)
    except ValueError as error:
        problems.append(Problem(FILE, f"{key}.after_deploy", str(error)))
        return 0
    if span > MAX_AFTER_DEPLOY:
        reason = "at most an hour: what is longer is no start"
        problems.append(Problem(FILE, f"{key}.after_deploy", reason))
    return span


_REDACTIONS = ("default", "strict")
"""How a service's lines are shown: by the rules, or only what is known to be harmless."""


def _strict_log_groups(value: object, problems: list[Problem]) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(glob, str) and glob for glob in value):
        return tuple(value)
    problems.append(Problem(FILE, "redaction.strict", f"must be a list of globs of log groups, is {value!r}"))
    return ()
