"""A line that somebody marked as not an alert is kept with its signature; what was only tried, or is other, is not."""

from __future__ import annotations

from msgspec.structs import replace
from sample_incidents import BUCKET, IMPORT_ERROR, T0, incident

from tocsin.core.incidents.actions import ActionKind, ActionOutcome, PerformedAction
from tocsin_cli.stack.feedback import feedback

WRONG = replace(BUCKET, sample="RuntimeError: S3 bucket 'x' is not accessible, as planned")


def marked(signature, *, kind=ActionKind.NOT_AN_ALERT, outcome=ActionOutcome.DONE):
    return PerformedAction(f"a-{signature}", kind, "U1", "Ada", T0, outcome, signature, WRONG.fingerprint)


def test_the_line_of_the_signature_that_was_marked_is_told_with_who_and_where():
    of = replace(incident(IMPORT_ERROR, WRONG), record=(marked("s3-bucket-not-accessible"),))
    (entry,) = feedback([of])
    assert entry == {
        "signature": "s3-bucket-not-accessible", "line": WRONG.sample, "service": of.service, "who": "Ada",
        "at": entry["at"], "incident": of.id,
    }  # fmt: skip
    assert entry["at"].endswith("Z")


def test_another_alert_of_the_same_signature_is_not_taken_for_the_one_that_was_marked():
    real = replace(WRONG, fingerprint="other", sample="RuntimeError: S3 bucket 'y' is not accessible")
    of = replace(incident(WRONG, real), record=(marked("s3-bucket-not-accessible"),))
    assert [entry["line"] for entry in feedback([of])] == [WRONG.sample]


def test_what_else_people_did_is_no_feedback():
    of = replace(
        incident(IMPORT_ERROR, WRONG),
        record=(
            marked("s3-bucket-not-accessible", kind=ActionKind.OVER),
            marked("s3-bucket-not-accessible", outcome=ActionOutcome.TOO_LATE),
            replace(marked("s3-bucket-not-accessible"), fingerprint="of an alert that it does not list"),
        ),
    )
    assert list(feedback([of])) == []
