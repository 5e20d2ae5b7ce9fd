"""A cold start answers for a batch without a match before it reads a signature; nothing else gets past it."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.batches import batch, ordinary_batch
from tocsin.adapters.files.compiled_search import COMPILED_SEARCH, compiled_search
from tocsin.adapters.files.configuration import load_configuration, make_compiled_form
from tocsin.bootstrap import DryRun, configuration, wire_detector
from tocsin.core.ingest.inflation import inflate
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import ErrorFinder
from tocsin.core.problems import ConfigurationError
from tocsin.core.signatures.drill import SIGNATURE as DRILL_SIGNATURE
from tocsin.core.signatures.heartbeat import SIGNATURE as HEARTBEAT_SIGNATURE
from tocsin.core.signatures.signature import with_built_in
from tocsin.services import screening
from tocsin.services.screening import NO_SETTING, no_match_response, open_prefilter

ROOT = Path(__file__).parents[3]
FUNCTIONS = ROOT / "functions"
FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
SIGNATURES = load_configuration(FUNCTIONS, {}).signatures
WHOLE = Matcher(SIGNATURES)
SAMPLES = [sample for entry in SIGNATURES.values() if entry.source == "log" for sample in entry.matches]


@pytest.fixture(scope="module")
def prefilter():
    found = open_prefilter({})
    assert found is not None
    return found


@pytest.fixture
def project(tmp_path):
    shutil.copytree(FUNCTIONS / "signatures", tmp_path / "signatures")
    shutil.copy(FUNCTIONS / "tocsin.toml", tmp_path)
    return tmp_path


def kinesis(*events):
    return {"Records": [{"eventSource": "aws:kinesis", "kinesis": event["awslogs"]} for event in events]}


def packed(raw):
    return {"awslogs": {"data": base64.b64encode(gzip.compress(raw, mtime=0)).decode()}}


@pytest.mark.parametrize("event", [ordinary_batch(50), kinesis(ordinary_batch(5), ordinary_batch(6))])
def test_the_answer_is_the_one_that_everything_together_would_have_given(prefilter, event):
    whole = wire_detector({}, configuration({}), DryRun()).detect(event, 0).summary()
    assert no_match_response(prefilter.skips(event)) == whole


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
def test_no_known_failure_is_passed_over(prefilter, sample):
    assert prefilter.skips(batch(["fine", sample])) is None
    assert prefilter.skips(kinesis(ordinary_batch(3), batch([sample]))) is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100), st.sampled_from(SAMPLES), st.booleans())
def test_the_compiled_search_finds_what_the_signatures_find(noise, sample, ascii_only):
    message = f"{noise}\n{sample}"
    document = {"messageType": "DATA_MESSAGE", "logEvents": [{"message": message}]}
    raw = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if WHOLE.might_match(raw):
        assert open_prefilter({}).skips(packed(raw)) is None


@pytest.mark.parametrize(
    "event",
    [
        {}, None, [], {"Records": []}, {"Records": None}, {"Records": [None]}, {"Records": [{"kinesis": None}]},
        {"awslogs": None}, {"awslogs": {"data": ""}}, {"awslogs": {"data": 7}}, {"awslogs": {"data": "no base64"}},
        {"Records": [{"eventSource": "aws:sns", "Sns": {"Message": "{}"}}]}, {"detail-type": "x"}, {"alarmData": {}},
        kinesis(ordinary_batch(2), {"awslogs": {"data": None}}), packed(b"{}"), packed(b'{"messageType": "CONTROL_MESSAGE"}'),
        packed(b'{"messageType": "DATA_MESSAGE", "logEvents": ['), kinesis(ordinary_batch(2), packed(b"no json")),
    ],
    ids=range(19),
)  # fmt: skip
def test_whatever_is_not_an_envelope_in_order_is_looked_at_properly(prefilter, event):
    assert prefilter.skips(event) is None


@pytest.mark.parametrize("file", ["tocsin.toml", "signatures/python.toml", "signatures/new.toml"])
def test_after_any_change_of_the_configuration_the_search_is_refused_until_it_is_made_again(project, file):
    assert open_prefilter({}, project) is not None
    with (project / file).open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    with pytest.raises(ConfigurationError, match=rf"^{COMPILED_SEARCH}: -: missing, or made for other"):
        open_prefilter({}, project)
    make_compiled_form(project)
    assert open_prefilter({}, project) is not None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"digest": 1, "expression": 2}'])
def test_a_broken_search_is_refused(project, content):
    (project / COMPILED_SEARCH).write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match="run sam build"):
        compiled_search(project)


def test_configuration_that_is_wrong_is_never_compiled(project):
    (project / "tocsin.toml").write_text('[intervals]\ngroup_wait = "soon"\n', "utf-8")
    with pytest.raises(ConfigurationError, match="group_wait"):
        make_compiled_form(project)
    with pytest.raises(ConfigurationError, match="run sam build"):
        open_prefilter({}, project)


def test_a_setting_from_the_environment_is_checked_before_anything_runs():
    assert open_prefilter({"TOCSIN_GROUP_WAIT": "soon"}) is None
    assert open_prefilter({"TOCSIN_GROUP_WAIT": "", "TOCSIN_TABLE": "t"}) is not None


def test_the_search_that_ships_is_current():
    config = load_configuration(FUNCTIONS, {})
    matcher = Matcher(with_built_in(config.signatures, DRILL_SIGNATURE, HEARTBEAT_SIGNATURE))
    errors = ErrorFinder(config.signatures, config.settings.errors)
    assert compiled_search(FUNCTIONS).expression == f"{matcher.raw_expression}|{errors.raw_expression}", (
        "run `tocsin check` and commit signatures/search.json"
    )


def test_what_the_template_gives_detect_by_default_keeps_the_screen():
    template = (ROOT / "template.yaml").read_text("utf-8")
    defaults = dict(re.findall(r"(?m)^  (\w+):\n    Type: String\n    Default: (.*)$", template))
    whole_stack = template.partition("\nGlobals:")[2].partition("\nResources:")[0]
    own = template.partition("\n  DetectFunction:")[2].partition("\n  DetectLogGroup:")[0]
    given = re.findall(r"(TOCSIN_\w+): (?:!Ref (\w+))?", whole_stack + own)
    assert {variable for variable, _ in given} >= {*NO_SETTING}
    assert len(given) > len(NO_SETTING)
    for variable, parameter in given:
        assert variable in NO_SETTING or defaults[parameter] == '""', (
            f"{variable} is never empty, so that no cold start would be fast"
        )


def run_detect(program, **variables):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return subprocess.run(
        [sys.executable, "-c", f"import json, sys\nimport detect\n{program}"],
        input=json.dumps(ordinary_batch(20)), capture_output=True, text=True, check=False,
        env={**environ, "PYTHONPATH": str(FUNCTIONS), "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", **variables},
    )  # fmt: skip


def test_a_cold_start_on_a_batch_without_a_match_imports_nothing_that_only_a_match_needs():
    heavy = "{'boto3', 'requests', 'aws_lambda_powertools', 'tocsin.detecting', 'tocsin.core.signatures', 'tomllib'}"
    done = run_detect(
        f"assert detect.handler(json.load(sys.stdin), None)['records'] == 1\nprint({heavy} & set(sys.modules))"
    )
    assert done.stdout == "set()\n", done.stderr


def test_a_quiet_batch_of_a_stream_is_answered_as_a_stream_and_a_broken_record_costs_no_other():
    done = run_detect(
        "data = json.load(sys.stdin)['awslogs']['data']\n"
        "def record(n, data): return {'eventSource': 'aws:kinesis', 'kinesis': {'data': data, 'sequenceNumber': str(n)}}\n"
        "print(json.dumps(detect.handler({'Records': [record(1, data), record(2, data)]}, None)))\n"
        # The second cannot be read, and there is no queue to keep it in: it alone is asked for again.
        "print(json.dumps(detect.handler({'Records': [record(1, data), record(2, 'bm90IGd6aXA=')]}, None)))"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"batch')]
    assert answers == [
        {"batchItemFailures": []},
        {"batchItemFailures": [{"itemIdentifier": "2"}]},
    ], done.stderr


def test_a_setting_that_is_wrong_still_keeps_the_function_from_starting():
    done = run_detect("", TOCSIN_RESOLVE_AFTER="soon")
    assert done.returncode != 0
    assert "intervals.resolve_after" in done.stderr


def test_a_match_after_the_screen_gets_everything():
    done = run_detect(
        "from benchmarks.batches import batch\n"
        "detect.handler(json.load(sys.stdin), None)\n"
        f"fault = batch([{FAULT!r}])\n"
        "print(detect.detector().detect(fault, 0).failures)",
        PYTHONPATH=os.pathsep.join((str(FUNCTIONS), str(ROOT))),
    )
    # Without a table there is nothing to count in: the failure proves that it went all the way.
    assert "TOCSIN_TABLE" in done.stdout, done.stderr


def test_what_the_prefilter_inflated_is_not_inflated_again_and_not_kept(monkeypatch):
    inflated = []

    def counting(data):
        inflated.append(data)
        return inflate(data)

    monkeypatch.setattr(screening, "inflate", counting)
    prefilter = open_prefilter({})
    quiet, hit = ordinary_batch(20), batch([FAULT])
    assert prefilter.skips(kinesis(quiet, hit)) is None
    detector = wire_detector({}, load_configuration(FUNCTIONS, {}), DryRun(), prefilter)
    done = detector.detect(kinesis(quiet, hit), 1)
    assert done.occurrences == {"import-module-error": 1}
    both = [each["awslogs"]["data"] for each in (quiet, hit)]
    assert inflated == [*both, both[0]], "the one that matched is inflated once"
    assert detector.detect(kinesis(hit), 2).records == 1
    assert inflated[3:] == [both[1]], "what was read is not kept"


@given(st.binary(max_size=300), st.booleans())
def test_what_is_remembered_is_exactly_what_was_delivered(prefilter, raw, whole):
    data = packed(b'{"messageType":"DATA_MESSAGE"' + raw + FAULT.encode() + b"}")["awslogs"]["data"]
    other = packed(raw)["awslogs"]["data"]
    prefilter.skips({"awslogs": {"data": data}})
    for each in (other, data, data) if whole else (data, other, data):
        assert prefilter.inflate(each) == inflate(each)
