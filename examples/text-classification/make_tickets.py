"""Writes the made-up help-desk tickets of the example, with problems planted on purpose (see README.md).

    python examples/text-classification/make_tickets.py

Everything here was written for this project; no ticket, person, address or account is real.
"""

from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

from ticket_words import BOTH, CLOSINGS, DETAILS, NAMES, OPENINGS, SITES, TEAMS

HERE = Path(__file__).parent
N_TICKETS, N_NEW = 960, 120
COLUMNS = ["ticket", "opened", "site", "channel", "message", "queue_code", "team"]
CODES = {team: f"Q{number}" for number, team in enumerate(TEAMS, start=11)}


def typo(word: str, rng: random.Random) -> str:
    """A word as fingers in a hurry write it."""
    if len(word) < 5 or not word.isalpha():
        return word
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
        ]
    )


def message(team: str, rng: random.Random) -> str:
    """One ticket: an opening, a complaint of the team's, perhaps a detail and a closing, with human noise."""
    slots = {name: rng.choice(values) for name, values in DETAILS.items()}
    core = rng.choice(TEAMS[team]).format(**slots)
    if rng.random() < 0.45:
        core += " " + rng.choice(BOTH).format(**slots)
    parts = [
        rng.choice(OPENINGS).format(**slots) if rng.random() < 0.5 else "",
        core,
        rng.choice(CLOSINGS).format(**slots) if rng.random() < 0.5 else "",
    ]
    text = " ".join(part for part in parts if part)
    words = [typo(word, rng) if rng.random() < 0.03 else word for word in text.split(" ")]
    text = " ".join(words)
    style = rng.random()
    return text.lower() if style < 0.2 else text.upper() if style < 0.22 else text.rstrip(".") if style < 0.4 else text


def tickets(n: int, seed: int, start: datetime) -> list[dict[str, str]]:
    """Clean tickets in the order in which they were opened."""
    rng = random.Random(seed)
    rows, when = [], start
    weights = [10, 9, 14, 11, 8, 9, 7, 6]
    for number in range(n):
        when += timedelta(minutes=rng.randint(5, 190))
        team = rng.choices(list(TEAMS), weights)[0]
        rows.append({
            "ticket": f"T{seed}{number:05}", "opened": when.isoformat(sep=" ", timespec="minutes"), "site": rng.choice(SITES),
            "channel": "portal", "message": message(team, rng), "queue_code": CODES[team], "team": team,
        })  # fmt: skip
    return rows


def plant(rows: list[dict[str, str]], seed: int) -> None:
    """The problems of README.md; ``inspect`` is to find every one."""
    rng = random.Random(seed)
    free = rng.sample(range(len(rows) - 60), 140)
    take = iter(free)
    for row in [next(take) for _ in range(12)]:
        rows[row]["message"] = rows[row + 40]["message"]
        rows[row]["team"], rows[row]["queue_code"] = rows[row + 40]["team"], rows[row + 40]["queue_code"]
    for row in [next(take) for _ in range(8)]:
        rows[row]["message"] = rows[row + 50]["message"].upper() + " !!"
        rows[row]["team"], rows[row]["queue_code"] = rows[row + 50]["team"], rows[row + 50]["queue_code"]
    for row in [next(take) for _ in range(5)]:
        other = rng.choice([team for team in TEAMS if team != rows[row + 30]["team"]])
        rows[row]["message"], rows[row]["team"] = rows[row + 30]["message"], other
    for row in [next(take) for _ in range(24)]:
        rows[row]["team"] = rng.choice([team for team in TEAMS if team != rows[row]["team"]])
    for row in [next(take) for _ in range(9)]:
        rows[row]["message"] += (
            f" you can reach me at {rng.choice(NAMES).lower()}.{rng.choice(NAMES).lower()}@example.com"
        )
    for row in [next(take) for _ in range(6)]:
        rows[row]["message"] += f" call me on +49 30 55{rng.randint(1000, 9999)} {rng.randint(10, 99)}"
    for row in [next(take) for _ in range(2)]:
        rows[row]["message"] += " the refund for the headset goes to DE89 3704 0044 0532 0130 00"
    for row in [next(take) for _ in range(2)]:
        rows[row]["message"] += f" my password is {rng.choice(NAMES)}{rng.randint(2020, 2026)}!"
    for row in [next(take) for _ in range(4)]:
        rows[row]["message"] += " (gemeldet fÃ¼r BÃ¼ro MÃ¼nchen)"
    for row in [next(take) for _ in range(5)]:
        rows[row]["message"] = ""
    for row in [next(take) for _ in range(6)]:
        rows[row]["team"] = ""
    for row in rows:
        if row["queue_code"] == CODES["security"] and rng.random() < 0.95:
            row["message"] += " [SEC-TRIAGE]"


def write(path: Path, rows: list[dict[str, str]], columns: list[str]) -> None:
    """The rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write tickets.csv (with the planted problems) and tickets_new.csv (tickets of the next week, no team yet)."""
    rows = tickets(N_TICKETS, 1, datetime(2026, 3, 2, 8))
    plant(rows, 1)
    write(HERE / "tickets.csv", rows, COLUMNS)
    write(HERE / "tickets_new.csv", tickets(N_NEW, 2, datetime(2026, 7, 20, 8)), COLUMNS[:5])


if __name__ == "__main__":
    main()
