"""The files of a new configuration folder, as texts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

EXAMPLE = "payment-declined"
SLACK_SECRET = "tocsin/slack"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class Answers:
    """What a new folder is made from.

    Attributes:
        stack: The stack's name.
        region: Its Region.
        log_groups: Log groups to watch.
        dead_letter_queues: Queues to alarm on.
        alarm_prefixes: How the names of existing alarms begin.
        rest_apis: REST APIs to alarm on.
        slack_secret: The name of the Slack secret.
        email: Who is notified when Slack cannot be reached; empty for nobody.
        runbooks_url: Where the team reads runbooks; empty for those of the pack on GitHub.
        health_data: Whether the logs may hold data of patients: then only what is known to be harmless is shown.
        version: The version of Tocsin that the workflow installs.
    """

    stack: str = "tocsin"
    region: str = "us-east-1"
    log_groups: tuple[str, ...] = ()
    dead_letter_queues: tuple[str, ...] = ()
    alarm_prefixes: tuple[str, ...] = ()
    rest_apis: tuple[str, ...] = ()
    slack_secret: str = SLACK_SECRET
    email: str = ""
    runbooks_url: str = ""
    health_data: bool = False
    version: str = ""


def files(answers: Answers) -> dict[str, str]:
    """Every file by its path in the folder."""
    return {
        "tocsin.toml": settings(answers),
        "signatures/own.toml": _SIGNATURE,
        f"runbooks/{EXAMPLE}.md": _RUNBOOK,
        ".github/workflows/tocsin.yml": workflow(answers),
        ".gitignore": ".tocsin/\n",
    }


def settings(answers: Answers) -> str:
    """``tocsin.toml``."""
    services = "".join(
        f"[services.{_key(name)}]\nlog_groups = {_list(groups)}\nalarms     = {_list([f'*{name}*'])}\n\n"
        for name, groups in services_of(answers.log_groups).items()
    )
    parameters = {
        "LogGroupNames": _list(answers.log_groups),
        "DeadLetterQueueNames": _list(answers.dead_letter_queues),
        "AlarmNamePrefixes": _list(answers.alarm_prefixes),
        **({"RestApiNames": _list(answers.rest_apis)} if answers.rest_apis else {}),
        "SlackSecretName": json.dumps(answers.slack_secret),
        **({"OperatorEmail": json.dumps(answers.email)} if answers.email else {}),
    }
    longest = max(map(len, parameters))
    lines = "".join(f"{name:<{longest}} = {value}\n" for name, value in parameters.items())
    links = (
        f"[links]\nrunbooks = {json.dumps(answers.runbooks_url)}\n"
        if answers.runbooks_url
        else "# Where your team reads runbooks, yours and those of the pack: `tocsin runbooks --html site` makes the pages.\n"
        '# [links]\n# runbooks = "https://example.com/runbooks/"\n'
    )
    redaction = (
        "# Of every line only what is known to be harmless is shown; the rest becomes … (docs/redaction.md).\n"
        '[redaction]\nstrict = ["*"]\n'
        if answers.health_data
        else "# Where a log may hold data of patients: of its lines only what is known to be harmless is shown.\n"
        '# [redaction]\n# strict = ["/aws/lambda/patients-*"]\n'
    )
    return f"""\
# Your configuration of Tocsin. `tocsin check` checks it, `tocsin plan` says what it changes, `tocsin deploy` deploys it.

# --- what is deployed -----------------------------------------------------------------------------------------------
[deploy]
stack  = {json.dumps(answers.stack)}
region = {json.dumps(answers.region)}

[deploy.parameters] # the template's parameters; what is not here has the template's default
{lines}{"" if answers.email else '# OperatorEmail = "ops@example.com" # notified when Slack cannot be reached; without it the doctor finds the stack broken' + chr(10)}
# A further environment overrides these: tocsin deploy --env staging
# [env.staging]
# stack = "{answers.stack}-staging"
# [env.staging.parameters]
# SlackSecretName = "{answers.slack_secret}-staging"

# --- who is alerted together ----------------------------------------------------------------------------------------
# A service is one incident and one Slack thread. A log group that none claims is a service of its own.
{services or "# [services.orders]" + chr(10) + '# log_groups = ["/aws/lambda/orders-*"]' + chr(10) * 2}\
# --- what is hidden -------------------------------------------------------------------------------------------------
{redaction}
# --- what the pack says otherwise -----------------------------------------------------------------------------------
# `tocsin signatures list` shows what there is. A signature of the pack is changed here, never copied:
# [override.lambda-timeout]
# severity = "medium"

[pack]
off = [] # families that you do not need, such as "python"

# --- how often, and where the runbooks are --------------------------------------------------------------------------
[intervals]
group_interval  = "5m"  # at most one count roll-up per incident in this time
repeat_interval = "4h"  # what still fires reminds after this time
resolve_after   = "15m" # this long without a new occurrence is resolved

{links}"""


def services_of(log_groups: tuple[str, ...]) -> dict[str, list[str]]:
    """A service for each log group, named after its last segment."""
    services: dict[str, list[str]] = {}
    for group in log_groups:
        services.setdefault(re.sub(r"[^\w.-]", "-", group.rstrip("/").rpartition("/")[2]), []).append(group)
    return services


def workflow(answers: Answers) -> str:
    """The GitHub workflow: check and comment on a pull request, deploy on main."""
    return (
        _WORKFLOW.replace("@VERSION@", answers.version)
        .replace("@REGION@", answers.region)
        .replace("@STACK@", answers.stack)
    )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _list(values: list[str] | tuple[str, ...]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


_SIGNATURE = f"""\
# Your own signatures. `tocsin new ID --from-line 'the line'` drafts one with its runbook.
# This one is an example in test mode: counted, never posted. Make it yours, or delete it with its runbook.

[{EXAMPLE}]
title        = "The payment provider declines every card"
severity     = "high"
status       = "test"
summary      = "{{service}} cannot take payments: the provider answers {{code}}."
first_action = "Look at the provider's status page, then at `aws logs tail` of {{service}}."
runbook      = "{EXAMPLE}.md"
any          = ['''payment provider answered (?P<code>\\d{{3}})''']
group_by     = ["code"]
matches      = ["ERROR payment provider answered 503 for order 1842"]
ignores      = ["INFO payment provider answered after 120 ms"]
"""

_RUNBOOK = """\
# The payment provider declines every card

Nobody can pay while this goes on.

## What it means

The provider answers our requests with an error. 5xx: it has an outage. 401 or 403: our key is no longer valid.

## Confirm

```sh
aws logs tail /aws/lambda/orders --since 10m --format short --filter-pattern '"payment provider answered"'
```

## Fix

- 5xx: wait, and put the notice on the checkout page.
- 401 or 403: put the new key into the secret and deploy.

## Prevent

- An alarm on the rate of declined payments.
"""

_WORKFLOW = """\
# Checks a pull request and comments what it changes; deploys main. The role is lent by OIDC: no AWS key is kept anywhere.
# Set in the repository's settings, under Secrets and variables, Actions, Variables:
#   AWS_ROLE_ARN           a role that trusts this repository and may deploy the stack
#   AWS_BACKTEST_ROLE_ARN  if wanted: one that pull requests may have, and that reads the watched log groups and no more
#                          (logs:FilterLogEvents). Then the comment says what the last week's messages would have been
name: Tocsin

on:
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

env:
  TOCSIN: tocsin==@VERSION@
  AWS_REGION: @REGION@

jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    permissions:
      contents: read
      pull-requests: write # the comment
      id-token: write # to ask for the role that reads logs
    steps:
      - uses: actions/checkout@v5
        with:
          fetch-depth: 0 # what it is compared with
          persist-credentials: false
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: pipx install "$TOCSIN"
      - run: tocsin check
      - name: The role that reads logs
        id: logs
        if: >-
          github.event_name == 'pull_request' && vars.AWS_BACKTEST_ROLE_ARN != '' &&
          github.event.pull_request.head.repo.full_name == github.repository
        continue-on-error: true # then the comment goes without it
        uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: ${{ vars.AWS_BACKTEST_ROLE_ARN }}
          aws-region: ${{ env.AWS_REGION }}
      - name: What this changes
        if: github.event_name == 'pull_request'
        env:
          BASE: ${{ github.base_ref }}
          GH_TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.pull_request.number }}
          BACKTEST: ${{ steps.logs.outcome == 'success' && '7d' || '' }}
        run: |
          tocsin plan --changed-since "origin/$BASE" --markdown ${BACKTEST:+--backtest "$BACKTEST"} > plan.md
          cat plan.md
          gh pr comment "$NUMBER" --edit-last --create-if-none --body-file plan.md ||
            echo "no comment: a pull request from a fork may not write one"

  deploy:
    needs: check
    if: github.ref == 'refs/heads/main' && github.event_name == 'push'
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    concurrency:
      group: deploy-@STACK@
      cancel-in-progress: false # a deploy that is cut off leaves the stack in mid-update
    permissions:
      contents: read
      id-token: write # to ask for the role
    steps:
      - uses: actions/checkout@v5
        with:
          persist-credentials: false
      - uses: actions/setup-python@v6
        with:
          python-version: "3.13"
      - run: pipx install "$TOCSIN"
      - uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: ${{ vars.AWS_ROLE_ARN }}
          aws-region: ${{ env.AWS_REGION }}
      - run: tocsin deploy --yes
"""
