"""From packed objects to answers in plain numpy, for exports that run without Honed; tests compare them with ``decisions``."""

from __future__ import annotations

from honed.tasks.contract import Problem

_ANSWERS = """
def answers(rows):
    found = []
    for row in outputs(rows):
        objects, told, perhaps = row[2:].reshape(100, -1), [], False
        for numbers in objects[objects[:, 4] > 0]:
            limit = np.float32((facts["thresholds"] or [{usual}] * len(facts["labels"]))[int(numbers[5])])
            share = np.clip(numbers[4].astype(np.float64), 1e-6, 1 - 1e-6)
            odds = np.clip(np.log(share / (1 - share)) / facts["temperature"] + facts["shift"], -30, 30)
            score = np.float32(1 / (1 + np.exp(-odds)))
            if score < limit:
                perhaps = perhaps or bool(score >= {doubt} * limit)
                continue
            box = [round(float(value), 1) for value in numbers[:4]]
            told.append({{"label": facts["labels"][int(numbers[5])], "score": round(float(score), 4), "box": box}})
{masks}        found.append({{"prediction": told, "unsure": perhaps and not told}})
    return found
"""
_TELL_MASK = """            size = [int(row[0]), int(row[1])]
            told[-1]["mask"] = {"size": size, "counts": in_runs(pasted(numbers[7:], numbers[:4], size))}
"""
_MASKS = """
def pasted(numbers, box, size):
    cells = (numbers.astype(np.int64)[:, None] >> np.arange(16) & 1).astype(np.uint8).reshape(28, 28) * 255
    whole = np.zeros(size, dtype=bool)
    left, top = (max(0, int(np.floor(value))) for value in box[:2])
    right, bottom = (min(side, int(np.ceil(value))) for side, value in zip(size[::-1], box[2:]))
    if right > left and bottom > top:
        grown = Image.fromarray(cells).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        whole[top:bottom, left:right] = np.asarray(grown) >= 128
    return whole

def in_runs(mask):  # run lengths down the columns, as COCO writes them
    flat = mask.T.ravel()
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), len(flat)]
    runs, text = [0] * bool(flat[0]) + np.diff(edges).tolist(), ""
    for i, run in enumerate(runs):
        rest, more = run - (runs[i - 2] if i > 2 else 0), True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            text += chr((bits | 32 if more else bits) + 48)
    return text
"""


def answer_code(problem: Problem, usual: float, doubt: float) -> str:
    """The source, with the score from which objects are told where no thresholds were fitted, and the share of doubt."""
    masks = bool(problem.extra.get("masks"))
    code = _ANSWERS.format(usual=usual, doubt=doubt, masks=_TELL_MASK if masks else "").strip()
    return f"from PIL import Image\n\n{_MASKS.strip()}\n\n{code}" if masks else code
