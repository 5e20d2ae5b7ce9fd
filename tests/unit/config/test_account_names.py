"""Accounts have names: read from the settings, shown beside the number."""

import pytest
from sample_incidents import RUNBOOKS, SIGNATURES, TIMEOUT, incident, pending

from tocsin.core.config.settings import parse_settings
from tocsin.core.model import Reason
from tocsin.core.notifications.building import build_notification, with_account_names
from tocsin.core.notifications.contract import to_json
from tocsin.core.notifications.email import email_text
from tocsin.core.notifications.parsing import parse_notification
from tocsin.core.problems import ConfigurationError
from tocsin.core.slack.messages import render


def named(names):
    made = build_notification(
        incident(TIMEOUT), pending(Reason.OPENED, TIMEOUT), SIGNATURES, runbooks_url=RUNBOOKS
    )
    return with_account_names(made, names)


def test_an_account_is_called_by_its_name_beside_its_number_wherever_it_is_shown():
    number = TIMEOUT.origin.account
    known = named(parse_settings(f'[accounts]\n{number} = "shop  live"\n', {}).accounts)
    assert known.alerts[0].account_name == "shop live"
    assert parse_notification(to_json(known)) == known
    assert f"account shop live ({number})" in str(render(known).blocks)
    assert f"shop live ({number})" in email_text(known)


def test_another_accounts_name_is_not_put_on_this_one():
    other = named({"000000000000": "sandbox"})
    assert other.alerts[0].account_name is None
    assert f"account {TIMEOUT.origin.account}" in str(render(other).blocks)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('prod = "123456789012"', "twelve digits"),
        ('12345 = "short"', "twelve digits"),
        ('123456789012 = ""', "1 to 60 characters"),
        ("123456789012 = 7", "1 to 60 characters"),
        (f'123456789012 = "{"x" * 61}"', "1 to 60 characters"),
    ],
)
def test_a_number_that_is_none_and_a_name_that_is_none_are_refused_by_name(line, why):
    with pytest.raises(ConfigurationError) as refused:
        parse_settings(f"[accounts]\n{line}\n", {})
    assert f"accounts.{line.split(' ')[0]}" in str(refused.value)
    assert why in str(refused.value)
