"""What this machine has: processors, memory, disk; and what this process used."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psutil

MIB = 1024 * 1024


def cpu_count() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory_mib() -> float:
    """Memory that can be had without swapping, in MiB."""
    return psutil.virtual_memory().available / MIB


def current_memory_mib() -> float:
    """Resident memory of this process now, in MiB."""
    return psutil.Process().memory_info().rss / MIB


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's own way to return freed memory, None elsewhere."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found


def return_freed_memory() -> None:
    """Give memory that was freed back to the system: blocks of many sizes leave holes that are never used again."""
    trim = _trim()
    if trim is not None:
        trim(0)


def free_disk_mib(folder: Path) -> float:
    """Free disk space under a folder (or its nearest existing parent), in MiB."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free / MIB
