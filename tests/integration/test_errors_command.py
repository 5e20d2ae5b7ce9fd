"""``tocsin errors``: what is kept of unknown errors, shown and taken as known."""

from __future__ import annotations

import contextlib
import json

import pytest

from tocsin.adapters.aws.error_table import ErrorTable
from tocsin.core.errors.error_history import ErrorState, Sighting, observe
from tocsin.core.times import iso_time
from tocsin_cli.commands import errors
from tocsin_cli.main import main
from tocsin_cli.stack.target import Deployed

T0 = 1_770_000_000_000
MINUTE = 60_000


@pytest.fixture
def store(dynamodb, monkeypatch):
    @contextlib.contextmanager
    def deployed(_arguments):
        yield Deployed("a stack", None, "incidents", dynamodb)

    monkeypatch.setattr(errors, "deployed", deployed)
    return ErrorTable(dynamodb, "incidents")


def keep(store, error="f1aa", service="backend", count=3):
    seen = Sighting(
        error, service, "ERROR order <*> lost", "ERROR order 17 lost", "/aws/lambda/backend", count
    )
    store.put(observe(None, seen, T0, resolve_after=15 * MINUTE).record)


def test_none_is_said(store, capsys):
    assert main(["errors"]) == 0
    assert capsys.readouterr().out == "No unknown error is kept.\n"


def test_each_is_shown_with_what_scripts_need(store, capsys):
    keep(store)
    keep(store, service="worker")
    assert main(["errors", "--json", "--service", "backend"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["errors"]
    assert report == {
        "id": "f1aa", "template": "ERROR order <*> lost", "service": "backend", "state": "new", "count": 3,
        "first_seen": "2026-02-02T02:40:00.000Z", "last_seen": "2026-02-02T02:40:00.000Z",
        "trend": [{"day": "2026-02-02", "count": 3}], "example": "ERROR order 17 lost",
        "log_group": "/aws/lambda/backend", "known": None,
    }  # fmt: skip
    assert main(["errors"]) == 0
    shown = capsys.readouterr().out
    assert "ERROR order <*> lost" in shown
    assert "2 unknown errors; counts are approximate" in shown


def test_one_is_taken_as_known_with_author_reason_and_end(store, capsys):
    keep(store)
    assert main(["errors", "known", "f1", "--for", "30d", "--reason", "a crawler", "--author", "ann"]) == 0
    assert capsys.readouterr().out.startswith("f1aa is known until ")
    record = store.get("backend", "f1aa")
    assert (record.state, record.known_by, record.known_reason) == (ErrorState.KNOWN, "ann", "a crawler")
    seen = Sighting("f1aa", "backend", "ERROR order <*> lost", "", "", 500)
    assert not observe(record, seen, record.known_until - 1, resolve_after=15 * MINUTE).news
    assert main(["errors"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"until {iso_time(record.known_until)[:10]}" in shown
    assert "by ann" in shown


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["zz", "--for", "1d"], "no error has an id that begins with 'zz'"),
        (["f", "--for", "1d"], "more than one error has an id that begins with 'f'"),
        (["f1", "--for", "soon"], "'soon' is not a duration"),
        (["f1", "--for", "400d"], "a year at most"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(store, capsys, given, said):
    keep(store)
    keep(store, "f2")
    assert main(["errors", "known", *given, "--reason", "r"]) == 1
    assert said in capsys.readouterr().err
    assert {record.state for record in store.everything()} == {ErrorState.NEW}
