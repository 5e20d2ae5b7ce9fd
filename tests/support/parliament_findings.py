"""What parliament finds in policies; runs in an environment of its own (``make judge``), as PMapper does.

Standard input: policies by name. Standard output: for each finding the policy's name, the issue and what it is about.
"""

from __future__ import annotations

import json
import sys
import warnings

warnings.simplefilter("ignore")

from parliament import analyze_policy_string  # noqa: E402 - it warns while it is imported

json.dump(
    [
        [name, finding.issue, str(finding.detail)]
        for name, policy in json.load(sys.stdin).items()
        for finding in analyze_policy_string(json.dumps(policy)).findings
    ],
    sys.stdout,
)
