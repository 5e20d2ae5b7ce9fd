"""Silences: mutes that people set, with a required end, a reason and an author.

They may begin later, recur at hours of the week, and end by themselves once nothing matched for a time.

What a silence covers is said by globs (``*``, ``?``, ``[ab]``; upper and lower case differ) on an alert's signature,
service and fields. A glob that is left empty covers any; at least one must be given, because a silence of everything
is an outage of the alerting. A name that is given as it is shown covers itself, whatever characters are in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.core.model import Millis
from tocsin.core.times import DAY, LATEST, MINUTE, format_duration, is_plausible

if TYPE_CHECKING:
    from tocsin.core.weekly_hours import WeeklyHours

MAX_SILENCE: Final[Millis] = 30 * DAY
"""What is to be quiet for longer than 30 days is not a silence but a change of the signature."""

MAX_RECURRING: Final[Millis] = 366 * DAY
"""A silence that recurs is quiet only now and then: it may do so for a year."""

MIN_UNTIL_QUIET: Final[Millis] = 10 * MINUTE
"""What ends by itself sooner would end between two looks at what it mutes."""

MAX_LETTERS: Final = {"id": 64, "reason": 500, "author": 200, "signature": 200, "service": 200}
MAX_FIELDS: Final = 20
MAX_FIELD_LETTERS: Final = 300


class Silence(Struct, frozen=True):
    """A mute of the alerts it covers, from when it begins until it expires.

    Attributes:
        id: Unique.
        expires_at: When it ends; required, and at most ``MAX_SILENCE`` after it begins.
        reason: Why, in its author's words.
        author: Who made it.
        created_at: When it was made, which is when it begins if nothing else is said.
        signature: Glob of the signature's id, or several, each on a line of its own: any of them; empty for any.
        service: Glob of the service, or several in the same way; empty for any.
        fields: By a field's name, a glob of its value. An alert without the field is not covered.
        begins_at: When it begins, for work that is planned: at most ``MAX_SILENCE`` after it was made.
        hours: The hours of the week in which it mutes, as ``mon-fri 22:00-06:00``; empty for all. With hours it may last
            up to ``MAX_RECURRING``.
        zone: The time zone of the hours.
        ends_when_quiet: It ends by itself once nothing that it covers fired or was seen for this time; 0 for never.
        last_matched: When something that it covers last fired or was seen, as far as it was noted.
        startup_noise: Whether it mutes only what begins while it is active, and never what is critical. What such an alert
            saw by its end it keeps quiet about; what is seen later is told.

    Raises:
        ValueError: A value is missing or out of bounds; the message begins with its key.
    """

    id: str
    expires_at: Millis
    reason: str
    author: str
    created_at: Millis
    signature: str = ""
    service: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    begins_at: Millis | None = None
    hours: str = ""
    zone: str = "UTC"
    ends_when_quiet: Millis = 0
    last_matched: Millis = 0
    startup_noise: bool = False

    def __post_init__(self) -> None:
        """Refuse what must not mute anything."""
        for name, most in MAX_LETTERS.items():
            _check_text(name, getattr(self, name), most)
        for name in ("id", "reason", "author"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name}: required")
        _check_times(
            self.created_at, self.expires_at, self.begins_at, MAX_RECURRING if self.hours else MAX_SILENCE
        )
        self._check_recurrence()
        _check_fields(self.fields)
        if not (self.signature or self.service or self.fields):
            raise ValueError("signature: a signature, a service or a field must be given")

    def active(self, now: Millis) -> bool:
        """Whether it mutes at this moment; it does no more at the moment it expires."""
        return self.begins <= now < self.ends_at and (not self.hours or self._hours().cover(now))

    @property
    def ends_at(self) -> Millis:
        """When it is over for good if nothing that it covers is seen any more."""
        if not self.ends_when_quiet:
            return self.expires_at
        return min(self.expires_at, max(self.begins, self.last_matched) + self.ends_when_quiet)

    @property
    def begins(self) -> Millis:
        """When it begins to mute."""
        return self.created_at if self.begins_at is None else self.begins_at

    def ended(self, now: Millis) -> Silence:
        """The silence with its end now; one that had not begun never will."""
        # One that another clock made a moment in the future still has to last a moment.
        at = max(now, self.created_at + 1)
        return replace(self, expires_at=at, begins_at=None if self.begins >= at else self.begins_at)

    def covers(self, signature: str, service: str, fields: Mapping[str, str]) -> bool:
        """Whether an alert is one of those it is about, active or not.

        Args:
            signature: The signature's id.
            service: The service.
            fields: The alert's fields.
        """
        return (
            (not self.signature or any(fits(signature, glob) for glob in alternatives(self.signature)))
            and (not self.service or any(fits(service, glob) for glob in alternatives(self.service)))
            and all(name in fields and fits(fields[name], glob) for name, glob in self.fields.items())
        )

    def _hours(self) -> WeeklyHours:
        # Not at the top: what never recurs needs no time zones.
        from tocsin.core.weekly_hours import parse_weekly_hours

        return parse_weekly_hours(self.hours, self.zone)

    def _check_recurrence(self) -> None:
        for name in ("hours", "zone"):
            _check_text(name, getattr(self, name), 100)
        if self.hours:
            try:
                self._hours()
            except ValueError as error:
                raise ValueError(f"{'zone' if 'time zone' in str(error) else 'hours'}: {error}") from error
        for name in ("ends_when_quiet", "last_matched"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name}: must be whole milliseconds, not below 0")
        if self.ends_when_quiet and self.hours:
            raise ValueError("ends_when_quiet: what recurs does not end by itself")
        if 0 < self.ends_when_quiet < MIN_UNTIL_QUIET:
            raise ValueError(f"ends_when_quiet: must be at least {format_duration(MIN_UNTIL_QUIET)}")

    @property
    def matcher(self) -> str:
        """What it covers, for people: ``signature=db-* service=worker database=None``."""
        own = {
            name: " or ".join(alternatives(globs))
            for name, globs in (("signature", self.signature), ("service", self.service))
        }
        return " ".join(f"{name}={glob}" for name, glob in (own | dict(self.fields)).items() if glob)


def alternatives(globs: str) -> list[str]:
    """The globs of a signature or a service, of which any covers; none for an empty text."""
    return globs.split("\n") if globs else []


def fits(value: str, glob: str) -> bool:
    """Whether a glob covers a value: by what its signs mean, or because it is the value itself.

    ``jobs[eu]`` is the service of that name, and with ``[eu]`` as a choice also ``jobse`` and ``jobsu``.
    """
    return value == glob or fnmatchcase(value, glob)


def load_silence(text: str) -> Silence:
    """Read a silence written by this or an older version; keys of a newer version are passed over.

    Raises:
        ValueError: It is not a silence; the message begins with the key that is wrong.
    """
    data: Any = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("silence: not an object")
    for name in ("id", "expires_at", "reason", "author", "created_at"):
        if name not in data:
            raise ValueError(f"{name}: required")
    # By hand, so that a fault is said in the words that people who write a silence know.
    return Silence(**{name: data[name] for name in Silence.__struct_fields__ if name in data})


def _check_text(name: str, value: object, most: int) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name}: must be text")
    if len(value) > most:
        raise ValueError(f"{name}: {len(value)} characters, at most {most} are kept")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{name}: holds half a surrogate pair, which cannot be stored")


def _check_times(created_at: object, expires_at: object, begins_at: object, most: Millis) -> None:
    begins_at = created_at if begins_at is None else begins_at
    for name, at in (("created_at", created_at), ("expires_at", expires_at), ("begins_at", begins_at)):
        if not isinstance(at, int) or isinstance(at, bool) or not is_plausible(at):
            raise ValueError(f"{name}: must be whole milliseconds between 0 and {LATEST}")
    assert isinstance(created_at, int)  # noqa: S101 -- for the type checker; the loop has just refused all else
    assert isinstance(expires_at, int)  # noqa: S101 -- as above
    assert isinstance(begins_at, int)  # noqa: S101 -- as above
    if not 0 <= begins_at - created_at <= MAX_SILENCE:
        raise ValueError(f"begins_at: must be from now to {format_duration(MAX_SILENCE)} from now")
    if expires_at <= begins_at:
        raise ValueError(f"expires_at: must be after {'begins' if begins_at > created_at else 'created'}_at")
    if expires_at - begins_at > most:
        since = "its beginning" if begins_at > created_at else "now"
        raise ValueError(
            f"expires_at: {format_duration(expires_at - begins_at)} from {since}, the most is {format_duration(most)}"
        )


def _check_fields(given: object) -> None:
    if not isinstance(given, Mapping):
        raise ValueError("fields: must be an object")
    if len(given) > MAX_FIELDS:
        raise ValueError(f"fields: {len(given)} of them, at most {MAX_FIELDS} are kept")
    for name, glob in given.items():
        _check_text("fields", name, MAX_FIELD_LETTERS)
        _check_text(f"fields.{name}", glob, MAX_FIELD_LETTERS)
        if not name or not glob:
            raise ValueError(f"fields.{name}: name and value must not be empty; * is any value")
