"""Writes made-up help-desk tickets with the first reply that each should get.

    python examples/text-generation/make_replies.py [FILE]

Seeded; no ticket, person or place is real. A reply depends on what the trouble is and repeats where and which device, so a
model has to understand the first and to copy the second.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

ROWS = 600
PLACES = ["room {n}", "office {n}", "lab {n}", "desk {n}", "hall {n}"]
OPENINGS = ["", "Hello,", "Hi,", "Good morning,", "Please help:", "Urgent:"]
CLOSINGS = ["", "Thanks.", "Please hurry.", "Regards, Kim", "It started today.", "Nobody can work."]
TROUBLES: list[tuple[list[str], str, list[str]]] = [
    (
        ["the {d} in {p} is out of paper", "no paper left in the {d}, {p}", "{d} at {p} asks for paper"],
        "We bring paper to {p} within an hour.",
        ["printer", "copier", "plotter"],
    ),
    (
        ["the {d} in {p} shows a paper jam", "paper stuck in the {d} at {p}", "{p}: {d} jams on every page"],
        "Please open the rear cover of the {d} in {p} and pull the paper out slowly.",
        ["printer", "copier", "scanner"],
    ),
    (
        ["no wifi on my {d} in {p}", "{d} in {p} cannot join the wireless network", "wifi drops on the {d}, {p}"],
        "Please switch the wireless of your {d} off and on. We check the antenna near {p}.",
        ["laptop", "tablet", "phone"],
    ),
    (
        ["forgot the password of my {d}", "password of the {d} in {p} expired", "{d} at {p} refuses my password"],
        "We sent a link for a new password. It works for your {d} as well.",
        ["laptop", "account", "mailbox"],
    ),
    (
        ["the {d} in {p} stays black", "{d} at {p} shows no picture", "no signal on the {d}, {p}"],
        "Please check the cable of the {d}. If it stays black we bring a new one to {p}.",
        ["screen", "projector", "monitor"],
    ),
    (
        ["my {d} is very slow in {p}", "{d} at {p} takes minutes to start", "the {d} in {p} freezes all day"],
        "Please restart the {d} tonight. An update is waiting for it.",
        ["laptop", "computer", "workstation"],
    ),
]


def rows(n: int, seed: int = 11) -> list[dict[str, str]]:
    """Tickets with their replies."""
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        asked, reply, devices = rng.choice(TROUBLES)
        slots = {"p": rng.choice(PLACES).format(n=rng.randint(1, 99)), "d": rng.choice(devices)}
        if "{p}" in reply:
            asked = [text for text in asked if "{p}" in text]
        ticket = " ".join(
            part for part in (rng.choice(OPENINGS), rng.choice(asked).format(**slots), rng.choice(CLOSINGS)) if part
        )
        found.append({"ticket": ticket.lower() if rng.random() < 0.2 else ticket, "reply": reply.format(**slots)})
    return found


def main(target: str = "replies.csv") -> None:
    """Write the file."""
    with Path(target).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["ticket", "reply"])
        writer.writeheader()
        writer.writerows(rows(ROWS))
    print(f"{ROWS} tickets in {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
