"""What the platform says twice of one request is counted once, also where a delivery ends between the two."""

from __future__ import annotations

import pytest
from test_detecting import MIN, SETTINGS, T0, World, logs, signature

from tocsin.core.matching.matcher import Matcher
from tocsin.services.detection import Detector

SIGNATURES = {
    rule.id: rule
    for rule in [
        signature("timeout", any=("Task timed out", "Status: timeout")),
        signature("boom", any=("Boom",)),
    ]
}
ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


class Split(World):
    """A world that knows time-outs."""

    def another_process(self):
        return Detector(
            Matcher(SIGNATURES), SIGNATURES, SETTINGS, reconciler=self._make_settler, failure_queue=lambda: self,
            own_log_groups="/tocsin/", region="us-east-1",
        )  # fmt: skip


def said(request):
    return f"2026-03-04T05:06:07.089Z {request} Task timed out after 3.00 seconds"


def reported(request):
    return f"REPORT RequestId: {request}\tDuration: 3000.00 ms\tMemory Size: 128 MB\tStatus: timeout"


def counted(*envelopes):
    world = Split()
    for number, lines in enumerate(envelopes):
        world.detect(logs(lines, first_id=100 * number), T0 + number * MIN)
    world.reconciler.reconcile("backend", T0 + 10 * MIN)
    return world.incident.count


@pytest.mark.parametrize("writes", [(said, reported), (reported, said)])
def test_a_time_out_of_which_one_delivery_has_the_line_and_the_next_the_report_counts_once(writes):
    assert counted(*([write(ONE)] for write in writes)) == 1


def test_two_requests_count_twice_in_one_delivery_and_in_two():
    assert counted([said(ONE)], [reported(TWO)]) == 2
    assert counted([said(ONE), reported(ONE), said(TWO), reported(TWO)]) == 2


def test_what_the_application_says_of_a_request_counts_in_each_delivery():
    line = f"[ERROR]\t2026-03-04T05:06:07.089Z\t{ONE}\tBoom"
    assert counted([line], [line]) == 2


def test_a_delivery_that_comes_again_counts_nothing_whoever_reads_it():
    world = Split()
    for minute in range(3):
        world.detector = world.another_process()
        world.detect(logs([said(ONE)]), T0 + minute * MIN)
    assert world.incident.count == 1


def test_a_retry_under_the_same_request_is_another_failure():
    world = Split()
    for attempt in range(3):
        written = [{"id": str(attempt), "timestamp": T0 + attempt * MIN, "message": said(ONE)}]
        world.detect(logs([], logEvents=written), T0 + attempt * MIN)
    world.reconciler.reconcile("backend", T0 + 10 * MIN)
    assert world.incident.count == 3
