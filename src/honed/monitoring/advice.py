"""What to do about an alert, and what monitoring cannot see, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from honed.monitoring.reference import Watched
from honed.monitoring.results import Alert, State

ENOUGH_LABELS = 200


def advice_for(watched: Watched, alerts: Sequence[Alert], state: State) -> list[str]:
    """Proposals, the most urgent first."""
    families = {alert.family for alert in alerts}
    found = []
    if "performance" in families:
        found.append("The model is wrong more often than it was. " + _rollback(watched))
        found.append(_retune(watched))
    if "quality" in families:
        found.append(
            "Look at where the rows come from first: broken, empty or foreign-language rows are mended there, not by training."
        )
    if families & {"inputs", "vectors", "predictions", "estimate"} and "performance" not in families:
        found.append(
            f"Look at some of the newest rows and label about {ENOUGH_LABELS} of them: different rows need not mean wrong answers. "
            "POST /labels of the server takes the labels."
        )
        found.append("If the answers are wrong: " + _retune(watched))
        found.append(_rollback(watched))
    if state == "ok":
        found.append(
            f"Label about {ENOUGH_LABELS} rows now and then: only labels show that the truth itself has changed."
        )
    if alerts:
        found.append('When you have dealt with it: honed monitor BUNDLE --acknowledge "what was done".')
    return found


def _retune(watched: Watched) -> str:
    return (
        "Train again with the labelled rows: honed monitor BUNDLE --export-labelled new_rows.csv, add the file to the training data, "
        f'then honed finetune ALL_ROWS.csv --target "{watched.problem.target}".'
    )


def _rollback(watched: Watched) -> str:
    return "If it began with a new version of the model: honed rollback deployments/NAME."


def limits_of(watched: Watched, labelled: bool) -> list[str]:
    """What these checks cannot see."""
    answers = watched.reference.answers
    found = [
        "Different rows are not wrong answers, and alike rows are not right ones.",
        "If nothing changes, the chance of ever seeing an alert is at most 5 %, over all checks and looks together. "
        "That holds for rows that come independently of each other; campaigns or bursts from one sender vary more.",
    ]
    if answers is not None and answers.curve is not None:
        found.insert(
            1,
            "The estimate without labels believes the model's confidence. It is blind to a change of the truth itself "
            "(the same text now has another right answer): only labels show that.",
        )
    if answers is None:
        found.append("This bundle is of an older kind: its answers have no reference, only its inputs are compared.")
    if not labelled:
        found.append("No labels have arrived, so real performance is not known.")
    if not watched.reference.vectors:
        found.append("The model gives no vectors at low cost, so meaning is compared by words and answers alone.")
    return found
