"""Prompt sets: a file of prompts or captions, or the prompts of the user's own pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from stylus_ext.catalogue.sources.pictures.learn import recent_pictures
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress

MOST_PROMPTS = 100_000
_COLUMN = "Prompt"


@dataclass(frozen=True, slots=True)
class EvaluationPrompt:
    """A prompt as the user wrote it, without adapters."""

    text: str
    negative: str = ""


def prompts_of_file(file: Path) -> list[EvaluationPrompt]:
    """The prompts of a file, each once: one per line without `#`, captions of COCO (JSON, one per
    image), or a table with a column `Prompt` (TSV), such as PartiPrompts.
    """
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 text. Save it as UTF-8.") from error
    if text.lstrip().startswith("{"):
        texts: Iterable[str] = _captions(text, file)
    elif _COLUMN in text.partition("\n")[0].rstrip("\r").split("\t"):
        rows = csv.DictReader(StringIO(text), delimiter="\t")
        texts = (str(row[_COLUMN] or "") for row in rows)
    else:
        texts = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = dict.fromkeys(" ".join(each.split()) for each in texts)
    return _checked([EvaluationPrompt(each) for each in found if each], file)


def _captions(text: str, file: Path) -> list[str]:
    """The caption with the lowest id of each image, in the order of the images' ids."""
    try:
        annotations = json.loads(text)["annotations"]
        captions = [
            (int(each["image_id"]), int(each["id"]), each["caption"]) for each in annotations
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"{file} has no captions of COCO.") from error
    first: dict[int, str] = {}
    for image, _, caption in sorted(captions):
        first.setdefault(image, str(caption))
    return list(first.values())


def prompts_of_pictures(
    folder: Path, count: int, negative: str | None, progress: Progress
) -> list[EvaluationPrompt]:
    """The newest different prompts of a folder of pictures; `negative` replaces their own."""
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {folder}.")
    found = {
        EvaluationPrompt(each.prompt, each.negative if negative is None else negative)
        for each in recent_pictures([folder], count, progress)
    }
    return _checked(sorted(found, key=lambda each: (each.text, each.negative)), folder)


def _checked(prompts: Sequence[EvaluationPrompt], source: Path) -> list[EvaluationPrompt]:
    if not prompts:
        raise InvalidInput(f"There are no prompts in {source}.")
    if len(prompts) > MOST_PROMPTS:
        raise InvalidInput(f"{source} has more than {MOST_PROMPTS:,} prompts.")
    return list(prompts)
