"""Prompt sets: a file with one prompt per line, or the prompts of the user's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.catalogue.sources.pictures.learn import recent_pictures
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress

MOST_PROMPTS = 100_000


@dataclass(frozen=True, slots=True)
class EvaluationPrompt:
    """A prompt as the user wrote it, without adapters."""

    text: str
    negative: str = ""


def prompts_of_file(file: Path) -> list[EvaluationPrompt]:
    """The lines of a file, each prompt once; empty lines and lines with `#` are skipped."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is not UTF-8 text. Save it as UTF-8.") from error
    texts = (line.strip() for line in lines)
    found = dict.fromkeys(text for text in texts if text and not text.startswith("#"))
    return _checked([EvaluationPrompt(text) for text in found], file)


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
