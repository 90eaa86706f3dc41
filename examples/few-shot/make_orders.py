"""Writes made-up orders by mail, the fields in each, and a text from which a small decoder learns what orders look like.

    python examples/few-shot/make_orders.py [FOLDER]

``shots.jsonl`` holds 24 mails with their fields, ``new.jsonl`` 60 others with theirs, ``teams.csv`` 30 mails with the team that deals
with them, ``orders.txt`` what a decoder may be pre-trained on. Seeded; no person, firm or place is real.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path
from typing import Any

ITEMS = ["chairs", "desks", "lamps", "screens", "cables", "printers", "phones", "shelves", "mats", "boards"]
NAMES = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lea", "Max", "Noa"]
TOWNS = ["Alvik", "Brenn", "Cors", "Dunby", "Elmfeld", "Farro", "Gimle", "Hask"]
ORDERS = [
    "please send {n} {item} to {name} in {town}", "{name} in {town} needs {n} {item}", "we order {n} {item} for {name}, {town}",
    "{n} {item} to {town}, for {name}",
]  # fmt: skip
TEAMS = {
    "sales": ORDERS,
    "returns": [
        "the {item} for {name} came broken",
        "{name} sends {n} {item} back",
        "wrong {item} in {town}, please take them back",
    ],
    "billing": [
        "{name} paid twice for {n} {item}",
        "the bill for the {item} is wrong",
        "where is the bill for {town}, asks {name}",
    ],
}


def order(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """A mail with its fields."""
    fields = {"item": rng.choice(ITEMS), "n": rng.randint(2, 40), "name": rng.choice(NAMES), "town": rng.choice(TOWNS)}
    return rng.choice(ORDERS).format(**fields), fields


def ticket(rng: random.Random) -> tuple[str, str]:
    """A mail with its team."""
    team = rng.choice(list(TEAMS))
    return rng.choice(TEAMS[team]).format(**order(rng)[1]), team


def document(rng: random.Random) -> str:
    """A page of mails, each with what it is about."""
    if rng.random() < 0.3:
        rows = [ticket(rng) for _ in range(rng.randint(8, 14))]
        return "\n\n".join(f"mail: {mail}\nteam: {team}" for mail, team in rows)
    orders = [order(rng) for _ in range(rng.randint(5, 9))]
    return "\n\n".join(f"mail: {mail}\norder:\n{json.dumps(fields, separators=(',', ':'))}" for mail, fields in orders)


def main() -> None:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    rng = random.Random(21)
    for name, n in (("shots", 24), ("new", 60)):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as stream:
            for _ in range(n):
                mail, fields = order(rng)
                stream.write(json.dumps({"mail": mail, "order": fields}) + "\n")
    with (folder / "teams.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["mail", "team"])
        writer.writerows(ticket(rng) for _ in range(30))
    with (folder / "orders.txt").open("w", encoding="utf-8") as stream:
        for _ in range(2000):
            stream.write(document(rng) + "\n<|endoftext|>\n")


if __name__ == "__main__":
    main()
