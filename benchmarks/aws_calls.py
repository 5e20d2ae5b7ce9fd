"""AWS calls that `detect` makes, counted on real botocore clients against an in-process DynamoDB and SNS."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import boto3
from moto import mock_aws

from benchmarks.batches import FAULT, batch, ordinary_batch

UNKNOWN = "ERROR app.pay: payment provider answered 500 for order {n}"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
DEPLOYED = {
    "TOCSIN_TABLE": "incidents",
    "TOCSIN_ALERTS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:alerts",
    "AWS_REGION": "us-east-1",
}
"""The environment of a function that has the table and the topic of `stub_cloud`."""
NOW = 1_795_000_000_000
MINUTE = 60_000
MINUTES, BATCHES_A_MINUTE = 65, 20
STORM = 200


def measure() -> dict[str, float]:
    """Calls for a batch without a match, one that adds to a known alert, per batch of a storm, and a minute for a known error."""
    with stub_cloud() as environment:
        return _measure(environment)


@contextmanager
def stub_cloud() -> Iterator[dict[str, str]]:
    """A table and a topic in this process; the environment of a function that uses them."""
    with patch.dict(os.environ, CREDENTIALS), mock_aws():
        _create()
        yield DEPLOYED


def _measure(environment: dict[str, str]) -> dict[str, float]:
    from tocsin.bootstrap import configuration, wire_detector

    calls: Counter[str] = Counter()
    real = boto3.client

    def counting(*args, **kwargs):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN003, ANN202 - boto3's own signature
        client = real(*args, **kwargs)
        client.meta.events.register("before-call.*", lambda model, **_: calls.update([model.name]))
        return client

    with patch.object(boto3, "client", counting):
        detector = wire_detector(environment, configuration(environment))
        detector.detect(ordinary_batch(1000), NOW)
        without = calls.total()
        detector.detect(batch([FAULT]), NOW)
        calls.clear()
        detector.detect(batch([FAULT] * 10, first_id=100), NOW + 1)
        known = calls.total()
        calls.clear()
        for i in range(STORM):
            detector.detect(batch([FAULT] * 100, first_id=1000 + i * 100), NOW + 2 + i)
        storm = calls.total()
        # The error is learned first, as on a first day, and then known: its record, or its number for the digest.
        detector.detect(batch([UNKNOWN.format(n=1)], first_id=10**6), NOW + MINUTE)
        calls.clear()
        for i in range(MINUTES * BATCHES_A_MINUTE):
            lines = [UNKNOWN.format(n=n) for n in range(50)]
            at = (NOW // MINUTE + 2) * MINUTE + i * MINUTE // BATCHES_A_MINUTE
            detector.detect(batch(lines, first_id=2 * 10**6 + i * 100), at)
        known_error = calls.total()
    return {
        "calls_no_match": without,
        "calls_known_alert": known,
        "calls_per_batch_in_a_storm": storm / STORM,
        "calls_a_minute_of_a_known_error": known_error / MINUTES,
    }


def _create() -> None:
    boto3.client("dynamodb").create_table(
        TableName=DEPLOYED["TOCSIN_TABLE"],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "S"), ("grp", "S"), ("due", "N"))
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "grp", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["occurrence_count"]},
            }
        ],
    )
    boto3.client("sns").create_topic(Name="alerts")
