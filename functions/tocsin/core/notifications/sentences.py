"""A signature's sentences with what is known put in: what it means, and what to do first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tocsin.core.incidents.incident import Alert
from tocsin.core.sanitize import clipped, one_line

MAX_IN_SENTENCE_LENGTH: Final = 120
_MAX_SENTENCE_LENGTH: Final = 2_000
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_IN_COMMAND = re.compile(r"[A-Za-z0-9_./:][A-Za-z0-9_./:@=+#-]*", re.ASCII)
"""What a command may be given as it is: no shell reads more in it, and none takes it for an option."""
_IN_QUOTES = re.compile(r"[A-Za-z0-9_./:(\[][A-Za-z0-9_./:@=+#()\[\],%& -]*", re.ASCII)
"""The same between single quotation marks, for names that may hold blanks."""
_FUNCTION_GROUP = "/aws/lambda/"


def place_of(alert: Alert) -> dict[str, str]:
    """Where an alert comes from, under the names that sentences know it by; what is not known is left out."""
    group = alert.origin.log_group
    function = group.removeprefix(_FUNCTION_GROUP) if group.startswith(_FUNCTION_GROUP) else ""
    known = {
        "log_group": group,
        "function": function if "/" not in function else "",
        "alarm": alert.origin.alarm,
        "bucket": alert.fields.get("bucket_name", ""),
    }
    return {name: value for name, value in known.items() if value}


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
        inside = template.count("`", 0, found.start()) % 2 == 1
        text = one_line(service if name == "service" else fields.get(name, ""))
        if inside:
            quoted = template[: found.start()].endswith("'") and template.startswith("'", found.end())
            safe = (_IN_QUOTES if quoted else _IN_COMMAND).fullmatch(text)
            # A name that is cut off names something else; of `file://…` the aws command sends the file's content.
            whole = len(text) <= _MAX_IN_COMMAND_LENGTH and "://" not in text
            return text if safe and whole else name.upper()
        if name == "service":
            return clipped(text, MAX_IN_SENTENCE_LENGTH)
        if name not in fields:
            return f"the {name.replace('_', ' ')}"
        text = clipped(text.replace("`", "'"), MAX_IN_SENTENCE_LENGTH)
        return f"`{text}`" if code else text

    return clipped(_PLACEHOLDER.sub(value, template), _MAX_SENTENCE_LENGTH)


_MAX_IN_COMMAND_LENGTH: Final = 512
"""The longest name of a log group."""
