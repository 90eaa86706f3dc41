"""Threads of torch that wait asleep, so that other work on the machine does not stop ours."""

from __future__ import annotations

from collections.abc import Mapping

SPINS = "300"
"""Rounds that a thread of torch waits awake for the others. The thread it waits for may be kept from the processor by other work:
with the many rounds of the default a step of training beside other work takes three times as long, and a request to a server
took 480 ms instead of 13."""


def surroundings(own: Mapping[str, str]) -> dict[str, str]:
    """An environment with threads that go to sleep soon, unless someone chose otherwise. It must be set before torch is loaded."""
    chosen = "OMP_WAIT_POLICY" in own or "GOMP_SPINCOUNT" in own
    return dict(own) if chosen else {**own, "GOMP_SPINCOUNT": SPINS}
