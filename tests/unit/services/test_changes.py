"""What changed just before: read from events, kept for the service it concerns, told with the incident."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest
from change_events import by_cloudformation, call_event, stack_event
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sample_incidents import IMPORT_ERROR, RUNBOOKS, SIGNATURES, incident, pending
from test_detecting import BOOM, SETTINGS, logs, packed
from test_detecting import SIGNATURES as KABOOM
from test_detecting import World as PlainWorld

from tocsin.core.config.settings import Intervals, Service, Settings, parse_settings
from tocsin.core.incidents.changes import (
    BEFORE,
    BEFORE_DIRECT,
    MAX_CHANGES,
    began_at,
    concerning,
    learned,
    remembered,
)
from tocsin.core.incidents.incident import Pending
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.serialization import dump_incident, load_incident
from tocsin.core.ingest.change_events import ChangeError, parse_change
from tocsin.core.model import Change, ChangeKind, Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import document_of
from tocsin.core.notifications.email import email_text
from tocsin.core.notifications.parsing import NotANotificationError, parse_notification
from tocsin.core.slack.messages import render, render_standalone, render_thread
from tocsin.core.stored_document import load_document
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import CHANGES_KEPT, Reconciler

T0 = 1_770_000_000_000
S, MIN, HOUR = 1000, 60_000, 3_600_000
FUNCTION = "prod-backend-BackendApiFunction-Zk3Jx8Qw"


class World(PlainWorld):
    """A detector whose reconciler knows which changes concern which service."""

    def __init__(self):
        super().__init__()
        self.reads = 0
        self.reconciler = Reconciler(
            self.ledger, self, Policy(Intervals(), KABOOM), "https://runbooks.example/", services=SETTINGS
        )
        found = self.ledger.changes
        self.ledger.changes = lambda since: self._read(found, since)

    def _read(self, found, since):
        self.reads += 1
        return found(since)


@pytest.fixture
def world():
    return World()


# ---------------------------------------------------------------- reading


def test_a_stacks_change_says_which_stack_its_status_and_when():
    change = parse_change(stack_event("credmate-lambda-prod", "UPDATE_COMPLETE", T0))
    assert (change.kind, change.what, change.status, change.at) == (
        "stack", "credmate-lambda-prod", "UPDATE_COMPLETE", T0,
    )  # fmt: skip
    assert not change.is_direct


def test_a_call_by_a_person_is_direct_and_one_by_cloudformation_is_not():
    assert parse_change(call_event(FUNCTION, T0)).is_direct
    change = parse_change(by_cloudformation(FUNCTION, T0))
    assert not change.is_direct
    assert change.by == "CloudFormation"


@pytest.mark.parametrize(
    ("agent", "by"),
    [
        ("APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io)", "Terraform"),
        ("aws-sdk-go-v2/1.30 pulumi-aws/6.1", "Pulumi"),
        ("codedeploy.amazonaws.com", "CodeDeploy"),
        ("console.amazonaws.com", ""),
        ("aws-cli/2.17.0", ""),
    ],
)
def test_what_deploys_without_a_stack_of_cloudformation_is_no_direct_change(agent, by):
    assert parse_change(call_event(FUNCTION, T0, userAgent=agent)).by == by


def test_who_did_it_is_kept_and_an_address_in_it_is_not():
    change = parse_change(call_event(FUNCTION, T0))
    assert change.who.startswith("Admin/")
    assert "@" not in change.who
    assert "smith" not in change.who
    root = call_event(FUNCTION, T0, userIdentity={"type": "Root", "arn": "arn:aws:iam::123456789012:root"})
    assert parse_change(root).who == "root"
    user = {"type": "IAMUser", "userName": "deployer", "arn": "arn:aws:iam::123456789012:user/deployer"}
    assert parse_change(call_event(FUNCTION, T0, userIdentity=user)).who == "deployer"


def test_nothing_else_of_an_event_is_kept():
    for event in (stack_event("prod", "UPDATE_FAILED", T0), call_event(FUNCTION, T0)):
        assert "hunter2" not in str(parse_change(event))


@pytest.mark.parametrize(
    "name",
    [FUNCTION, f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}", f"123456789012:function:{FUNCTION}:live"],
)  # fmt: skip
def test_a_function_is_named_in_any_way_that_lambda_takes(name):
    asked = {"functionName": name}
    assert parse_change(call_event("x", T0, requestParameters=asked)).what == FUNCTION


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("UpdateFunctionCode20150331v2", "code"), ("UpdateFunctionCode", "code"),
        ("UpdateFunctionConfiguration20150331v2", "configuration"), ("UpdateAlias20150331", "alias"),
    ],
)  # fmt: skip
def test_the_version_in_the_name_of_a_call_does_not_matter(name, kind):
    assert parse_change(call_event(FUNCTION, T0, name=name)).kind == kind


@pytest.mark.parametrize(
    "event",
    [
        stack_event("prod", "REVIEW_IN_PROGRESS", T0),
        stack_event("prod", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", T0),
        call_event(FUNCTION, T0, errorCode="AccessDenied"),
        call_event(FUNCTION, T0, requestParameters={"functionName": FUNCTION, "dryRun": True}),
        call_event(FUNCTION, T0, name="Invoke"),
        call_event(FUNCTION, T0, eventSource="s3.amazonaws.com"),
    ],
)
def test_what_changes_nothing_is_no_change(event):
    assert parse_change(event) is None


@pytest.mark.parametrize(
    "event",
    [
        {"detail-type": "CloudFormation Stack Status Change"},
        stack_event("prod", "not a status!", T0),
        stack_event("prod", "UPDATE_COMPLETE", T0) | {"time": "yesterday"},
        stack_event("prod", "UPDATE_COMPLETE", T0) | {"detail": {"stack-id": "hunter2"}},
        call_event(FUNCTION, T0, requestParameters=None),
        call_event("<!channel> hunter2", T0),
        call_event(FUNCTION, T0, eventTime=7),
    ],
)
def test_an_event_that_does_not_say_what_or_when_is_refused_without_quoting_it(event):
    with pytest.raises(ChangeError) as refused:
        parse_change(event)
    assert "hunter2" not in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["CloudFormation Stack Status Change", "AWS API Call via CloudTrail"]),
    st.dictionaries(
        st.sampled_from([
            "stack-id", "status-details", "eventName", "eventSource", "requestParameters", "userIdentity",
            "eventTime", "userAgent", "sourceIPAddress", "eventID",
        ]),
        json_values | st.sampled_from(["lambda.amazonaws.com", "UpdateFunctionCode20150331v2"]),
    ),
)  # fmt: skip
def test_whatever_an_event_holds_it_is_a_change_or_none_or_refused(kind, detail):
    try:
        change = parse_change({"detail-type": kind, "time": "2026-02-02T00:03:00Z", "detail": detail})
    except ChangeError:
        return
    assert change is None or load_document(json.dumps({**_as_table(change)}), Change) == change


def _as_table(change):
    return {name: getattr(change, name) for name in ("id", "kind", "what", "at", "status", "by", "who")}


# ---------------------------------------------------------------- whose change it is


def test_a_function_belongs_to_the_service_that_its_log_group_belongs_to():
    settings = parse_settings(
        '[services.api]\nlog_groups = ["/aws/lambda/api-*"]\n[services.jobs]\nalarms = ["*job*"]\n', {}
    )
    assert settings.service_of_function("api-users") == "api"
    assert settings.service_of_function("nightly-job") == "jobs"
    assert (
        settings.service_of_function("other") == "other" == settings.service_of_log_group("/aws/lambda/other")
    )


def test_a_stack_concerns_those_who_claim_it_and_everybody_if_nobody_does():
    settings = parse_settings(
        '[services.api]\nstacks = ["prod-*"]\n[services.worker]\nstacks = ["prod-*"]\n'
        '[services.mail]\nalarms = ["*mail*"]\n',
        {},
    )
    prod, mail, other = (stack(name) for name in ("prod-lambda", "mail-stack", "network"))
    everything = [prod, mail, other]
    assert concerning(everything, "api", settings) == [prod, other]
    assert concerning(everything, "worker", settings) == [prod, other]
    assert concerning(everything, "mail", settings) == [mail, other]
    assert concerning(everything, "nobody", settings) == [other]


def stack(name="prod", at=T0, status="UPDATE_COMPLETE", id_=None):
    return Change(id_ or f"{name}{at}{status}", ChangeKind.STACK, name, at, status=status)


def direct(name=FUNCTION, at=T0, id_=None):
    return Change(id_ or f"{name}{at}", ChangeKind.CODE, name, at)


# ---------------------------------------------------------------- what an incident remembers


BEGAN = began_at(incident(IMPORT_ERROR))
changes = st.builds(
    lambda kind, what, ago, by: Change(
        f"{kind}{what}{ago}{by}", kind, what, BEGAN - ago, by="" if kind is ChangeKind.STACK else by
    ),
    st.sampled_from(ChangeKind),
    st.sampled_from(["one", "two", "three"]),
    st.integers(-2 * HOUR, 30 * HOUR),
    st.sampled_from(["", "CloudFormation"]),
)


@given(st.lists(changes, max_size=30), st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter_nor_in_how_many_pieces_they_become_known(found, random):
    told = incident(IMPORT_ERROR)
    at_once = remembered(told, found)
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    assert remembered(told, shuffled) == at_once
    half = len(shuffled) // 2
    piecemeal = learned(learned(told, shuffled[:half]), shuffled[half:])
    if len(at_once) < MAX_CHANGES:  # what fell off the end cannot come back
        assert piecemeal.changes == at_once or not found
    assert len(at_once) <= MAX_CHANGES


@given(st.lists(changes, max_size=30))
def test_direct_changes_before_it_come_first_and_what_happened_since_comes_last(found):
    ranks = [
        (change.at > BEGAN, not change.is_direct) for change in remembered(incident(IMPORT_ERROR), found)
    ]
    assert ranks == sorted(ranks)


def test_a_stack_that_reports_each_step_is_named_once_with_its_last():
    steps = [stack(at=BEGAN - 5 * MIN, status="UPDATE_IN_PROGRESS"), stack(at=BEGAN - 4 * MIN)]
    assert remembered(incident(IMPORT_ERROR), steps) == (steps[1],)


def test_what_is_too_long_ago_is_no_suspect_and_a_direct_change_is_one_for_longer():
    old = [stack(at=BEGAN - BEFORE - 1), direct(at=BEGAN - BEFORE_DIRECT - 1)]
    assert remembered(incident(IMPORT_ERROR), old) == ()
    young = [stack(at=BEGAN - BEFORE), direct(at=BEGAN - BEFORE_DIRECT)]
    assert set(remembered(incident(IMPORT_ERROR), young)) == set(young)


def test_it_survives_being_stored_and_an_older_document_has_none():
    known = replace(
        incident(IMPORT_ERROR), changes=(direct(at=BEGAN), stack(at=BEGAN)), changes_not_notified=("x",),
        outbox=(Pending(1, Reason.UPDATE, BEGAN, learned=("x",)),),
    )  # fmt: skip
    assert load_incident(dump_incident(known)) == known
    older = json.loads(dump_incident(known))
    del older["changes"], older["changes_not_notified"], older["outbox"][0]["learned"]
    loaded = load_incident(json.dumps(older))
    assert (loaded.changes, loaded.changes_not_notified, loaded.outbox[0].learned) == ((), (), ())


# ---------------------------------------------------------------- telling


def told(*found, reason=Reason.OPENED, late=()):
    made = replace(incident(IMPORT_ERROR), changes=remembered(incident(IMPORT_ERROR), found))
    entry = replace(pending(reason, IMPORT_ERROR), learned=tuple(late))
    return build_notification(made, entry, SIGNATURES, runbooks_url=RUNBOOKS)


def words(message):
    return " ".join(
        re.findall(r'"text": "((?:[^"\\]|\\.)*)"', json.dumps(message.blocks, ensure_ascii=False))
    )


def test_slack_names_the_stack_above_what_to_do():
    said = words(render(told(stack("credmate-lambda-prod", BEGAN - 6 * MIN))))
    assert "Changed before: stack `credmate-lambda-prod` UPDATE_COMPLETE, 6 min before" in said
    assert said.index("Changed before") < said.index("Do first")
    assert "⚠️" not in said


def test_slack_is_louder_about_a_direct_change():
    found = (stack("credmate-lambda-prod", BEGAN - MIN), direct(at=BEGAN - 6 * MIN))
    for rendered in (render, render_standalone):
        said = words(rendered(told(*found)))
        assert (
            f"⚠️ *Changed before: code of `{FUNCTION}` was updated directly, not by its stack, 6 min before"
            in said
        )
        assert "stack `credmate-lambda-prod` UPDATE_COMPLETE, 1 min before" in said
    assert f"code of {FUNCTION} was updated directly, not by its stack, 6 min before" in email_text(
        told(*found)
    )


def test_what_happened_since_is_not_called_before():
    said = words(render(told(stack("fix", BEGAN + 3 * MIN))))
    assert "Changed since: stack `fix` UPDATE_COMPLETE, 3 min after it began" in said
    assert "⚠️" not in words(render(told(direct(at=BEGAN + MIN))))


def test_where_nothing_is_known_nothing_is_said():
    assert "hanged" not in words(render(told()))
    assert "Changed" not in email_text(told())
    without = document_of(told())
    del without["changes"]  # from an older version
    assert render(parse_notification(json.dumps(without))) == render(told())


def test_a_hostile_name_can_call_nobody():
    said = words(render(told(Change("x", ChangeKind.CODE, "<!channel>`*", BEGAN, who="<@U1>"))))
    assert "<!channel>" not in said
    assert "<@U1>" not in said


@pytest.mark.parametrize("wrong", [7, [7], [{}], [{"kind": "stack"}]])
def test_a_notification_with_broken_changes_is_refused(wrong):
    with pytest.raises(NotANotificationError, match="changes"):
        parse_notification(json.dumps(document_of(told()) | {"changes": wrong}))


def test_a_reply_tells_what_became_known_late():
    late = direct(at=BEGAN - MIN)
    update = told(late, reason=Reason.UPDATE, late=[late.id])
    assert "known now what changed" in words(render_thread(update))
    assert update.why.text == "it became known what changed before"
    assert render_thread(told(late, reason=Reason.UPDATE)) is None


# ---------------------------------------------------------------- the whole way, in memory


def test_a_direct_change_before_the_error_is_told_with_it(world):
    done = world.detect(call_event(FUNCTION, T0 - 6 * MIN), T0 - 5 * MIN)
    assert done.summary()["changes"] == 1
    world.detect(stack_event("credmate-lambda-prod", "UPDATE_COMPLETE", T0 - MIN), T0 - MIN)
    world.detect(logs([BOOM]), T0 + S)
    (opened,) = world.published
    assert [(each["kind"], each["direct"], each["seconds_before"]) for each in opened["changes"]] == [
        ("code", True, 360), ("stack", False, 60),
    ]  # fmt: skip


def test_another_services_change_is_not_told(world):
    world.detect(call_event("prod-worker-1", T0 - MIN), T0 - MIN)
    world.detect(logs([BOOM]), T0 + S)
    assert world.published[0]["changes"] == []


def test_the_same_event_again_changes_nothing(world):
    for _ in range(3):
        world.detect(call_event(FUNCTION, T0 - MIN), T0 - MIN)
    assert len(world.ledger.changes(0)) == 1


def test_tocsins_own_deployment_explains_nothing(world):
    world.detector = world.another_process()
    world.detector._own_stack = "tocsin"
    for event in (stack_event("tocsin", "UPDATE_COMPLETE", T0), call_event("tocsin-DetectFunction-1", T0)):
        assert world.detect(event).ignored == ["a change of Tocsin's own stack"]
    assert world.detect(stack_event("tocsin-of-mine", "UPDATE_COMPLETE", T0)).changes == 1
    assert [change.what for change in world.ledger.changes(0)] == ["tocsin-of-mine"]


def test_an_unreadable_change_is_parked_and_the_rest_goes_on(world):
    broken = stack_event("prod", "UPDATE_COMPLETE", T0) | {"time": None}
    done = world.detect(
        {"Records": [{"body": json.dumps(broken)}, {"body": json.dumps(call_event(FUNCTION, T0))}]}
    )
    assert done.changes == 1
    assert len(world.dead_lettered) == 1
    assert "time must be a time" in world.dead_lettered[0][1]


def test_what_adds_to_a_known_alert_reads_no_changes(world):
    world.detect(logs([BOOM]), T0)
    assert world.reads == 1
    for number in range(1, 20):
        world.detect(logs([BOOM], first_id=100 * number), T0 + number * S)
        reconcile(world.reconciler, T0 + number * S)
    assert world.reads == 1


def others(number):
    return logs([BOOM], group=f"/aws/lambda/other-{number}", first_id=1000 * number)


def test_services_that_fail_at_the_same_moment_read_changes_once_and_each_second_anew(world):
    for number in range(10):
        world.detect(others(number), T0 + number)
    assert (world.reads, len(world.published)) == (1, 10)
    world.detect(others(10), T0 + CHANGES_KEPT - 1)
    world.detect(others(11), T0 + CHANGES_KEPT)
    assert world.reads == 2
    world.detect(others(12), T0)  # a clock that went back
    assert world.reads == 3


def test_a_change_that_arrives_between_two_that_fail_in_the_same_second_is_told_with_the_second(world):
    world.detect(others(1), T0)
    world.detect(call_event(FUNCTION, T0 - MIN), T0 + 1)
    world.detect(logs([BOOM]), T0 + 2)
    assert [len(each["changes"]) for each in world.published] == [0, 1]


def test_what_could_not_be_read_of_changes_is_read_again_by_the_next_service(world):
    read, failures = world.ledger.changes, iter([RuntimeError("AccessDenied")])

    def fails_once(since):
        for failure in failures:
            raise failure
        return read(since)

    world.detect(call_event(FUNCTION, T0 - MIN), T0 - MIN)
    world.ledger.changes = fails_once
    world.detect(others(1), T0)
    world.detect(logs([BOOM]), T0 + 1)
    assert [len(each["changes"]) for each in world.published] == [0, 1]


def test_a_ledger_that_cannot_read_changes_does_not_keep_an_alert_from_being_told(world):
    def fails(_since):
        raise RuntimeError("AccessDenied")

    world.ledger.changes = fails
    assert world.detect(logs([BOOM])).sent == {"backend": ["opened"]}
    assert world.published[0]["changes"] == []


def test_what_becomes_known_after_the_incident_is_told_once_with_the_next_update(world):
    world.detect(logs([BOOM]), T0)
    done = world.detect(call_event(FUNCTION, T0 - MIN), T0 + 2 * MIN)
    assert done.sent == {}
    for minute in range(3, 12):
        reconcile(world.reconciler, T0 + minute * MIN)
    reasons = [notification["reason"] for notification in world.published]
    assert reasons == ["opened", "update"]
    assert world.published[1]["changes"][0]["learned_late"]
    # An incident that knows already is not told again.
    world.detect(call_event(FUNCTION, T0 - MIN), T0 + 11 * MIN)
    reconcile(world.reconciler, T0 + 11 * MIN + 30 * S)
    assert len(world.published) == 2


def test_an_incident_open_for_long_does_not_hide_what_broke_something_else(world):
    world.detect(stack_event("old", "UPDATE_COMPLETE", T0 - MIN), T0)
    world.detect(logs([BOOM]), T0)
    later = T0 + 10 * MIN
    world.detect(call_event(FUNCTION, later - MIN), later - MIN)
    world.detect(moved(logs(["Leaking: memory"], first_id=900), later), later)
    joined = world.published[-1]
    assert joined["reason"] == "new_alert"
    assert [(each["what"], each["seconds_before"]) for each in joined["changes"]] == [
        (FUNCTION, 60),
        ("old", 660),
    ]
    assert "⚠️" in words(render_thread(parse_notification(json.dumps(joined))))


def moved(event, at):
    """The same log events at another time."""
    document = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    for each in document["logEvents"]:
        each["timestamp"] = at
    return {"awslogs": {"data": packed(json.dumps(document).encode())}}


def test_what_came_back_is_measured_from_its_return(world):
    world.detect(logs([BOOM]), T0)
    for minute in range(1, 20):
        reconcile(world.reconciler, T0 + minute * MIN)
    again = T0 + HOUR
    world.detect(stack_event("second-try", "UPDATE_COMPLETE", again - 5 * MIN), again)
    world.detect(moved(logs([BOOM], first_id=900), again), again)
    assert world.published[-1]["reason"] == "regressed"
    assert [(each["what"], each["seconds_before"]) for each in world.published[-1]["changes"]] == [
        ("second-try", 300)
    ]


def test_a_change_since_is_no_news_of_its_own(world):
    world.detect(logs([BOOM]), T0)
    world.detect(call_event(FUNCTION, T0 + MIN), T0 + 2 * MIN)
    for minute in range(3, 12):
        reconcile(world.reconciler, T0 + minute * MIN)
    assert [notification["reason"] for notification in world.published] == ["opened"]


def test_a_settler_without_services_looks_at_no_changes(world):
    world.reconciler = replace(world.reconciler, services=None)
    world.detect(call_event(FUNCTION, T0 - MIN), T0 - MIN)
    world.detect(logs([BOOM]), T0)
    assert world.reads == 0
    assert world.published[0]["changes"] == []


def test_services_claim_stacks_by_globs_that_are_checked():
    settings = Settings(services=(Service("api", stacks=("prod-*",)),))
    assert settings.services_of_stack("prod-1") == ("api",)
    assert settings.services_of_stack("dev-1") == ()
