"""What must stand in a structured line for the fields of a signature to fit: what the search over raw bytes looks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tocsin.core.model import Level

SHORTEST = 4
"""Letters and digits in a row that a glob must have to be looked for."""

STATES_ERROR = (
    r"(?i:err|fatal?|ftl|fail|crit|severe|panic?|emerg|alert)|PHP Parse|[EF](?:\d{4} \d\d:\d\d|, \[)|\d [EF] |"
    r"(?:<|\\u003[cC])\d{1,3}(?:>|\\u003[eE])|"
    r"""(?i:level|lvl|lev|severity|priority|[@"\\](?:l|s))[A-Za-z_]{0,10}[\\"\s]{0,10}[:=][\\"\s{a-zA-Z:]{0,40}[0-9EFef]"""
)
"""RE2: what is in the raw bytes of every event that states error or worse, in text or in JSON, however often encoded.

Much else has it too: it is for those who must see every such event. Escaped letters are found by the matcher's own
``ESCAPED_WORD``, which belongs beside it.
"""


def field_search(fields: Mapping[str, tuple[str, ...]]) -> str | None:
    """The RE2 expression that is found in every raw event whose fields fit; None where nothing can be looked for.

    Args:
        fields: Globs by the name of their field; ``level`` names a level.
    """
    for name, globs in fields.items():
        runs = [_longest_run(glob) for glob in globs]
        if name != "level" and runs and all(len(run) >= SHORTEST for run in runs):
            return "(?i:" + "|".join(map(re.escape, runs)) + ")"
    level = fields.get("level", ("trace",))[0]
    return STATES_ERROR if level in set(Level) and Level(level).is_error else None


def _longest_run(glob: str) -> str:
    """The longest run of letters and digits that whatever fits the glob has."""
    return max(re.findall(r"[A-Za-z0-9]+", re.sub(r"\[[^\]]*\]", "*", glob)), key=len, default="")
