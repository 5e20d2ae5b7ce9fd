"""State changes of CloudWatch alarms, in the three shapes that CloudWatch sends them in.

* by SNS: the message, JSON in PascalCase (``AlarmName``, ``NewStateValue``, ``Trigger``);
* by EventBridge: an event ``CloudWatch Alarm State Change`` (``detail.alarmName``, ``detail.state``);
* by a direct Lambda action: ``alarmData`` (like EventBridge's ``detail``), ``alarmArn``, ``accountId``.

An alarm over many series tells of each contributor too, in the same shapes: by ``AlarmContributorId`` and
``AlarmContributorAttributes``, by an event ``CloudWatch Alarm Contributor State Change``, by ``alarmContributor``.

No key can be counted on: metric-maths alarms have no metric of their own, composite alarms have no
``Trigger`` at all, messages of before 2019 have no ``AlarmArn``, and ``Region`` in the SNS message is a name for
people ("US East (N. Virginia)"). Sources: CloudWatch User Guide, "Alarm events and EventBridge" and "Invoke a
Lambda function from an alarm"; the payloads under ``tests/payloads`` name theirs.

The state's reason and the alarm's description are CloudWatch's and the owner's words, not yet redacted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tocsin.core.ingest.origin import ACCOUNT, REGION
from tocsin.core.model import AlarmChange, AlarmState, Millis
from tocsin.core.redaction.sample import named
from tocsin.core.times import parse_iso_time

STATE_CHANGE: Final = "CloudWatch Alarm State Change"
CONTRIBUTOR_CHANGE: Final = "CloudWatch Alarm Contributor State Change"
"""EventBridge's ``detail-type`` for what this module reads."""


class AlarmError(ValueError):
    """An alarm payload that cannot be read; its text names the key and what is wrong with it."""


def parse_alarm(payload: Mapping[str, Any]) -> AlarmChange | None:
    """Read a state change, whichever of the three shapes it is in.

    The id is the same for one transition whichever way it came, so that an alarm with an SNS action that is
    also caught by the EventBridge rule counts once: it is made of what all three shapes say (account, Region,
    alarm name, new state, time of the change).

    Args:
        payload: The SNS message's JSON, the EventBridge event, or the event of a direct Lambda action.

    Returns:
        The change. None for what is no occurrence: a change of an alarm's configuration. What CloudWatch mutes, by
        a mute rule (``muteDetail``) or a composite alarm's suppressor (``actionsSuppressedBy``), says by what: it is
        counted and not announced, because somebody said that it is expected.

    Raises:
        AlarmError: It is none of the shapes, or lacks a name, a known state or a time.
    """
    if "NewStateValue" in payload or "AlarmName" in payload:
        return _from_sns(payload)
    if "alarmData" in payload:
        return _from_detail(
            payload, "alarmData", arn=payload.get("alarmArn"), account=payload.get("accountId")
        )
    if "detail-type" in payload:
        if payload["detail-type"] not in (STATE_CHANGE, CONTRIBUTOR_CHANGE):
            return None
        resources = payload.get("resources")
        arn = resources[0] if isinstance(resources, list) and resources else ""
        return _from_detail(payload, "detail", arn=arn, account=payload.get("account"))
    raise AlarmError(
        "not a CloudWatch alarm: expected AlarmName and NewStateValue (by SNS), detail-type (by EventBridge) or "
        f"alarmData (direct); keys seen: {named(payload)}"
    )


def _close_colons(text: str) -> str:
    """A text without blanks around its colons, which AWS's own examples of alarms have."""
    return ":".join(part.strip() for part in text.split(":"))


def parse_time(value: object) -> Millis | None:
    """Read a time as alarms write it: ``2022-07-22T15:57:45.394+0000``, ``…Z``, ``2023-08-04T12: 56: 46.138+0000``.

    Returns:
        Milliseconds since the epoch; None when it is not a time, or none that an alarm can have changed at
        (``times.is_plausible``). A time without an offset is UTC.
    """
    return parse_iso_time(_close_colons(value.strip())) if isinstance(value, str) else None


def _from_sns(payload: Mapping[str, Any]) -> AlarmChange:
    at = parse_time(payload.get("StateChangeTime"))
    if at is None:
        raise AlarmError(
            "StateChangeTime: must be a time such as 2022-07-22T15:57:45.394+0000, is missing or not one"
        )
    trigger = _table(payload.get("Trigger"))
    metrics = [trigger]
    if not trigger.get("MetricName"):  # metric maths: the first of its metrics that is a real one
        stats = (_table(entry.get("MetricStat")) for entry in _tables(trigger.get("Metrics")))
        metrics = [_table(stat.get("Metric")) for stat in stats if stat] or [trigger]
        trigger = metrics[0]
    dimensions = {
        str(entry.get("name", entry.get("Name"))): str(entry.get("value", entry.get("Value")))
        for entry in _tables(trigger.get("Dimensions"))
    }
    return _change(
        name=_name(payload.get("AlarmName"), "AlarmName"),
        state=_state(payload.get("NewStateValue"), "NewStateValue"),
        previous=payload.get("OldStateValue"),
        reason=payload.get("NewStateReason"),
        at=at,
        arn=payload.get("AlarmArn"),
        account=payload.get("AWSAccountId"),
        region=payload.get("Region"),  # of use only where it is not the long name
        metric=(trigger.get("Namespace"), trigger.get("MetricName"), dimensions),
        others=[(other.get("Namespace"), other.get("MetricName")) for other in metrics[1:]],
        description=payload.get("AlarmDescription"),
        contributor=(payload.get("AlarmContributorId"), payload.get("AlarmContributorAttributes")),
    )


def _from_detail(payload: Mapping[str, Any], key: str, *, arn: object, account: object) -> AlarmChange:
    detail = _table(payload.get(key))
    state, previous = _table(detail.get("state")), _table(detail.get("previousState"))
    configuration = _table(detail.get("configuration"))
    value = _state(state.get("value"), f"{key}.state.value")
    at = parse_time(state.get("timestamp"))
    if at is None:
        at = parse_time(payload.get("time"))
    if at is None:
        raise AlarmError(
            f"{key}.state.timestamp: must be a time such as 2022-07-22T15:57:45.394+0000, is missing or not one, "
            "and so is the event's own time"
        )
    contributor = _table(detail.get("alarmContributor"))
    stats = (_table(entry.get("metricStat")) for entry in _tables(configuration.get("metrics")))
    metric, *others = [_table(stat.get("metric")) for stat in stats if stat] or [{}]
    dimensions = {str(name): str(entry) for name, entry in _table(metric.get("dimensions")).items()}
    return _change(
        name=_name(detail.get("alarmName"), f"{key}.alarmName"),
        state=value,
        previous=previous.get("value"),
        reason=state.get("reason"),
        at=at,
        arn=arn,
        account=account,
        region=payload.get("region"),
        metric=(metric.get("namespace"), metric.get("name"), dimensions),
        others=[(other.get("namespace"), other.get("name")) for other in others],
        description=configuration.get("description"),
        contributor=(contributor.get("id"), contributor.get("attributes")),
        mute=_mute(detail, state, configuration),
    )


def _mute(
    detail: Mapping[str, Any], state: Mapping[str, Any], configuration: Mapping[str, Any]
) -> tuple[str, Millis | None]:
    """What in CloudWatch mutes the alarm, in words, and until when; empty where nothing does."""
    rule = _table(detail.get("muteDetail"))
    if rule:
        name = _text(rule.get("mutedByArn")).rpartition(":")[2]
        return f"CloudWatch mute rule {name}".strip(), parse_time(rule.get("muteWindowEnd"))
    if state.get("actionsSuppressedBy"):
        return f"CloudWatch suppressor {_text(configuration.get('actionsSuppressor'))}".strip(), None
    return "", None


def _change(  # noqa: PLR0913  # one argument per thing that the shapes say differently
    *,
    name: str,
    state: AlarmState,
    previous: object,
    reason: object,
    at: Millis,
    arn: object,
    account: object,
    region: object,
    metric: tuple[object, object, Mapping[str, str]],
    others: Sequence[tuple[object, object]],
    description: object,
    contributor: tuple[object, object],
    mute: tuple[str, Millis | None] = ("", None),
) -> AlarmChange:
    arn = _close_colons(arn) if isinstance(arn, str) else ""
    parts = [*arn.split(":", 6), *[""] * 7]
    account = next((text for text in (parts[4], _text(account)) if ACCOUNT.fullmatch(text)), "")
    region = next((text for text in (parts[3], _text(region)) if REGION.fullmatch(text)), "")
    # A muted change is sent again, with the same time, when the mute has ended: that one counts.
    attributes = {_text(name): _text(value) for name, value in _table(contributor[1]).items()}
    contributor_id = _text(contributor[0]) or (json.dumps(attributes, sort_keys=True) if attributes else "")
    further = [text for text in (contributor_id, mute[0]) if text]
    identity = json.dumps([account, region, name, state, at, *further]).encode()
    namespace, metric_name, dimensions = metric
    return AlarmChange(
        id=hashlib.sha256(identity).hexdigest()[:32],
        name=name,
        arn=arn,
        state=state,
        previous=next((known for known in AlarmState if known == previous), None),
        reason=_text(reason),
        at=at,
        account=account,
        region=region,
        namespace=_text(namespace),
        metric=_text(metric_name),
        dimensions=dimensions,
        others=tuple((_text(space), _text(metric)) for space, metric in others),
        description=_text(description),
        contributor=hashlib.sha256(contributor_id.encode()).hexdigest()[:16] if contributor_id else "",
        attributes=attributes,
        muted_by=mute[0],
        muted_until=mute[1],
    )


def _name(value: object, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise AlarmError(f"{key}: must be the alarm's name, is missing or empty")
    return value


def _state(value: object, key: str) -> AlarmState:
    try:
        return AlarmState(value)  # type: ignore[arg-type]  # whatever it is, the enum refuses what it does not know
    except ValueError:
        raise AlarmError(
            f"{key}: must be one of {', '.join(AlarmState)}, is missing or something else"
        ) from None


def _text(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
