"""The fire drill of an alarm: it is set to ALARM by hand, followed to Slack, and put back, however far it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.model import AlertState
from tocsin_cli.aws_errors import code_of
from tocsin_cli.doctor.findings import Examined
from tocsin_cli.drill.steps import DENIED, Drill, Step

REASON = "Set by hand by tocsin drill: nothing is wrong, and it is put back"


def alarm_of_queue(stack: Examined, queue: str) -> str:
    """The name of the stack's alarm on the depth of a dead-letter queue, whether or not there is one."""
    return f"{stack.name}-dlq-depth-{queue}"


@dataclass(slots=True)
class AlarmDrill(Drill):
    """One fire drill of an alarm, which is the ``target``; what it calls at night, the drill calls."""

    _set: bool = False
    _earlier: str = "OK"
    """The state that the alarm had."""
    _before: dict[str, int] = field(default_factory=dict)
    """How often the alarm had fired in each open incident: counted, because its clock is not ours."""

    def run(self) -> Iterator[Step]:
        """Each step as it is done; the alarm is put back also where one did not pass, or nobody asks for the next."""
        try:
            yield from Drill.run(self)
        finally:
            if self._set:
                self._restore()

    def _steps(self) -> tuple[Callable[[], Step], ...]:
        return self._look, self._fire, self._detect, self._publish, self._slack, self._put_back, self._resolve

    def _look(self) -> Step:
        self.started = self.clock()
        found = self.stack.client("cloudwatch").describe_alarms(
            AlarmNames=[self.target], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        alarms = [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]
        if not alarms:
            return Step("alarm", None, f"there is no alarm {self.target}: tocsin doctor lists the stack's")
        alarm = alarms[0]
        if alarm["StateValue"] == "ALARM":
            return Step("alarm", None, f"{self.target} is in ALARM already: what it says is no drill")
        if not alarm.get("ActionsEnabled", True):
            return Step(
                "alarm",
                None,
                f"the actions of {self.target} are off: aws cloudwatch enable-alarm-actions "
                f"--alarm-names {self.target}",
            )
        self._earlier = alarm["StateValue"]
        self._before = {
            incident.id: each.count
            for incident in self._history().open_incidents()
            for each in incident.alerts.values()
            if each.origin.alarm == self.target
        }
        return self._seen("alarm", f"{self.target} is {alarm['StateValue']}, and its actions are on")

    def _fire(self) -> Step:
        try:
            self._put("ALARM")
        except Exception as error:
            if code_of(error) not in DENIED:
                raise
            return Step("set", None, f"not allowed to set {self.target}: cloudwatch:SetAlarmState")
        self._set = True
        return self._seen("set", "set to ALARM")

    def _put_back(self) -> Step:
        self._restore()
        self._set = False
        return self._seen("put back", f"set to {self._earlier}; CloudWatch itself decides at its next look")

    def _restore(self) -> None:
        """Give the alarm the state that it had, by way of OK: INSUFFICIENT_DATA ends no incident."""
        for state in dict.fromkeys(("OK", self._earlier)):
            self._put(state)

    def _put(self, state: str) -> None:
        self.stack.client("cloudwatch").set_alarm_state(
            AlarmName=self.target, StateValue=state, StateReason=REASON
        )

    def _detect(self) -> Step:
        if self._until(lambda: self._alert() is not None):
            return self._seen("detect", "received, counted and stored in the table")
        return Step(
            "detect",
            None,
            f"the alarm never came: an action of {self.target} must be the alarm topic (or the rule "
            f"of alarms be on); tocsin doctor; then read the log /tocsin/{self.stack.name}/detect",
        )

    def _of(self, incident: Incident) -> Alert | None:
        found = (
            each
            for each in incident.alerts.values()
            if each.origin.alarm == self.target
            and each.state_at
            >= self.started // 1_000 * 1_000  # the time of an alarm may be exact to the second
            and (self._incident or each.state is AlertState.FIRING)
        )
        return next(found, None)
