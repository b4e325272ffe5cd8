"""The files that tools leave beside a LoRA: their names go in, what each states comes out, the
trusted first.

Nothing is ever written here. A sidecar that cannot be read is skipped with a note, and the card
comes nevertheless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from stylus_ext.backends.statements.bounded_json import NotJson, parsed
from stylus_ext.backends.statements.civitai_json import Subject, civitai_facts
from stylus_ext.backends.statements.facts import Facts, joined
from stylus_ext.backends.statements.values import (
    digest,
    groups,
    identity,
    name,
    number,
    rows,
    table,
    tags,
    text,
    weight,
)
from stylus_ext.core.errors import Note

_LARGEST = 8 * 1024 * 1024
_PICTURES = ("png", "jpg", "jpeg", "webp", "gif")

PREVIEWS = tuple(f"{infix}.{kind}" for infix in ("", ".preview") for kind in _PICTURES)
"""What the host shows for a LoRA, in its order; each takes the place of `.safetensors`."""


def _a1111(content: object, _: Subject) -> Facts:
    """The host's own editor, and the ids that downloaders add to it."""
    said = table(content)
    about = filter(None, (text(said.get("description")), text(said.get("notes"))))
    return Facts(
        base_model=name(said.get("sd version")),
        triggers=groups(re.split(r"\n|\|\|", text(said.get("activation text")))),
        text="\n".join(about),
        weight=weight(said.get("preferred weight")),
        negative_text=text(said.get("negative text")),
        model_id=identity(said.get("modelId")),
        version_id=identity(said.get("modelVersionId")),
        sha256=digest(said.get("sha256")),
    )


def _lora_manager(content: object, subject: Subject) -> Facts:
    """ComfyUI's LoRA Manager: its own fields, then what it keeps of Civitai's."""
    said = table(content)
    called = name(said.get("model_name"))
    own = Facts(
        name="" if called == subject.stem else called,
        base_model=name(said.get("base_model")),
        tags=tags(rows(said.get("tags"))),
        text="\n".join(filter(None, (text(said.get("modelDescription")), text(said.get("notes"))))),
        weight=_tipped(said.get("usage_tips")),
        sha256=digest(said.get("sha256")),
    )
    return joined([own, civitai_facts(said.get("civitai"), subject)])


def _tipped(tips: object) -> float | None:
    """The weight in LoRA Manager's tips, a JSON text inside the JSON; the middle where only a range
    is given.
    """
    try:
        said = table(parsed(tips) if isinstance(tips, str) and tips else tips)
    except NotJson:
        return None
    low, high = number(said.get("strength_min")), number(said.get("strength_max"))
    middle = (low + high) / 2 if low is not None and high is not None else None
    return weight(said.get("strength")) or weight(middle)


def _rgthree(content: object, subject: Subject) -> Facts:
    said = table(content)
    words = (
        table(word).get("word") if isinstance(word, dict) else word
        for word in rows(said.get("trainedWords"))
    )
    own = Facts(
        name=name(said.get("name")),
        base_model=name(said.get("baseModel")),
        triggers=groups(words),
        tags=tags(rows(said.get("tags"))),
        text=text(said.get("userNote")),
        sha256=digest(said.get("sha256")),
    )
    kept = civitai_facts(table(said.get("raw")).get("civitai"), subject)
    pictures = civitai_facts({"images": said.get("images")}, subject)
    return joined([own, kept, pictures])


_Reader = Callable[[object, Subject], Facts]

_JSON: Mapping[str, _Reader] = {
    ".json": _a1111,
    ".civitai.info": civitai_facts,
    ".metadata.json": _lora_manager,
    ".api_info.json": civitai_facts,
    ".safetensors.rgthree-info.json": _rgthree,
}
_TEXTS = (".description.txt", ".txt")

SIDECARS = (*_JSON, *_TEXTS)
"""What takes the place of `.safetensors` in the name of a sidecar, the trusted first."""


def read_sidecars(
    folder: Path, suffixes: Collection[str], subject: Subject
) -> tuple[list[Facts], list[Note]]:
    """What the sidecars with these suffixes state, the trusted first, and a note for each that
    cannot be read.
    """
    stated, notes = [], []
    for suffix in SIDECARS:
        if suffix in suffixes:
            path = folder / (subject.stem + suffix)
            try:
                stated.append(_read(path, suffix, subject))
            except (OSError, NotJson) as error:
                reason = error.strerror or error if isinstance(error, OSError) else error
                notes.append(Note("sidecar_skipped", f"{path.name} was left out: {reason}."))
    return stated, notes


def _read(path: Path, suffix: str, subject: Subject) -> Facts:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise NotJson("it is larger than anybody needs")
    reader = _JSON.get(suffix)
    if reader is None:
        return Facts(text=text(data.decode("utf-8-sig", "replace")))
    if not data.strip():
        return Facts()
    return reader(parsed(data), subject)
