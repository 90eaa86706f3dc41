"""``explain``: what a code means and what to do."""

from __future__ import annotations

import difflib

from honed.codes import Code, catalogue
from honed.errors import ConfigError


def explain(code: str) -> Code:
    """What a finding or an error means.

    Raises
    ------
    ConfigError [C011]
        No such code.
    """
    known = catalogue()
    wanted = code.strip().strip("[]").upper()
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=3)
        raise ConfigError(
            "C011", f'There is no code "{code}".', f"Close ones: {', '.join(close)}." if close else "See honed explain."
        )
    return known[wanted]
