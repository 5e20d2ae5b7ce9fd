"""A signature's sentences with what is known put in: what it means, and what to do first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tocsin.core.incidents.incident import Alert
from tocsin.core.lazy_expressions import lazy
from tocsin.core.notifications.named_in_line import how_to_find, named_in
from tocsin.core.sanitize import clipped, one_line
from tocsin.core.times import DAY, iso_time

MAX_IN_SENTENCE_LENGTH: Final = 120
_MAX_SENTENCE_LENGTH: Final = 2_000
_PLACEHOLDER = lazy(r"\{(\w+)\}")
_IN_COMMAND = lazy(r"[A-Za-z0-9_./:][A-Za-z0-9_./:@=+#-]*", re.ASCII)
"""What a command may be given as it is: no shell reads more in it, and none takes it for an option."""
_IN_QUOTES = lazy(r"[A-Za-z0-9_./:(\[][A-Za-z0-9_./:@=+#()\[\],%& -]*", re.ASCII)
"""The same between single quotation marks, for names that may hold blanks."""
_FUNCTION_GROUP = "/aws/lambda/"


def place_of(alert: Alert, cause: Alert | None = None) -> dict[str, str]:
    """Where an alert comes from and what its line names, as sentences know it; what is not known is left out.

    Args:
        alert: The alert.
        cause: For an alarm, what is likely behind it: the function that logged it is the one to look at.
    """
    month = iso_time(alert.last_seen)[:8]
    known = {
        **named_in(alert.sample, alert.origin.log_stream),
        "log_group": alert.origin.log_group,
        "function": _function_of(alert) or (_function_of(cause) if cause is not None else ""),
        "alarm": alert.origin.alarm,
        "first_day": f"{month}01",
        "next_day": iso_time(alert.last_seen + DAY)[:10],
    }
    if alert.fields.get("bucket_name"):
        known["bucket"] = alert.fields["bucket_name"]
    return {name: value for name, value in known.items() if value}


def _function_of(alert: Alert) -> str:
    group = alert.origin.log_group
    function = group.removeprefix(_FUNCTION_GROUP) if group.startswith(_FUNCTION_GROUP) else ""
    return function if "/" not in function else ""


def first_action_of(template: str, service: str, fields: Mapping[str, str]) -> str:
    """What to do first, with what is known put in, and where to find what its commands need and nobody knows."""
    missing = [
        found[1]
        for found in _PLACEHOLDER.finditer(template)
        if _in_code(template, found) and not _as_in_command(template, found, fields.get(found[1], ""))
    ]
    command = fields.get("function", "")
    function = command if _IN_COMMAND.fullmatch(command) else "FUNCTION"
    hints = how_to_find([name for name in dict.fromkeys(missing) if name != "service"], function)
    said = filled(template, service, fields, code=True)
    return clipped(f"{said} {hints}", _MAX_SENTENCE_LENGTH) if hints else said


def _in_code(template: str, found: re.Match[str]) -> bool:
    return template.count("`", 0, found.start()) % 2 == 1


def _as_in_command(template: str, found: re.Match[str], value: str) -> str:
    """A value as it may stand in a command; empty where it may not."""
    text = one_line(value)
    quoted = template[: found.start()].endswith("'") and template.startswith("'", found.end())
    safe = (_IN_QUOTES if quoted else _IN_COMMAND).fullmatch(text)
    # A name that is cut off names something else; of `file://…` the aws command sends the file's content.
    whole = len(text) <= _MAX_IN_COMMAND_LENGTH and "://" not in text
    return text if safe and whole else ""


def filled(template: str, service: str, fields: Mapping[str, str], *, code: bool) -> str:
    """Put the service and the fields into a signature's sentence.

    Args:
        template: With ``{service}`` and field names in braces; other braces stay as they are.
        service: What ``{service}`` stands for.
        fields: By name. One that was not found is named instead: "the module", in code ``MODULE``. So is one in
            code that is no plain name: code is copied into a shell.
        code: Whether found values are set in back-ticks, so that no reader takes log text for formatting; not
            where the sentence already has them in code.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        text = one_line(service if name == "service" else fields.get(name, ""))
        if _in_code(template, found):
            return _as_in_command(template, found, text) or name.upper()
        if name == "service":
            return clipped(text, MAX_IN_SENTENCE_LENGTH)
        if name not in fields:
            return f"the {name.replace('_', ' ')}"
        text = clipped(text.replace("`", "'"), MAX_IN_SENTENCE_LENGTH)
        return f"`{text}`" if code else text

    return clipped(_PLACEHOLDER.sub(value, template), _MAX_SENTENCE_LENGTH)


_MAX_IN_COMMAND_LENGTH: Final = 512
"""The longest name of a log group."""
