"""What the life of an incident needs of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from tocsin.core.absence.watch import is_watched
from tocsin.core.config.routing import Routing
from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.incident import Alert
from tocsin.core.incidents.test_mode import is_in_test_mode
from tocsin.core.model import DRILL, Millis
from tocsin.core.signatures.signature import Signature, Source


class Policy(Struct, frozen=True):
    """Intervals, the signatures by id, and the routes, which say what incidents are joined by."""

    intervals: Intervals
    signatures: Mapping[str, Signature]
    routing: Routing = field(default_factory=Routing)

    def resolve_after(self, signature: str) -> Millis:
        """The quiet period after which an alert of this signature is resolved."""
        rule = self.signatures.get(signature)
        own = rule.resolve_after if rule else None
        return self.intervals.resolve_after if own is None else own

    def quiet_period(self, alert: Alert) -> Millis:
        """The quiet period of an alert, longer for one that came back.

        While it is not announced it is not shorter than its threshold's window.
        """
        rule = self.signatures.get(alert.signature)
        window = rule.threshold.within if rule and rule.threshold and not alert.announced else 0
        return max(self.resolve_after(alert.signature), window, self.learned_quiet(alert))

    def learned_quiet(self, alert: Alert) -> Millis:
        """The quiet that an alert has to show because it came back, 0 where it never did; the setting bounds it.

        A drill that is run again is no outage that came back.
        """
        return 0 if alert.signature == DRILL else min(alert.learned_quiet, self.intervals.max_resolve_after)

    def ends_by_quiet(self, alert: Alert) -> bool:
        """Whether quiet resolves an alert: not an alarm, nor an absence, unless no signature waits for its end any more.

        One whose signature was put in test mode hears of no end: that is counted for the digest.
        """
        rule = self.signatures.get(alert.signature)
        if is_in_test_mode(rule):
            return True
        if alert.origin.absence:
            return not is_watched(rule)
        return not alert.origin.alarm or rule is None or rule.source is not Source.ALARM
