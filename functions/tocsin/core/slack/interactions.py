"""What Slack sends when people press something, submit a dialog or type a command: read into values, and bounded.

Only what Tocsin uses is read, and of other things only what makes them understood as such. Text that people type is
as strange to us as a log line: it is kept short here, and redacted by whoever uses it.
Sources: docs.slack.dev/reference/interaction-payloads, docs.slack.dev/interactivity/implementing-slash-commands.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,40}$")]
Short = Annotated[str, Meta(max_length=300)]
Value = Annotated[str, Meta(max_length=2_000)]
Address = Annotated[str, Meta(max_length=500)]

MAX_FIELDS = 40


class Person(msgspec.Struct, frozen=True):
    """Who pressed."""

    id: Id
    name: Short = ""
    username: Short = ""


class Team(msgspec.Struct, frozen=True):
    """The workspace."""

    id: Id


class Room(msgspec.Struct, frozen=True):
    """The channel."""

    id: Id


class Option(msgspec.Struct, frozen=True):
    """What was chosen from a menu."""

    value: Value = ""


class Pressed(msgspec.Struct, frozen=True):
    """One element that was pressed."""

    action_id: Annotated[str, Meta(max_length=255)]
    value: Value = ""
    selected_option: Option | None = None
    block_id: Annotated[str, Meta(max_length=255)] = ""

    @property
    def chosen(self) -> str:
        """The value of the button, or of the option that was chosen."""
        return self.selected_option.value if self.selected_option else self.value


class Press(msgspec.Struct, frozen=True, tag_field="type", tag="block_actions"):
    """Somebody pressed a button, or chose from a menu, under a message or in a dialog."""

    user: Person
    api_app_id: Id
    trigger_id: Short
    actions: Annotated[tuple[Pressed, ...], Meta(min_length=1, max_length=10)]
    team: Team
    response_url: Address = ""
    channel: Room | None = None


class Typed(msgspec.Struct, frozen=True):
    """One field of a dialog."""

    value: Value | None = None
    selected_option: Option | None = None


class DialogState(msgspec.Struct, frozen=True):
    """All fields of a dialog, by block and then by element."""

    values: dict[Short, dict[Short, Typed]] = {}


class Dialog(msgspec.Struct, frozen=True):
    """A dialog as it was submitted."""

    id: Short
    callback_id: Short = ""
    private_metadata: Annotated[str, Meta(max_length=3_000)] = ""
    state: DialogState = DialogState()

    def typed(self, block: str) -> str:
        """What stands in a block's only field; empty for nothing."""
        for field in self.state.values.get(block, {}).values():
            return (field.selected_option.value if field.selected_option else field.value) or ""
        return ""


class Submission(msgspec.Struct, frozen=True, tag_field="type", tag="view_submission"):
    """Somebody submitted a dialog."""

    user: Person
    api_app_id: Id
    view: Dialog
    team: Team


class Command(msgspec.Struct, frozen=True):
    """Somebody typed a slash command."""

    command: Annotated[str, Meta(max_length=40)]
    user_id: Id
    api_app_id: Id
    team_id: Id
    trigger_id: Short
    text: Value = ""
    user_name: Short = ""
    channel_id: Id = ""
    response_url: Address = ""

    @property
    def user(self) -> Person:
        """Who typed it."""
        return Person(self.user_id, self.user_name)


class Check(msgspec.Struct, frozen=True, tag_field="type", tag="ssl_check"):
    """Slack, or ``tocsin doctor``, looks whether somebody answers."""

    kind: Literal["ssl_check"] = "ssl_check"


Interaction = Press | Submission | Command | Check


def read_interaction(body: bytes) -> Interaction:
    """Read the body of a request from Slack.

    Raises:
        ValueError: It is nothing that Tocsin knows.
    """
    form = parse_qs(
        body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS
    )
    fields = {name: values[0] for name, values in form.items()}
    if fields.get("ssl_check") == "1":
        return Check()
    try:
        if "payload" in fields:
            payload: Press | Submission = msgspec.json.decode(fields["payload"], type=Press | Submission)
            return payload
        return msgspec.convert(fields, Command)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not an interaction that is known") from error


def identity_of(interaction: Press | Submission | Command) -> tuple[str, str]:
    """The app and the team that a request says it comes from."""
    team = interaction.team_id if isinstance(interaction, Command) else interaction.team.id
    return interaction.api_app_id, team
