"""Whether a process that says nothing is busy or stuck, as the system sees it."""

from __future__ import annotations

from pathlib import Path

AT_WORK = ("R", "D")
"""States of a thread that computes or waits for its turn, and of one that waits for the disk or for swapped memory."""


class Pulse:
    """Looks at the threads of a process. Stuck is one that used no processor time since the last look and wants none.

    A worker in a long batch uses time, one that others keep from the processor wants it, one that reads from a slow disk
    waits for it: all three are busy. One that was stopped, or whose threads wait for each other, is stuck.
    """

    def __init__(self, pid: int, *, proc: Path = Path("/proc")) -> None:
        self._tasks = proc / str(pid) / "task"
        self._used = -1

    def stuck(self) -> bool:
        """True when nothing moved since the last look; False on the first look, and where the system does not tell."""
        states, used = [], 0
        try:
            for task in self._tasks.iterdir():
                # The name in the second field may hold blanks and brackets; what follows the last bracket does not.
                fields = (task / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                states.append(fields[0])
                used += int(fields[11]) + int(fields[12])
        except (OSError, IndexError, ValueError):
            self._used = -1
            return False
        still = used == self._used and not any(state in AT_WORK for state in states)
        self._used = used
        return still
