"""Writes the text of this example: the logbook of a made-up plant, one entry a shift.

    python examples/text-generation/make_logbook.py FILE [entries]

Entries end with a line of <|endoftext|>. Seeded: running it again gives the same text. Nobody and nothing in it is real.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

ENTRIES = 1500
PEOPLE = ("Abel", "Berit", "Chidi", "Dana", "Emre", "Farida", "Goran", "Hana", "Ilya", "Jonna")
MACHINES = {
    "press 1": ("oil pressure", "bar", 120, 180), "press 2": ("oil pressure", "bar", 120, 180),
    "the furnace": ("temperature", "°C", 780, 930), "the belt": ("speed", "m/min", 8, 22),
    "pump 4": ("flow", "l/min", 40, 95), "the mill": ("vibration", "mm/s", 1, 9),
}  # fmt: skip
FAULTS = {
    "press 1": ("a hose leaked", "the hose was changed"), "press 2": ("the guard did not close", "the switch was cleaned"),
    "the furnace": ("a thermocouple failed", "the spare one was fitted"), "the belt": ("it ran to the left", "the roller was set straight"),
    "pump 4": ("the seal dripped", "the seal was ordered"), "the mill": ("a bearing was loud", "it was greased"),
}  # fmt: skip
CLOSINGS = (
    "Nothing else.",
    "Handed over in good order.",
    "Floor swept, tools in place.",
    "Next shift please watch it.",
)


def entry(number: int, rng: random.Random) -> str:
    """One shift: who, what was read off, what went wrong."""
    day, part = divmod(number, 3)
    shift, who = ("early", "late", "night")[part], rng.choice(PEOPLE)
    lines = [f"Day {day + 1}, {shift} shift, {who}."]
    for machine in rng.sample(sorted(MACHINES), rng.randint(2, 4)):
        what, unit, low, high = MACHINES[machine]
        value = rng.randint(low, high)
        lines.append(
            f"{machine.capitalize()}: {what} {value} {unit}, {'high' if value > low + 0.85 * (high - low) else 'normal'}."
        )
    if rng.random() < 0.4:
        machine = rng.choice(sorted(FAULTS))
        seen, done = FAULTS[machine]
        moment = f"{rng.randint(0, 7):02d}:{rng.randint(0, 59):02d}"
        lines.append(f"At {moment} of the shift {machine} stood still: {seen}; {done} by {rng.choice(PEOPLE)}.")
    return "\n".join([*lines, rng.choice(CLOSINGS)])


def main(file: str, entries: str = str(ENTRIES)) -> None:
    """Write the logbook and say how long it is."""
    rng = random.Random(7)
    text = "".join(f"{entry(number, rng)}\n<|endoftext|>\n" for number in range(int(entries)))
    Path(file).write_text(text, encoding="utf-8")
    print(f"{int(entries):,} entries, {len(text):,} characters in {file}")


if __name__ == "__main__":
    main(*sys.argv[1:])
