"""Writes ``docs/incidents.md`` again: what Tocsin would have sent in each outage, replayed on a simulated clock.

``make docs`` runs it; a test says when the page is no longer what the code does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.times import MINUTE, format_duration
from tocsin_cli.outages import Step, Story, load_stories
from tools.stories import Replayed, Sent, Shown, replay, total

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "incidents.md"
MAX_LINE_LENGTH = 130

INTRODUCTION = """\
# The five incidents, and what Tocsin would have sent

Written by `make docs`; not typed. Each outage is replayed minute by minute on a simulated clock: its lines go through
detection, `reconcile` and the delivery to Slack as they are deployed, with the signatures and intervals that ship. The lines
are those that were logged; what is not known of an outage is assumed, and said. `tests/unit/repo/test_stories.py` holds the exact
list of notifications of each, and that nothing planted in the lines (a password, a patient's address) gets out.

"Notified after" counts from the first line that somebody should have been notified of. By bot an incident is one message in the
channel, edited in place, with replies in its thread; by webhook it is messages. The replays are in
[tocsin_cli/outages.toml](../tocsin_cli/outages.toml).
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What happened, or what was sent, from one moment to another."""

    first: int
    last: int
    logged: str
    sent: str


def main() -> None:
    """Write the page."""
    config = load_configuration(ROOT / "functions", {})
    PAGE.write_text(page({name: replay(story, config) for name, story in load_stories().items()}), "utf-8")


def page(replays: Mapping[str, Replayed]) -> str:
    """The whole page."""
    return (
        INTRODUCTION + "\n" + overview(replays) + "".join(chapter(replayed) for replayed in replays.values())
    )


def overview(replays: Mapping[str, Replayed]) -> str:
    """One line for each."""
    rows = "".join(
        f"| [{story.name}](#{anchor(story)}) {story.title} | {format_duration(story.over - story.began)} | "
        f"{notified_after(replayed)} | {in_slack(replayed.total('bot'))} | {in_slack(replayed.total('webhook'))} |\n"
        for replayed in replays.values()
        for story in [replayed.story]
    )
    return (
        "| outage | lasted | notified after | in Slack by bot | by webhook |\n|---|---|---|---|---|\n" + rows
    )


def chapter(replayed: Replayed) -> str:
    """One outage."""
    story = replayed.story
    instead = (
        f" instead of {format_duration(story.over - story.began)}" if story.unnoticed else ", at each attempt"
    )
    rows = "".join(
        f"| {moments(row, story)} | {minutes(row, story)} | {row.logged} | {row.sent} |\n"
        for row in joined(table(replayed))
    )
    return (
        f"\n## {heading(story)}\n\n"
        f"**Then:** {story.then} **Found:** {story.found}\n\n"
        f"**With Tocsin:** notified after {notified_after(replayed)}{instead}. {len(replayed.sent)} notifications: by bot "
        f"{in_slack(replayed.total('bot'))}; by webhook {in_slack(replayed.total('webhook'))}.\n\n"
        f"Assumed: {story.assumed[0].lower()}{story.assumed[1:]}\n\n"
        f"| UTC | after | what happened | what Tocsin sends |\n|---|---|---|---|\n{rows}"
    )


def heading(story: Story) -> str:
    """A heading with the day."""
    return f"{story.name}. {day(story.began)}: {story.title[0].lower()}{story.title[1:]}"


def anchor(story: Story) -> str:
    """Where GitHub puts the heading."""
    kept = (letter for letter in heading(story).lower() if letter.isalnum() or letter in " -")
    return "".join(kept).replace(" ", "-")


def table(replayed: Replayed) -> Iterator[Row]:
    """What happened and what was sent, in order; what is sent again and again in one row."""
    happened = [(step.at, 0, step) for step in replayed.story.steps if step.note or not step.quiet]
    sent = [(each.at, 1, each) for each in replayed.sent]
    everything = sorted([*happened, *sent], key=lambda entry: entry[:2])
    for _, run in groupby(everything, key=lambda entry: kind(entry[2])):
        entries = [entry[2] for entry in run]
        if isinstance(entries[0], Step):
            yield from (Row(step.at, step.at, words(step, replayed.story), "") for step in entries)
        else:
            yield Row(entries[0].at, entries[-1].at, "", sending(entries))


def joined(rows: Iterable[Row]) -> list[Row]:
    """The rows with those made one that are of one minute: what happened, and what was sent at once."""
    kept: list[Row] = []
    for row in rows:
        before = kept[-1] if kept else None
        if before and not before.sent and before.first // MINUTE == row.first // MINUTE:
            logged = "<br>".join(filter(None, (before.logged, row.logged)))
            kept[-1] = Row(before.first, row.last, logged, row.sent)
        else:
            kept.append(row)
    return kept


def kind(entry: Step | Sent) -> object:
    """What makes two that follow each other the same row."""
    if isinstance(entry, Step):
        return "step"
    again = entry.reason in {"update", "repeat"}
    return (entry.reason, entry.headline) if again else entry.notification.id


def words(step: Step, story: Story) -> str:
    """What happened."""
    if step.alarm:
        return f"alarm `{story.alarms[step.alarm].name}` goes to {step.state}"
    if step.queue:
        return (
            f"`{step.queue}` holds {step.depth} messages" if step.depth else f"`{step.queue}` is empty again"
        )
    parts = [step.note] if step.note else []
    if step.line:
        first = step.line.replace("{now}", "").replace("{request}", "").strip().splitlines()[0]
        line = " ".join(first.split()).replace("|", "\\|")
        often = f", {len(step.times):,} times" if len(step.times) > 1 else ""
        parts.append(
            f"`{line if len(line) <= MAX_LINE_LENGTH else line[: MAX_LINE_LENGTH - 1] + '…'}`{often}"
        )
    return " ".join(parts)


def sending(run: list[Sent]) -> str:
    """What was sent: the reason, the headline, the runbook, and what Slack makes of it."""
    first = run[0]
    times = f" × {len(run)}" if len(run) > 1 else ""
    bot, webhook = total(each.bot for each in run), total(each.webhook for each in run)
    growing = [alert.queue for alert in first.notification.alerts if alert.changed and alert.queue]
    depth = f" ({growing[0].depth} messages)" if growing and first.headline.startswith("Growing") else ""
    cause = next((alert.likely_cause for alert in first.notification.alerts if alert.likely_cause), None)
    likely = (
        f", likely cause: {cause.title}"
        if cause and "dlq-depth" in first.about and first.reason != "resolved"
        else ""
    )
    changes = first.notification.changes if first.reason == "opened" else ()
    before = "".join(
        f", {change.seconds_before} s after the code of `{change.what}` was updated directly"
        for change in changes
        if change.direct
    )
    return (
        f"**{first.reason}**{times}: {first.headline}{depth}{likely}{before} · [{first.runbook}](../runbooks/{first.runbook}) · "
        f"bot: {in_slack(bot)}; webhook: {in_slack(webhook)}"
    )


def in_slack(shown: Shown) -> str:
    """What Slack shows, in words: ``1 message, 36 edits, 1 reply``."""
    counts = (
        (shown.messages, "message", "messages"),
        (shown.edits, "edit", "edits"),
        (shown.replies, "reply", "replies"),
    )
    return (
        ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
        or "nothing"
    )


def notified_after(replayed: Replayed) -> str:
    """How long after the first line."""
    return after(replayed.sent[0].at - replayed.story.began)


def after(span: int) -> str:
    """A time since the beginning, in minutes at least."""
    return format_duration(span // MINUTE * MINUTE) if span >= MINUTE else "0 min"


def moments(row: Row, story: Story) -> str:
    """When, with the day where it is another than the first."""
    first, last = clock(row.first, story), clock(row.last, story)
    return first if first == last else f"{first} – {last}"


def minutes(row: Row, story: Story) -> str:
    """How long after the first line."""
    if row.first < story.began // MINUTE * MINUTE:
        return "before"
    first, last = after(row.first - story.began), after(row.last - story.began)
    return first if first == last else f"{first} – {last}"


def clock(at: int, story: Story) -> str:
    """The time of day."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    begin = datetime.fromtimestamp(story.began / 1000, UTC)
    return f"{moment:%H:%M}" if moment.date() == begin.date() else f"{moment:%m-%d %H:%M}"


def day(at: int) -> str:
    """The day."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"


if __name__ == "__main__":
    main()
