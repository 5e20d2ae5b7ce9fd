"""The words of the product as values, from matching to rendering; all times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Struct, field

Millis = int
"""A point in time, or a span, in milliseconds."""
LATEST: Final[Millis] = 32_503_680_000_000
"""The year 3000. Milliseconds beyond are a mistake, most often nanoseconds; Python's calendar ends with 9999."""


class Severity(StrEnum):
    """How bad an alert is; ``rank`` orders them, 0 is the worst."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Position from worst (0) to mildest (3)."""
        return list(Severity).index(self)


class Reason(StrEnum):
    """Why a notification is sent."""

    OPENED = "opened"
    NEW_ALERT = "new_alert"
    UPDATE = "update"
    REPEAT = "repeat"
    REGRESSED = "regressed"
    RESOLVED = "resolved"
    SILENCE_EXPIRED = "silence_expired"
    DIGEST = "digest"


class AlertState(StrEnum):
    """Whether the fault behind an alert is still going on."""

    FIRING = "firing"
    RESOLVED = "resolved"


class LogEvent(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One log event as CloudWatch Logs delivers it; of msgspec, which reads a whole envelope of them in one go."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    timestamp: Annotated[Millis, msgspec.Meta(ge=0, lt=LATEST)]
    message: str


class Envelope(Struct, frozen=True):
    """One delivery of a subscription: log events of one stream of one log group.

    Attributes:
        id: The same for every delivery of the same events, different otherwise; what duplicates are known by.
        account: The account that owns the log group (``owner`` in the envelope).
        log_group: The log group's name.
        log_stream: The log stream's name; empty where the log group is another's and its stream is not known.
        events: The log events, in the order delivered.
        region: The Region of the log group, where the envelope says it; else empty.
        origins: For logs gathered from elsewhere: the same events, an envelope for each log group that they were
            written to. Empty where all were written to this one.
    """

    id: str
    account: str
    log_group: str
    log_stream: str
    events: Sequence[LogEvent]
    region: str = ""
    origins: tuple[Envelope, ...] = ()


class AlarmState(StrEnum):
    """The three states of a CloudWatch alarm."""

    ALARM = "ALARM"
    OK = "OK"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class AlarmChange(Struct, frozen=True):
    """One state change of a CloudWatch alarm, whichever of the three shapes it came in.

    Attributes:
        id: The same for the same transition by whatever route and however often it is delivered.
        name: The alarm's name.
        arn: The alarm's ARN; empty where the shape lacks it.
        state: The state it changed to.
        previous: The state it left, where the payload says.
        reason: CloudWatch's words for why.
        at: When it changed.
        account: The account of the alarm.
        region: The Region as in the ARN (``us-east-1``), never the long name.
        namespace: The metric's namespace; empty for composite alarms, for metric maths the first metric's.
        metric: The metric's name; empty where ``namespace`` is.
        dimensions: The metric's dimensions by name.
        others: For metric maths: namespace and name of its further metrics, in their order.
        description: The alarm's description, or empty.
        contributor: For one series of an alarm over many: what tells it from the others. Its OK is not the alarm's.
        attributes: What CloudWatch knows the contributor by, such as ``{"TableName": "orders"}``.
        muted_by: What in CloudWatch keeps its actions quiet, in words; empty where nothing does.
        muted_until: When that ends, where the payload says.
    """

    id: str
    name: str
    arn: str
    state: AlarmState
    previous: AlarmState | None
    reason: str
    at: Millis
    account: str
    region: str
    namespace: str = ""
    metric: str = ""
    dimensions: Mapping[str, str] = field(default_factory=dict)
    others: tuple[tuple[str, str], ...] = ()
    description: str = ""
    contributor: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    muted_by: str = ""
    muted_until: Millis | None = None


class Match(Struct, frozen=True):
    """That a signature recognised a log line.

    Attributes:
        signature: The signature's id.
        fields: What the expression's named groups captured, empty captures left out; not yet redacted.
        start: Where the match begins in the normalised text.
        end: Where it ends.
    """

    signature: str
    fields: Mapping[str, str]
    start: int = 0
    end: int = 0


class Origin(Struct, frozen=True):
    """Where an alert comes from: a log group, an alarm or a line that is missing, and the account it is in.

    Attributes:
        account: The AWS account.
        region: The Region.
        log_group: Where the line was found; empty for alarms.
        log_stream: The stream of the sample; empty for alarms.
        alarm: The alarm's name; empty for log lines.
        absence: Whether it is about a line that is missing: it ends with the line's return, not by quiet.
    """

    account: str = ""
    region: str = ""
    log_group: str = ""
    log_stream: str = ""
    alarm: str = ""
    absence: bool = False

    @property
    def is_stateful(self) -> bool:
        """Whether it says itself when it is over, as an alarm or a missing line does, instead of falling quiet."""
        return bool(self.alarm) or self.absence


class OccurrenceCount(Struct, frozen=True):
    """What one envelope, or one alarm change, adds to one alert: the unit that is counted exactly once.

    Everything in it is redacted and bounded in size: it is what the table, SNS and Slack see.

    Attributes:
        envelope: The id of the envelope or alarm change; with ``fingerprint`` the key of the count.
        fingerprint: The alert it belongs to.
        signature: The signature's id.
        service: The group it is told with: the service it happened in, unless its signature is in test mode.
        fields: The captured fields, redacted and truncated.
        count: How many occurrences the envelope held.
        first_seen: The earliest occurrence's own time.
        last_seen: The latest occurrence's own time.
        received_at: When Tocsin saw it; the quiet period is measured on this, so that a delayed delivery
            does not look like an old, quiet alert.
        sample: One redacted, truncated line to show.
        state: ``resolved`` for an alarm that went back to OK, else ``firing``.
        origin: Where it comes from.
        origin_service: For a signature in test mode, the service it happened in; else empty.
        continues: For an alarm that fires: whether it did not come from OK, so that its firing again says of no end.
        contributor: For one series of an alarm over many: what tells it from the others.
        contributor_name: How people know it, redacted.
        muted_by: What in CloudWatch mutes the alarm, in words.
        muted_until: When that ends, where it is known.
        learned: For an unknown error in the digest: whether it was new, and Tocsin was learning.
        learning_until: Likewise: until when Tocsin learns; 0 where it does not.
        marked_by: For an alert in the digest because somebody said that it was none: who.
    """

    envelope: str
    fingerprint: str
    signature: str
    service: str
    fields: Mapping[str, str]
    count: int
    first_seen: Millis
    last_seen: Millis
    received_at: Millis
    sample: str
    state: AlertState = AlertState.FIRING
    origin: Origin = Origin()
    origin_service: str = ""
    continues: bool = False
    contributor: str = ""
    contributor_name: str = ""
    muted_by: str = ""
    muted_until: Millis | None = None
    learned: bool = False
    learning_until: Millis = 0
    marked_by: str = ""


class ChangeKind(StrEnum):
    """What was changed."""

    STACK = "stack"
    CODE = "code"
    CONFIGURATION = "configuration"
    ALIAS = "alias"


class Change(Struct, frozen=True):
    """Something that was deployed or altered; everything in it is redacted and bounded in size.

    Attributes:
        id: The same for every delivery of the same event.
        kind: What was changed.
        what: The name of the stack, or of the function.
        at: When.
        status: For a stack, CloudFormation's status.
        by: For a function, the tool that did it; empty when somebody did it directly.
        who: For a function, the user or role, where known.
    """

    id: str
    kind: ChangeKind
    what: str
    at: Millis
    status: str = ""
    by: str = ""
    who: str = ""

    @property
    def is_direct(self) -> bool:
        """Whether it was made past the stack, or whatever else deploys."""
        return self.kind is not ChangeKind.STACK and not self.by


class Level(StrEnum):
    """The level of a log line, lowest first."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position from lowest (0) to highest."""
        return _RANKS[self]

    @property
    def is_error(self) -> bool:
        """Whether it is error or worse."""
        return self is Level.ERROR or self is Level.CRITICAL


_RANKS = {level: rank for rank, level in enumerate(Level)}


DRILL = "(drill)"
"""The id of the built-in signature of `tocsin drill`; no signature of a file can have it."""

TEST_MODE_GROUP = "signatures in test mode"
"""The group of whatever signatures in test mode recognise; no service has this name."""
