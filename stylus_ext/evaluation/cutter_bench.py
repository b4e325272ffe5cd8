"""`bench cutter`: captions with their tasks in, the cutter's weights and what it is worth for
captions it has not seen out.
"""

from __future__ import annotations

import json
from pathlib import Path

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.prompt.cutter import values_of
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.spans import spans
from stylus_ext.evaluation.cutter_lessons import cut_lesson
from stylus_ext.evaluation.cutter_training import trained_cutter
from stylus_ext.evaluation.lessons import FOLDS
from stylus_ext.evaluation.tasks import read_tasks, score


def run_cutter(tasks: Path, out: Path, progress: Progress) -> dict[str, float]:
    """Each caption is cut by weights that were found without its fold; what is written was found
    with all.
    """
    wanted = read_tasks(tasks)
    lessons = [cut_lesson(record) for record in wanted]
    if not all(any(each.fold != fold for each in lessons) for fold in range(FOLDS)):
        raise InvalidInput(
            "There is too little to learn from: captions with their tasks are needed, some thousand"
            " of them."
        )
    mine: dict[int, list[str]] = {}
    for fold in range(FOLDS):
        progress.report("training", fold, FOLDS + 1)
        asked = [number for number, each in enumerate(lessons) if each.fold == fold]
        if asked:
            cut = trained_cutter([each for each in lessons if each.fold != fold])
            mine |= {
                number: [span.text for span in spans(parse_prompt(wanted[number]["prompt"]), cut)]
                for number in asked
            }
    progress.report("training", FOLDS, FOLDS + 1)
    out.write_text(
        json.dumps(values_of(trained_cutter(lessons)), separators=(",", ":")) + "\n", "utf-8"
    )
    return score(wanted, [mine[number] for number in range(len(wanted))]).as_values()
