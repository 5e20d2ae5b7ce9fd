"""Services, routes and intervals: ``tocsin.toml``, with the deployment's own values laid over it."""

from __future__ import annotations

import re
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
from tocsin.core.problems import ConfigurationError, Problem
from tocsin.core.table_reader import TableReader
from tocsin.core.times import HOUR, MINUTE, parse_duration

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

FILE = "tocsin.toml"
MAX_SERVICE_LENGTH = 100
MAX_AFTER_DEPLOY: Millis = HOUR


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
    group_interval: Millis = 5 * MINUTE
    repeat_interval: Millis = 4 * HOUR
    resolve_after: Millis = 15 * MINUTE
    max_resolve_after: Millis = 6 * HOUR
    regress_within: Millis = 24 * HOUR
    wide_within: Millis = 2 * MINUTE
    digest_interval: Millis = 24 * HOUR
    acknowledged_for: Millis = 4 * HOUR


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
    import tomllib  # not at the top: `detect` has the table from the build

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError.of(FILE, "", f"not TOML: {error}") from error
    return read_settings(data, overrides)


def read_settings(data: Mapping[str, Any], overrides: Mapping[str, str]) -> Settings:
    """As `parse_settings`, of the file's content as a table.

    Args:
        data: The table.
        overrides: Environment variables, likewise.

    Raises:
        ConfigurationError: With every problem found.
    """
    top = TableReader(FILE, "", data)
    routing = {"destinations", "owners", "routes"}
    # The last four are read elsewhere: what changes the pack with the signatures, what is deployed by the command.
    top.only(
        sorted(
            {"intervals", "services", "links", "redaction", "slack", "errors", "accounts"}
            | routing
            | {"override", "pack", "deploy", "env"}
        )
    )
    settings = Settings(
        intervals=_intervals(top.subtable("intervals"), overrides),
        services=tuple(_service(name, table) for name, table in top.subtable("services").subtables()),
        errors=read_error_settings(top, overrides),
        accounts=read_account_names(top.subtable("accounts")),
    )
    if routing & data.keys():
        # A file without routes, which is what ships, need not pay for reading them at a cold start.
        from tocsin.core.config.routing_reader import read_routing

        settings = replace(settings, routing=read_routing(top))
    redaction = top.subtable("redaction")
    settings = replace(settings, strict_log_groups=redaction.strings("strict", "globs of log groups"))
    if redaction.table.keys() - {"strict"}:
        # Not at the top: it brings all of redaction with it, which a cold start without such rules need not wait for.
        from tocsin.core.redaction.custom_rules import read_redaction

        settings = replace(settings, redaction=read_redaction(redaction))
    links = top.subtable("links")
    links.only(["runbooks"])
    url = overrides.get("TOCSIN_RUNBOOKS_URL") or links.table.get("runbooks", settings.runbooks_url)
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        links.wrong("runbooks", f"must be an http(s) address, is {url!r}")
    else:
        settings = replace(settings, runbooks_url=url if url.endswith("/") else url + "/")
    slack = top.subtable("slack")
    slack.only(["replies_in_channel", "may_act"])
    may_act = slack.table.get("may_act", "")
    if isinstance(may_act, str) and re.fullmatch(r"(S[A-Z0-9]{2,20})?", may_act):
        settings = replace(settings, may_act=may_act)
    else:
        slack.wrong("may_act", f"must be the id of a user group (S...), is {may_act!r}")
    if replies := overrides.get("TOCSIN_REPLIES_IN_CHANNEL"):
        slack = TableReader(FILE, "slack", {"replies_in_channel": replies}, top)
    choice = slack.choice("replies_in_channel", RepliesInChannel, settings.replies_in_channel)
    settings = replace(settings, replies_in_channel=choice)
    if top.problems:
        raise ConfigurationError(tuple(top.problems))
    return settings


_OFF = (("digest_interval", "off"), ("max_resolve_after", "off"), ("wide_within", "off"))


def _unreserved(service: str) -> str:
    """The name of a service that nobody configured, kept apart from the one that none may have."""
    return f"{service} (service)" if service == TEST_MODE_GROUP else service


def _intervals(given: TableReader, overrides: Mapping[str, str]) -> Intervals:
    names = list(Intervals.__struct_fields__)
    given.only(names)
    values: dict[str, Millis] = {}
    for name in names:
        variable = f"TOCSIN_{name.upper()}"
        where, value = (
            (variable, overrides[variable]) if overrides.get(variable) else (FILE, given.table.get(name))
        )
        if value is None:
            continue
        try:
            values[name] = 0 if (name, value) in _OFF else parse_duration(value)
        except ValueError as error:
            given.problems.append(Problem(where, f"intervals.{name}", str(error)))
    intervals = Intervals(**values)
    for name in ("group_interval", "repeat_interval", "resolve_after", "regress_within", "acknowledged_for"):
        if getattr(intervals, name) <= 0:
            given.wrong(name, "must be longer than nothing")
    return intervals


def _service(name: str, given: TableReader) -> Service:
    if not name.strip() or len(name) > MAX_SERVICE_LENGTH:
        given.wrong("", f"a service has a name of 1 to {MAX_SERVICE_LENGTH} characters")
    if name == TEST_MODE_GROUP:
        given.wrong("", "is the group of what is in test mode; a service has another name")
    # The last two are read with the rest of what is said about errors.
    given.only(("log_groups", "alarms", "stacks", "redaction", "after_deploy", *SERVICE_KEYS))
    after_deploy = given.duration("after_deploy", 0)
    if after_deploy > MAX_AFTER_DEPLOY:
        given.wrong("after_deploy", "at most an hour: what is longer is no start")
    return Service(
        name,
        log_groups=given.strings("log_groups", "globs"),
        alarms=given.strings("alarms", "globs"),
        stacks=given.strings("stacks", "globs"),
        strict=given.choice("redaction", _REDACTIONS, "default") == "strict",
        after_deploy=after_deploy,
    )


_REDACTIONS = ("default", "strict")
"""How a service's lines are shown: by the rules, or only what is known to be harmless."""
