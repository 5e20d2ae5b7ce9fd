"""Routing: where an alert is told, against a reference that does it the slow way; what is refused, and in which words."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sample_incidents import DLQ, IMPORT_ERROR, RUNBOOKS, SIGNATURES, TIMEOUT, incident, pending

from tocsin.core.config.routing import DEFAULT, LABELS, Destination, Route, Routing
from tocsin.core.config.routing_reader import routing_problems
from tocsin.core.config.settings import FILE, parse_settings
from tocsin.core.model import DRILL, AlertState, Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import document_of
from tocsin.core.notifications.parsing import parse_notification
from tocsin.core.problems import ConfigurationError
from tocsin.core.signatures.drill import SIGNATURE
from tocsin_cli.main import main

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "routing.md").read_text("utf-8")
EXAMPLE, DEPLOYED = re.findall(r"(?ms)^```toml\n(.*?)^```$", PAGE)
ONCALL = "[destinations.oncall]\nsecret = 'tocsin/oncall'\n"


def routing_of(text: str) -> Routing:
    return parse_settings(text, {}).routing


def refused(text: str) -> list[str]:
    """The problems of a file, with the signatures ``known`` and the owner ``team``."""
    try:
        routing = routing_of(text)
    except ConfigurationError as error:
        return str(error).splitlines()
    return [str(problem) for problem in routing_problems(routing, FILE, {"known"}, {"team"}, {"host"})]


def places(text: str, **labels: str) -> tuple[str, ...]:
    return routing_of(text).destinations_of(labels)


# ------------------------------------------------------------------ the walk


NAMES = ("default", "a", "b", "c")
VALUES = {
    "severity": ["critical", "low"],
    "service": ["worker", "web", "web-1"],
    "owner": ["", "team"],
    "signature": ["x"],
}
GLOBS = ["*", "w*", "web*", "web-?", "worker", "critical", "low", "team", "x", "", "[w]eb"]
labels_strategy = st.fixed_dictionaries({label: st.sampled_from(VALUES[label]) for label in LABELS})
matches = st.dictionaries(
    st.sampled_from(LABELS), st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2).map(tuple), max_size=2
)


def trees(children):
    return st.lists(
        st.builds(Route, st.just("r"), matches, st.sampled_from(NAMES), st.booleans(), children), max_size=3
    ).map(tuple)


forests = trees(trees(trees(st.just(()))))


def reference(routes, destination, labels):
    """Alertmanager's own recursion: a node answers with its children's answers, or with itself."""
    answers = []
    for route in routes:
        fits = True
        for label, globs in route.match.items():
            fits = fits and any(fnmatchcase(labels[label], glob) for glob in globs)
        if fits:
            answers += reference(route.routes, route.destination, labels)
            if not route.goes_on:
                break
    return answers or [destination]


@given(forests, labels_strategy)
def test_the_walk_is_alertmanagers(routes, labels):
    routing = Routing({name: Destination(name) for name in NAMES}, {}, routes)
    assert [arrival.destination for arrival in routing.arrivals(labels)] == reference(routes, DEFAULT, labels)
    assert routing.destinations_of(labels)


def reached(routes, labels):
    """The routes by identity that an alert comes to."""
    for route in routes:
        if route.fits(labels):
            yield id(route)
            yield from reached(route.routes, labels)
            if not route.goes_on:
                return


def keyed(routes, under="routes"):
    return tuple(
        Route(f"{under}[{n}]", each.match, each.destination, each.goes_on, keyed(each.routes, f"{under}[{n}].routes"))
        for n, each in enumerate(routes)
    )  # fmt: skip


def flat(routes):
    for route in routes:
        yield route
        yield from flat(route.routes)


@given(forests, st.lists(labels_strategy, min_size=1, max_size=20))
def test_no_route_that_some_alert_comes_to_is_called_unreachable(routes, alerts):
    routes = keyed(routes)
    problems = list(routing_problems(Routing({}, {}, routes), FILE, {"x"}, {"team"}))
    unreachable = {problem.key for problem in problems if "no alert comes here" in problem.reason}
    by_id = {id(route): route.key for route in flat(routes)}
    come_to = {by_id[each] for labels in alerts for each in reached(routes, labels)}
    assert not unreachable & come_to


def test_without_routes_everything_goes_to_the_default_destination():
    assert places("", severity="low", service="x") == ("default",)
    assert routing_of("").destinations == {"default": Destination("default")}


def test_a_child_without_a_destination_has_its_parents():
    text = (
        ONCALL
        + "[[routes]]\nmatch={service=['w*']}\ndestination='oncall'\n[[routes.routes]]\nmatch={severity=['low']}\n"
    )
    (arrival,) = routing_of(text).arrivals({"service": "web", "severity": "low"})
    assert [route.key for route in arrival.path] == ["routes[0]", "routes[0].routes[0]"]
    assert arrival.destination == "oncall"


# ------------------------------------------------------------------ a notification


def told(reason, *alerts, about=(), owners=None):
    signatures = {
        name: rule if name not in (owners or {}) else replace(rule, owner=owners[name])
        for name, rule in SIGNATURES.items()
    }
    return build_notification(incident(*alerts), pending(reason, *about), signatures, runbooks_url=RUNBOOKS)


BY_SEVERITY = """
[destinations.oncall]
secret = "tocsin/oncall"
mention = "S0ONCALL1"
[destinations.calm]
secret = "tocsin/calm"
[owners.data]
mention = "S0DATATEAM"
[[routes]]
match = { severity = ["critical"] }
destination = "oncall"
[[routes]]
match = { severity = ["medium"] }
destination = "calm"
"""
OWNED = {"lambda-timeout": "data"}


def calls(notification):
    return {
        each.destination.name: each.mentions for each in routing_of(BY_SEVERITY).targets_for(notification)
    }


def test_an_incident_is_told_wherever_one_of_its_alerts_leads_and_calls_only_where_the_news_leads():
    opened = told(Reason.OPENED, TIMEOUT, about=[TIMEOUT], owners=OWNED)
    assert calls(opened) == {"calm": ("S0DATATEAM",)}
    joined = told(Reason.NEW_ALERT, TIMEOUT, IMPORT_ERROR, about=[IMPORT_ERROR], owners=OWNED)
    assert calls(joined) == {"oncall": ("S0ONCALL1",), "calm": ()}
    reminder = told(Reason.REPEAT, TIMEOUT, IMPORT_ERROR, about=[], owners=OWNED)
    assert calls(reminder) == {"oncall": ("S0ONCALL1",), "calm": ("S0DATATEAM",)}


def test_the_message_goes_on_naming_whom_it_concerns_until_it_is_over():
    joined = told(Reason.NEW_ALERT, TIMEOUT, IMPORT_ERROR, about=[IMPORT_ERROR], owners=OWNED)
    concerned = {
        each.destination.name: each.concerned for each in routing_of(BY_SEVERITY).targets_for(joined)
    }
    assert concerned == {"oncall": ("S0ONCALL1",), "calm": ("S0DATATEAM",)}
    over = told(Reason.RESOLVED, TIMEOUT, IMPORT_ERROR, about=[TIMEOUT], owners=OWNED)
    assert {each.concerned for each in routing_of(BY_SEVERITY).targets_for(over)} == {()}


BY_DAY = """
[destinations.default]
mention = {{ critical = ["@here", "U0123ABCD"], medium = "S0614TZR7" }}
mention_hours = "{hours}"
zone = "Europe/Berlin"
[owners.data]
mention = {{ medium = "W0123ABCD" }}
"""


def called_at(hours, notification, hours_of=BY_DAY):
    [target] = routing_of(hours_of.format(hours=hours)).targets_for(notification)
    return target.mentions, target.concerned


def hours_around(notification, offset=0):
    """Hours of a day that hold, or with an offset of some hours do not hold, the moment of a notification."""
    local = datetime.fromisoformat(notification.at).astimezone(ZoneInfo("Europe/Berlin"))
    begin, end = (local + timedelta(hours=offset + more) for more in (-1, 1))
    return f"{begin:%H}:00-{end:%H}:59"


def test_each_severity_calls_its_own_people_groups_or_whoever_is_here():
    both = told(Reason.OPENED, TIMEOUT, IMPORT_ERROR, about=[TIMEOUT, IMPORT_ERROR], owners=OWNED)
    everyone = {"@here", "U0123ABCD", "S0614TZR7", "W0123ABCD"}
    assert set(called_at(hours_around(both), both)[0]) == everyone
    critical = told(Reason.OPENED, IMPORT_ERROR, about=[IMPORT_ERROR])
    assert called_at(hours_around(critical), critical)[0] == ("@here", "U0123ABCD")


def test_at_night_what_can_wait_calls_nobody_and_what_cannot_does():
    both = told(Reason.OPENED, TIMEOUT, IMPORT_ERROR, about=[TIMEOUT, IMPORT_ERROR], owners=OWNED)
    assert called_at(hours_around(both, 6), both) == (("@here", "U0123ABCD"),) * 2
    mild = told(Reason.OPENED, TIMEOUT, about=[TIMEOUT], owners=OWNED)
    assert called_at(hours_around(mild, 6), mild) == ((), ())


def test_what_cannot_wait_is_the_destinations_to_say():
    mild = told(Reason.OPENED, TIMEOUT, about=[TIMEOUT])
    routing = BY_DAY.format(hours=hours_around(mild, 6)).replace(
        "[owners.data]", 'urgent = ["medium"]\n[owners.data]'
    )
    [target] = routing_of(routing).targets_for(mild)
    assert target.mentions == ("S0614TZR7",)


def test_a_symptom_calls_nobody():
    joined = told(Reason.NEW_ALERT, IMPORT_ERROR, DLQ, about=[DLQ], owners={"dlq-depth": "data"})
    assert set().union(*calls(joined).values()) == set()


def test_a_drill_is_told_where_its_alert_leads_and_calls_nobody_whatever_the_routes_say():
    everything = BY_SEVERITY + '[[routes]]\nmatch = { severity = ["low"] }\ndestination = "oncall"\n'
    drilled = replace(TIMEOUT, signature=DRILL, fingerprint="drill")
    signatures = {**SIGNATURES, DRILL: SIGNATURE}
    for reason in Reason:
        told_of = build_notification(
            incident(drilled), pending(reason, drilled), signatures, runbooks_url=RUNBOOKS
        )
        for each in routing_of(everything).targets_for(told_of):
            assert (each.mentions, each.concerned) == ((), ()), reason


def test_what_is_over_is_told_where_it_began_and_calls_nobody():
    over = told(
        Reason.RESOLVED,
        *(replace(alert, state=AlertState.RESOLVED) for alert in (TIMEOUT, IMPORT_ERROR)),
        owners=OWNED,
    )
    assert calls(over) == {"oncall": (), "calm": ()}


def test_a_notification_of_an_earlier_version_is_routed_too():
    notification = document_of(told(Reason.OPENED, IMPORT_ERROR, about=[IMPORT_ERROR]))
    for alert in notification["alerts"]:
        del alert["owner"]
    del notification["labels"]
    assert calls(parse_notification(json.dumps(notification))) == {"oncall": ("S0ONCALL1",)}


# ------------------------------------------------------------------ what is refused


ROUTE = ONCALL + "[[routes]]\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ROUTE + "destination = 'nowhere'", "routes[0].destination: no such destination: 'nowhere'; there are default, oncall"),
        (ROUTE + "match = {severity = ['awful']}", "routes[0].match.severity: 'awful': no such severity"),
        (ROUTE + "match = {severity = ['c*']}", "routes[0].match.severity: takes no patterns"),
        (ROUTE + "match = {signature = ['unknown']}", "routes[0].match.signature: 'unknown': there is no such signature"),
        (ROUTE + "match = {owner = ['nobody']}", "routes[0].match.owner: 'nobody': no signature has this owner"),
        (ROUTE + "match = {services = ['x']}", "routes[0].match.services: unknown key (did you mean service?); known are severity, service"),
        (ROUTE + "match = {service = 'x'}", "routes[0].match.service: must be a list of at least one text"),
        (ROUTE + "match = {service = []}", "routes[0].match.service: must be a list of at least one text"),
        (ROUTE + "match = 'x'", "routes[0].match: must be a table"),
        (ROUTE + "group_by = ['hosts']", "routes[0].group_by: 'hosts': no such label (did you mean host?); there are signature, service"),
        (ROUTE + "group_by = ['signatur']", "routes[0].group_by: 'signatur': no such label (did you mean signature?)"),
        (ROUTE + "group_by = []", "routes[0].group_by: must be a list of at least one label"),
        (ROUTE + "group_by = 'host'", "routes[0].group_by: must be a list of at least one label"),
        (ROUTE + "group_by = ['...', 'host']", 'routes[0].group_by: "..." joins nothing and stands alone'),
        (ROUTE + "[[routes.routes]]\ngroup_by = ['x']", "routes[0].routes[0].group_by: 'x': no such label"),
        (ROUTE + "groupby = ['host']", "routes[0].groupby: unknown key (did you mean group_by?)"),
        (ROUTE + "continue = 'yes'", "routes[0].continue: must be true or false"),
        (ROUTE + "continues = true", "routes[0].continues: unknown key"),
        (ROUTE + "[[routes.routes]]\ndestination = 'x'", "routes[0].routes[0].destination: no such destination"),
        (ROUTE + "[[routes]]\nmatch = {service = ['x']}", "routes[1]: no alert comes here: routes[0] takes them all"),
        (ROUTE + "match = {service = ['w*']}\n[[routes]]\nmatch = {service = ['web-*', 'worker'], severity = ['low']}", "routes[1]: no alert comes here: routes[0]"),
        (ROUTE + "match = {severity = ['critical', 'high', 'medium', 'low']}\n[[routes]]\n", "routes[1]: no alert comes here"),
        (ROUTE + "match = {severity = ['low']}\n[[routes.routes]]\nmatch = {severity = ['high']}", "routes[0].routes[0]: no alert comes here: routes[0] lets none of these through"),
        ("routes = 1", "routes: must be a list of tables, write [[routes]]"),
        ("[routes]\nmatch = 1", "routes: must be a list of tables"),
        (ROUTE + "routes = {}", "routes[0].routes: must be a list of tables, write [[routes.routes]]"),
        ("destinations = 1", "destinations: must be a table of tables"),
        ("[destinations]\na = 1", "destinations.a: must be a table, write [destinations.a]"),
        ("[destinations.a]", "destinations.a.secret: must be the name of a secret"),
        ("[destinations.'a b']\nsecret = 'x'", "destinations.a b: a destination's name is"),
        ("[destinations.a]\nsecret = 'x'\nchannel = 'C1'", "destinations.a.channel: unknown key; known are secret, mention, mention_hours, zone, urgent"),
        ("[destinations.default]\nsecret = 'x'", "destinations.default.secret: the parameter SlackSecretName names"),
        (ONCALL + "[destinations.b]\nsecret = 'tocsin/oncall'", "destinations.b.secret: is also the secret of oncall"),
        ("[owners]\nx = 'S0614TZR7'", "owners.x: must be a table, write [owners.x]"),
        ("[owners.x]", "owners.x.mention: is missing"),
        ("[owners.' ']\nmention = 'S0614TZR7'", "owners. : an owner has a name"),
        ("[owners.x]\nmention = 'S0614TZR7'\nmail = 'a'", "owners.x.mail: unknown key; known is mention"),
        *[
            (f"[owners.x]\nmention = {json.dumps(mention)}", "owners.x.mention: must be the id of a Slack user group")
            for mention in ("", "@team", "<!subteam^S0614TZR7>", "S0614TZR7|x", "C0614TZR7", "s0614tzr7", "S0614TZR7\n", "!here", "@channel", "S1", 5)
        ],
        (
            "[destinations.default]\nmention = { critical = 'S0614TZR7', awful = '@here' }",
            "destinations.default.mention.awful: unknown key; known are critical",
        ),
        ("[destinations.default]\nmention = { low = '@all' }", "destinations.default.mention.low: must be the id"),
        ("[destinations.default]\nmention = ['@here', '']", "destinations.default.mention: must be the id"),
        ("[destinations.default]\nmention_hours = 'by day'", "destinations.default.mention_hours: 'by day' are no hours"),
        (
            "[destinations.default]\nmention_hours = '08:00-20:00'\nzone = 'Berlin'",
            "destinations.default.zone: 'Berlin' is no time zone",
        ),
        (
            "[destinations.default]\nmention_hours = '08:00-20:00'\nurgent = ['awful']",
            "destinations.default.urgent: must be a list of severities",
        ),
        ("[destinations.default]\nzone = 'Europe/Berlin'", "destinations.default.zone: has no meaning without mention_hours"),
        ("[destinations.default]\nmention = '!channel'", "destinations.default.mention: must be the id of a Slack user group"),
    ],
    ids=lambda value: value[:60],
)  # fmt: skip
def test_a_mistake_in_the_routing_is_named_with_file_key_and_reason(text, problem):
    assert any(line.startswith(f"tocsin.toml: {problem}") for line in refused(text)), refused(text)


@pytest.mark.parametrize(
    "text",
    [
        ROUTE + "continue = true\n[[routes]]\nmatch = {service = ['x']}",
        ROUTE + "match = {service = ['x']}\n[[routes]]\nmatch = {service = ['x*']}",
        ROUTE + "match = {severity = ['low']}\n[[routes]]\nmatch = {service = ['x']}",
        ROUTE + "match = {signature = ['known', 'un*'], owner = ['team', '']}",
        "[destinations.default]\nmention = 'S0614TZR7'",
        ROUTE + "group_by = ['signature', 'host', 'account', 'region', 'severity', 'owner']",
        ROUTE + "group_by = ['...']",
    ],
)
def test_what_can_be_meant_so_is_not_refused(text):
    assert refused(text) == []


@pytest.mark.parametrize("credential", ["xoxb-123-secret", "https://hooks.slack.com/services/T0/B0/secret"])
def test_a_credential_in_the_place_of_its_secrets_name_is_refused_and_not_quoted(credential):
    (line,) = refused(f"[destinations.a]\nsecret = '{credential}'")
    assert "never the credential itself" in line
    assert credential not in line


# ------------------------------------------------------------------ the example, and the command


@pytest.fixture
def root(tmp_path):
    shutil.copytree(ROOT / "functions" / "signatures", tmp_path / "functions" / "signatures")
    shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks")
    shipped = (ROOT / "functions" / "tocsin.toml").read_text("utf-8")
    (tmp_path / "functions" / "tocsin.toml").write_text(f"{shipped}\n{EXAMPLE}", "utf-8")
    return tmp_path / "functions"


def test_the_example_of_the_page_is_right_and_does_what_the_page_says(root, capsys):
    assert main(["check", "--root", str(root)]) == 0
    assert "3 destinations: all right" in capsys.readouterr().err
    assert places(EXAMPLE, severity="critical", service="import-eu") == ("oncall", "data")
    assert places(EXAMPLE, severity="critical", service="web") == ("oncall",)
    assert places(EXAMPLE, severity="high", service="worker") == ("data",)
    assert places(EXAMPLE, severity="low", service="worker") == ("default",)
    assert places(EXAMPLE, severity="high", service="web") == ("default",)
    named = tomllib.loads(DEPLOYED)["deploy"]["parameters"]["MoreSlackSecretNames"]
    assert named == [each["secret"] for each in tomllib.loads(EXAMPLE)["destinations"].values()]


def test_route_says_the_way_the_destination_its_secret_and_whom_it_calls(root, capsys):
    assert (
        main(["route", "--root", str(root), "--labels", "severity=critical,service=worker, owner=data-team"])
        == 0
    )
    assert capsys.readouterr().out.splitlines() == [
        "alert        severity=critical, service=worker, owner=data-team",
        "destination  oncall",
        "  by         routes[0] (severity=critical)",
        "  secret     tocsin/slack-oncall",
        "  mentions   <!subteam^S0614TZR7> <!subteam^S0725UAS8>",
        "destination  data",
        "  by         routes[1] (service=import-*|worker)",
        "  secret     tocsin/slack-data",
        "  mentions   <!here> <@U0123ABCD> <!subteam^S0725UAS8>",
        "  only       mon-fri 08:00-20:00 Europe/Berlin, critical always",
    ]


def test_route_looks_a_signature_up_and_answers_scripts_in_json(root, capsys, monkeypatch):
    monkeypatch.setenv("TOCSIN_SLACK_SECRET", "tocsin/slack")
    assert (
        main(
            ["route", "--root", str(root), "--signature", "import-module-error", "--service", "web", "--json"]
        )
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["labels"] == {"severity": "critical", "service": "web", "signature": "import-module-error"}
    assert [each["destination"] for each in answer["destinations"]] == ["oncall"]
    assert main(["route", "--root", str(root), "--labels", "severity=low,service=worker", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["destinations"] == [
        {
            "destination": "default", "secret": "tocsin/slack", "mentions": [], "mention_hours": None, "urgent": [],
            "paths": [[
                {"route": "routes[1]", "match": {"service": ["import-*", "worker"]}},
                {"route": "routes[1].routes[0]", "match": {"severity": ["low"]}},
            ]],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("group_by", "said"),
    [
        (
            ["signature", "host"],
            "with other services that have the same signature and host (group_by of routes[0])",
        ),
        (["..."], "with no other service (group_by of routes[0])"),
    ],
)
def test_route_says_what_group_by_joins(tmp_path, root, capsys, group_by, said):
    (root / "tocsin.toml").write_text(f"[[routes]]\ngroup_by = {group_by!r}\n", "utf-8")
    assert main(["route", "--root", str(root), "--labels", "severity=low"]) == 0
    assert f"joined       {said}" in capsys.readouterr().out.splitlines()
    assert main(["route", "--root", str(root), "--labels", "severity=low", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["group_by"] == {"route": "routes[0]", "labels": group_by}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no labels"), (["--labels", "worker"], "'worker' is no label"), (["--labels", "team=x"], "'team=x' is no label"),
        (["--labels", "severity=awful"], "no such severity: 'awful'"), (["--signature", "x"], "no such signature: 'x'"),
    ],
)  # fmt: skip
def test_labels_that_are_none_are_refused(root, capsys, arguments, said):
    assert main(["route", "--root", str(root), *arguments]) == 2
    assert said in capsys.readouterr().err
