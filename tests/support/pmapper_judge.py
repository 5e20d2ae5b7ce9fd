"""PMapper's opinion of statements and requests; runs in an environment of its own (``make judge``), never in ours.

Standard input: ``{"statements": […], "requests": [{"action", "resource", "context"}, …]}``. Standard output: for each
request the positions of the statements whose Action, Resource and Condition match it. PMapper is under the AGPL: nothing
of it is part of Tocsin, and nothing of Tocsin imports it.
"""

from __future__ import annotations

import collections
import collections.abc
import json
import sys

# PMapper's last release looks for these where Python had them until 3.9.
for _name in ("Mapping", "MutableMapping"):
    setattr(collections, _name, getattr(collections.abc, _name))

from principalmapper.querying.local_policy_simulation import policy_has_matching_statement  # noqa: E402 - see above
from principalmapper.util.case_insensitive_dict import CaseInsensitiveDict  # noqa: E402

asked = json.load(sys.stdin)
json.dump(
    [
        [
            position
            for position, statement in enumerate(asked["statements"])
            if policy_has_matching_statement(
                {"Statement": [statement]},
                statement["Effect"],
                request["action"],
                request["resource"],
                CaseInsensitiveDict(request["context"]),
            )
        ]
        for request in asked["requests"]
    ],
    sys.stdout,
)
