"""Facts in the files that other programs keep beside a LoRA, and in Civitai's JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from stylus_ext.catalogue.sources.common import https_url
from stylus_ext.catalogue.sources.local.facts import StatedFacts, merge_facts
from stylus_ext.core.card import Example
from stylus_ext.core.errors import Note, reason_of
from stylus_ext.core.files import open_regular
from stylus_ext.net.values import (
    NotJson,
    auto_v3,
    digest,
    groups,
    identity,
    name,
    number,
    parsed,
    rows,
    table,
    tags,
    text,
    weight,
    without_tags,
)

_MAX_IMAGES = 100
_MAX_PROMPT_LENGTH = 2_000
_KIB = 1024
_LORA_TAG = re.compile(r"<lora:([^:<>]+):([0-9.]+)")
_AUTO_V2 = 10
MIN_VOTES = 10


@dataclass(frozen=True, slots=True)
class Subject:
    """The LoRA file that a sidecar belongs to, with the name in its header."""

    stem: str
    size: int
    alias: str = ""
    auto_v3: str = ""

    def is_called(self, name: str) -> bool:
        return name.casefold() in {self.stem.casefold(), self.alias.casefold()} - {""}


def civitai_facts(content: object, subject: Subject) -> StatedFacts:
    """What Civitai's JSON states: a version, a model, a search's answer, or `{}` for not found."""
    found = table(content)
    items = rows(found.get("items"))
    if items:
        found = table(items[0])
    versions = [table(version) for version in rows(found.get("modelVersions"))]
    if versions:
        return _facts(
            _version_of(versions, subject), {**found, "modelId": found.get("id")}, subject
        )
    return _facts(found, {**table(found.get("model")), "modelId": found.get("modelId")}, subject)


def _version_of(versions: list[Mapping[str, object]], subject: Subject) -> Mapping[str, object]:
    """The version with the file's name, or the only one."""
    for version in versions:
        if any(PurePath(name(file.get("name"))).stem == subject.stem for file in _files(version)):
            return version
    return versions[0] if len(versions) == 1 else {}


def _facts(
    version: Mapping[str, object], model: Mapping[str, object], subject: Subject
) -> StatedFacts:
    images = [table(image) for image in rows(version.get("images"))][:_MAX_IMAGES]
    version_id = identity(version.get("id"))
    hashes = _hashes(version, subject)
    sha256 = digest(hashes.get("SHA256"))
    short = auto_v3(hashes.get("AutoV3"))
    stats = table(version.get("stats")) or table(model.get("stats"))
    creator = table(model.get("creator")) or table(version.get("creator"))
    about = filter(None, (text(model.get("description")), text(version.get("description"))))
    return StatedFacts(
        name=name(model.get("name")),
        version=name(version.get("name")),
        model_id=identity(model.get("modelId")),
        version_id=version_id,
        base_model=name(version.get("baseModel")),
        tags=tags(rows(model.get("tags"))),
        triggers=groups(rows(version.get("trainedWords"))),
        text="\n".join(dict.fromkeys(about)),
        examples=tuple(
            _examples(
                images, replace(subject, auto_v3=subject.auto_v3 or short), version_id, sha256
            )
        ),
        images=len(images) or None,
        downloads=identity(stats.get("downloadCount")),
        rating=_rating(stats),
        nsfw=model.get("nsfw") is True,
        creator=name(creator.get("username")),
        sha256=sha256,
        auto_v3=short,
        negative=_is_negative(version, subject),
    )


def _is_negative(version: Mapping[str, object], subject: Subject) -> bool:
    """Whether Civitai lists the subject's file, or all files, as negative."""
    files = _files(version)
    named = [file for file in files if PurePath(name(file.get("name"))).stem == subject.stem]
    found = [name(file.get("type")).casefold() == "negative" for file in named or files]
    return bool(found) and all(found)


def _rating(stats: Mapping[str, object]) -> float | None:
    """The share of thumbs up, if there are enough votes."""
    up, down = (
        number(stats.get("thumbsUpCount")) or 0.0,
        number(stats.get("thumbsDownCount")) or 0.0,
    )
    return up / (up + down) if min(up, down) >= 0 and up + down >= MIN_VOTES else None


def _files(version: Mapping[str, object]) -> list[Mapping[str, object]]:
    return [table(file) for file in rows(version.get("files"))]


def _hashes(version: Mapping[str, object], subject: Subject) -> Mapping[str, object]:
    """The hashes of the file with the subject's name, or of the only model, if the size fits."""
    models = [
        file
        for file in _files(version)
        if file.get("type") in (None, "Model", "Pruned Model", "Negative")
    ]
    named = [file for file in models if PurePath(name(file.get("name"))).stem == subject.stem]
    likely = named or models
    if len(likely) != 1:
        return {}
    size = number(likely[0].get("sizeKB"))
    if size is not None and abs(size * _KIB - subject.size) > _KIB:
        return {}
    return table(likely[0].get("hashes"))


def _examples(
    images: list[Mapping[str, object]], subject: Subject, version_id: int | None, sha256: str
) -> Iterator[Example]:
    for image in images:
        meta = table(image.get("meta")) or image
        meta = table(meta.get("meta")) or meta
        prompt = text(meta.get("prompt") or meta.get("positive"), _MAX_PROMPT_LENGTH)
        if without_tags(prompt):
            used = _used_weight(meta, prompt, subject, version_id, sha256)
            yield Example(without_tags(prompt), used, https_url(image.get("url")))


def _used_weight(
    meta: Mapping[str, object], prompt: str, subject: Subject, version_id: int | None, sha256: str
) -> float | None:
    """The weight at which the picture used this LoRA, if stated."""
    for resource in map(table, rows(meta.get("civitaiResources"))):
        if version_id is not None and identity(resource.get("modelVersionId")) == version_id:
            return weight(resource.get("weight"))
    for resource in map(table, rows(meta.get("resources"))):
        hashed = text(resource.get("hash")).lower()
        ours = len(hashed) >= _AUTO_V2 and (sha256.startswith(hashed) or subject.auto_v3 == hashed)
        if resource.get("type") == "lora" and (
            ours or subject.is_called(name(resource.get("name")))
        ):
            return weight(resource.get("weight"))
    tagged = _LORA_TAG.findall(prompt)
    fitting = [number for named, number in tagged if subject.is_called(named)]
    if fitting or len(tagged) == 1:
        return weight((fitting or [tagged[0][1]])[0])
    return None


_MAX_SIZE = 8 * 1024 * 1024
_PICTURES = ("png", "jpg", "jpeg", "webp", "gif")

PREVIEWS = tuple(f"{infix}.{kind}" for infix in ("", ".preview") for kind in _PICTURES)
"""Suffixes of the preview pictures that the WebUI shows, in its order."""


def _a1111(content: object, _: Subject) -> StatedFacts:
    """The file of the WebUI's editor, with the ids that downloaders add."""
    data = table(content)
    about = filter(None, (text(data.get("description")), text(data.get("notes"))))
    return StatedFacts(
        base_model=name(data.get("sd version")),
        triggers=groups(re.split(r"\n|\|\|", text(data.get("activation text")))),
        text="\n".join(about),
        weight=weight(data.get("preferred weight")),
        negative_text=text(data.get("negative text")),
        model_id=identity(data.get("modelId")),
        version_id=identity(data.get("modelVersionId")),
        sha256=digest(data.get("sha256")),
    )


def _lora_manager(content: object, subject: Subject) -> StatedFacts:
    """ComfyUI's LoRA Manager: its own fields, then Civitai's."""
    data = table(content)
    called = name(data.get("model_name"))
    own = StatedFacts(
        name="" if called == subject.stem else called,
        base_model=name(data.get("base_model")),
        tags=tags(rows(data.get("tags"))),
        text="\n".join(filter(None, (text(data.get("modelDescription")), text(data.get("notes"))))),
        weight=_tipped(data.get("usage_tips")),
        sha256=digest(data.get("sha256")),
    )
    return merge_facts([own, civitai_facts(data.get("civitai"), subject)])


def _tipped(tips: object) -> float | None:
    """The weight in LoRA Manager's tips, JSON inside the JSON; of a range the middle."""
    try:
        data = table(parsed(tips) if isinstance(tips, str) and tips else tips)
    except NotJson:
        return None
    low, high = number(data.get("strength_min")), number(data.get("strength_max"))
    middle = (low + high) / 2 if low is not None and high is not None else None
    return weight(data.get("strength")) or weight(middle)


def _rgthree(content: object, subject: Subject) -> StatedFacts:
    data = table(content)
    words = (
        table(word).get("word") if isinstance(word, dict) else word
        for word in rows(data.get("trainedWords"))
    )
    own = StatedFacts(
        name=name(data.get("name")),
        base_model=name(data.get("baseModel")),
        triggers=groups(words),
        tags=tags(rows(data.get("tags"))),
        text=text(data.get("userNote")),
        sha256=digest(data.get("sha256")),
    )
    kept = civitai_facts(table(data.get("raw")).get("civitai"), subject)
    pictures = civitai_facts({"images": data.get("images")}, subject)
    return merge_facts([own, kept, pictures])


_Reader = Callable[[object, Subject], StatedFacts]

_JSON: Mapping[str, _Reader] = {
    ".json": _a1111,
    ".civitai.info": civitai_facts,
    ".metadata.json": _lora_manager,
    ".api_info.json": civitai_facts,
    ".safetensors.rgthree-info.json": _rgthree,
}
_TEXTS = (".description.txt", ".txt")

SIDECARS = (*_JSON, *_TEXTS)
"""Suffixes of sidecars in place of `.safetensors`, the most trusted first."""


def read_sidecars(
    folder: Path, suffixes: Collection[str], subject: Subject
) -> tuple[list[StatedFacts], list[Note]]:
    """The facts in the sidecars, the most trusted first, and a note for each unreadable one."""
    stated, notes = [], []
    for suffix in SIDECARS:
        if suffix in suffixes:
            path = folder / (subject.stem + suffix)
            try:
                stated.append(_read(path, suffix, subject))
            except (OSError, NotJson) as error:
                reason = error.strerror or error if isinstance(error, OSError) else error
                notes.append(
                    Note("sidecar_skipped", f"{path.name} was skipped: {reason_of(reason)}.")
                )
    return stated, notes


def _read(path: Path, suffix: str, subject: Subject) -> StatedFacts:
    with open_regular(path) as file:
        data = file.read(_MAX_SIZE + 1)
    if len(data) > _MAX_SIZE:
        raise NotJson("it is too large")
    reader = _JSON.get(suffix)
    if reader is None:
        return StatedFacts(text=text(data.decode("utf-8-sig", "replace")))
    if not data.strip():
        return StatedFacts()
    return reader(parsed(data), subject)
