"""What the functions print is what Powertools would print: their log lines and their metrics."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import single_metric

from tocsin.adapters.aws import metrics
from tocsin.adapters.aws.function_log import FunctionLog

EXTRA = {
    "reason": 'ValueError("ö\\n")',
    "sent": {"backend": ["opened"]},
    "failures": [ValueError("x")],
    "ages": (1, 2),
}


def printed_by_both(capsys, monkeypatch, say):
    monkeypatch.setattr(time, "time", lambda: 1_795_943_809.1234)
    monkeypatch.setattr(time, "time_ns", lambda: 1_795_943_809_123_400_000)
    theirs = io.StringIO()
    say(Logger(service=f"tocsin-{time.perf_counter_ns()}", logger_handler=None, stream=theirs))
    say(FunctionLog("tocsin-x", os.environ))
    return theirs.getvalue(), capsys.readouterr().out


@pytest.mark.parametrize("level", ["info", "warning", "error"])
@pytest.mark.parametrize("trace", ["", "Root=1-5f84c7a6-abc;Parent=1;Sampled=1", "1-2"])
def test_a_line_is_the_one_that_powertools_prints(capsys, monkeypatch, level, trace):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    theirs, ours = printed_by_both(
        capsys, monkeypatch, lambda log: getattr(log, level)("not done", extra=EXTRA)
    )
    assert ours == re.sub(r"tocsin-\d+", "tocsin-x", theirs)
    assert [*json.loads(ours)][:5] == ["level", "location", "message", "timestamp", "service"]
    assert json.loads(ours)["location"] == "<lambda>:" + json.loads(theirs)["location"].partition(":")[2]


@pytest.mark.parametrize("stack", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", ""])
@pytest.mark.parametrize("own", ["DEBUG", "WARN", "FATAL", ""])
@pytest.mark.filterwarnings("ignore:Current log level")
def test_it_keeps_silent_where_powertools_does(capsys, monkeypatch, stack, own):
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", stack)
    monkeypatch.setenv("TOCSIN_LOG_LEVEL", stack)
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", own)

    def say(log):
        log.info("a", extra={})
        log.error("b", extra={})

    theirs, ours = printed_by_both(capsys, monkeypatch, say)
    assert ours == re.sub(r"tocsin-\d+", "tocsin-x", theirs)


@pytest.mark.parametrize("stack", ["live", ""])
def test_a_metric_is_the_one_that_powertools_prints(capsys, monkeypatch, stack):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "tocsin")
    metrics.count_occurrences({"kaböom": 2}, stack)
    metrics.time_lines(3, 4, stack)
    ours = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for name, unit, value, more in (
        ("Occurrences", "Count", 2, {"signature": "kaböom"}),
        ("NewestLineAge", "Milliseconds", 3, {}),
        ("OldestLineAge", "Milliseconds", 4, {}),
    ):
        with single_metric(name=name, unit=unit, value=value, namespace="Tocsin") as metric:
            for key, each in {"stack": stack, **more}.items():
                metric.add_dimension(name=key, value=each)
    theirs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for document in (*ours, *theirs):
        assert isinstance(document["_aws"].pop("Timestamp"), int)
    assert [json.dumps(each) for each in ours] == [json.dumps(each) for each in theirs]


def test_it_prints_where_standard_output_is_now(monkeypatch):
    log, elsewhere = FunctionLog("tocsin-x", {}), io.StringIO()
    monkeypatch.setattr(sys, "stdout", elsewhere)
    log.info("detected", extra={"records": 1})
    assert json.loads(elsewhere.getvalue())["records"] == 1
