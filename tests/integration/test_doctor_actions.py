"""`tocsin doctor` where people act from Slack: each thing is broken for real, named with what to do, and put back."""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tocsin.core.config.settings import Settings
from tocsin_cli.doctor.actions import NotReachedError, acting, send_over_http
from tocsin_cli.doctor.findings import Examined, Level
from tocsin_cli.fake_slack.server import LocalSlack
from tocsin_cli.fake_slack.web_api import SCOPES
from tocsin_cli.local_aws.cloud import CloudError, EmbeddedCloud, answer_request
from tocsin_cli.main import main
from tocsin_cli.stack.target import write_ready_file

pytestmark = [pytest.mark.cloud, pytest.mark.minutes]

ROOT = Path(__file__).resolve().parents[2]
SECRET = "tocsin/slack"
EVERYBODY = Settings()


class Patient:
    """A stack on which people can act, and its function behind an address as AWS puts it there."""

    def __init__(self, cloud, slack):
        self.cloud, self.slack, self.forced = cloud, slack, None
        patient = self

        class FunctionUrl(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(patient.forced or patient.answer(headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), FunctionUrl)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, headers, body):
        try:
            answer = answer_request(
                self.cloud.client("lambda"), self.cloud.functions["respond"], headers, body
            )
        except CloudError:
            return 502
        return answer["statusCode"]

    def examined(self, **parameters):
        """The stack; with the address at which its function answers."""
        client = self.cloud.client("cloudformation")
        described = client.describe_stacks(StackName=self.cloud.stack)["Stacks"][0]
        outputs = [
            each | {"OutputValue": self.url} if each["OutputKey"] == "RespondUrl" else each
            for each in described["Outputs"]
        ]
        given = [
            each | {"ParameterValue": parameters.get(each["ParameterKey"], each.get("ParameterValue", ""))}
            for each in described["Parameters"]
        ]
        return Examined(
            self.cloud.stack,
            "stack tocsin",
            self.cloud.region,
            self.cloud.client,
            described | {"Outputs": outputs, "Parameters": given},
        )

    def findings(self, settings=EVERYBODY, send=send_over_http, **parameters):
        found = list(acting(self.examined(**parameters), settings, send))
        for each in found:
            assert each.level is Level.OK or (each.what and each.why and each.fix)
        return found

    def wrong(self, *given, **more):
        return [each for each in self.findings(*given, **more) if each.level is not Level.OK]

    @contextlib.contextmanager
    def secret(self, **changed):
        """Another secret for a time; a value of None takes a key away."""
        client = self.cloud.client("secretsmanager")
        before = client.get_secret_value(SecretId=SECRET)["SecretString"]
        now = {name: value for name, value in (json.loads(before) | changed).items() if value is not None}
        client.put_secret_value(SecretId=SECRET, SecretString=json.dumps(now))
        try:
            yield
        finally:
            client.put_secret_value(SecretId=SECRET, SecretString=before)


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    with (
        LocalSlack() as slack,
        EmbeddedCloud(ROOT, log=tmp_path_factory.mktemp("cloud") / "cloud.log") as embedded,
    ):
        deployed = embedded.deploy(
            {"bot_token": slack.bot_token, "channel": slack.channel_id, **slack.signing},
            parameters={"SlackApiUrl": slack.api_url, "SlackActions": "yes"},
        )
        running = Patient(deployed, slack)
        yield running
        running.server.shutdown()
        running.server.server_close()


@pytest.fixture(autouse=True)
def healthy(patient):
    yield
    patient.slack.scopes, patient.forced = SCOPES, None


def test_where_people_can_act_scopes_and_address_are_well(patient):
    found = patient.findings(Settings(may_act="S0GROUP"))
    assert [each.level for each in found] == [Level.OK] * 2
    assert "answers a signed call, and refuses one that is not signed" in found[1].what


def test_a_stack_without_it_says_nothing_of_it(patient):
    def never(*_):
        raise AssertionError

    assert patient.findings(send=never, SlackActions="no") == []


def test_local_asks_the_function_itself(patient, monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "local.json"
    ready = {"aws_endpoint": patient.cloud.endpoint, "table": patient.cloud.table, "stack": "tocsin"}
    write_ready_file(ready, file)
    monkeypatch.setattr("tocsin_cli.stack.target.LOCAL_FILE", file)
    monkeypatch.setattr("tocsin_cli.doctor.stack.LOCAL_HEARTBEAT_WITHIN", 0)  # nothing sends one here
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["doctor", "--json", "--local", "--no-drift"])
    found = [each for each in json.loads(out.getvalue())["findings"] if each["check"] == "slack-actions"]
    assert [each["level"] for each in found] == ["ok", "ok"]


@pytest.mark.parametrize("lacking", ["chat:write", "commands", "users:read", "usergroups:read"])
def test_the_scope_that_is_missing_is_named(patient, lacking):
    patient.slack.scopes = [scope for scope in SCOPES if scope != lacking]
    (one,) = patient.wrong(Settings(may_act="S0GROUP"))
    assert (one.level, one.what) == (Level.FAIL, f"the bot has not the scope {lacking}")
    assert f"add {lacking} " in one.fix


def test_the_scope_for_groups_is_asked_for_only_where_a_group_may_act_and_one_history_is_enough(patient):
    patient.slack.scopes = ["chat:write", "commands", "users:read", "groups:history"]
    assert patient.wrong() == []
    patient.slack.scopes = ["chat:write", "commands", "users:read"]
    (one,) = patient.wrong()
    assert one.level is Level.WARN
    assert "channels:history or groups:history" in one.what


def test_the_scopes_of_the_manifest_are_enough(patient):
    manifest = (ROOT / "docs" / "guides" / "slack-app-manifest-actions.yaml").read_text("utf-8")
    patient.slack.scopes = re.findall(r"(?m)^      - ([a-z:]+)", manifest)
    assert sorted(patient.slack.scopes) == sorted(SCOPES)
    assert patient.wrong(Settings(may_act="S0GROUP")) == []


def test_a_secret_without_what_actions_need_says_what_to_add_and_where_it_stands(patient):
    with patient.secret(signing_secret=None, app_id=None, team_id=None):
        (one,) = patient.wrong()
    assert one.what == f"the secret {SECRET} has no signing_secret, app_id and team_id"
    assert all(key in one.fix for key in ("signing_secret", "app_id", "team_id", "put-secret-value"))


def test_a_webhook_has_no_buttons(patient):
    with patient.secret(bot_token=None, webhook_url=patient.slack.webhook_url):
        (one,) = patient.wrong()
    assert "holds a webhook" in one.what
    assert patient.slack.webhook_url not in repr(one)


@pytest.mark.parametrize("broken", [{"app_id": None}, {"bot_token": "xoxb-of-nobody"}])
def test_what_the_other_checks_say_is_not_said_twice(patient, broken):
    with patient.secret(**broken):
        found = patient.wrong()
    assert [each for each in found if "scope" in each.what or "holds" in each.what] == []


def test_a_token_of_another_team_than_the_secret_says_is_told(patient):
    with patient.secret(team_id="T0OTHER"):
        (one,) = patient.wrong()
    assert one.what == f"team_id in {SECRET} is T0OTHER, and the token is of the team T0LOCAL"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, "knows another signing secret"),
        (403, "lets nobody call the function"),
        (429, "throttled"),
        (502, "the function fails"),
    ],
)
def test_an_address_that_does_not_take_a_signed_call_is_told_with_why(patient, status, why):
    patient.forced = status
    (one,) = patient.wrong()
    assert one.what == f"{patient.url} answers {status} to a signed call, and should answer 200"
    assert why in one.why
    assert "{" not in one.fix


def test_an_address_that_takes_what_nobody_signed_is_the_worst(patient):
    patient.forced = 200
    (one,) = patient.wrong()
    assert "to a call that nobody signed" in one.what
    assert re.search(r'SlackActions\s*=\s*"no"', one.fix)


def test_an_address_that_fails_at_what_nobody_signed_is_not_said_to_take_it(patient):
    def unsteady(url, headers, body):
        return 200 if "x-slack-signature" in headers else 502

    (one,) = patient.wrong(send=unsteady)
    assert "answers 502 to a call that is not signed" in one.what
    assert "the function fails" in one.why


def test_a_secret_that_the_function_does_not_know_is_refused_at_the_address(patient):
    """The function takes the one in the secret; the doctor's is of another app here."""

    def another(url, headers, body):
        return send_over_http(
            url, {name: re.sub("^v0=.", "v0=0", value) for name, value in headers.items()}, body + "&x=1"
        )

    (one,) = patient.wrong(send=another)
    assert "answers 401 to a signed call" in one.what


def test_nobody_there_is_a_warning_and_shows_nothing_of_what_was_sent(patient):
    def nobody(*_):
        raise NotReachedError("ConnectTimeout")

    (one,) = patient.wrong(send=nobody)
    assert (one.level, "ConnectTimeout" in one.what) == (Level.WARN, True)


def test_a_stack_that_lost_its_address_is_told(patient):
    stack = patient.examined()
    stack = replace(
        stack,
        described=stack.described
        | {"Outputs": [each for each in stack.described["Outputs"] if each["OutputKey"] != "RespondUrl"]},
    )
    found = [each.what for each in acting(stack, Settings(), send_over_http) if each.level is not Level.OK]
    assert found == ["the stack has no output RespondUrl"]


def test_nothing_of_the_secret_is_ever_shown(patient):
    shown = repr(patient.findings())
    patient.forced = 401
    shown += repr(patient.findings())
    assert patient.slack.bot_token not in shown
    assert patient.slack.signing["signing_secret"] not in shown
