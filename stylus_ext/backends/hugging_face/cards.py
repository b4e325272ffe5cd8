"""A repository as the hub lists it, with its files and its README, goes in; a card for each of its
LoRAs comes out, or the reason why none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from stylus_ext.backends.hugging_face.base_models import base_model_of
from stylus_ext.backends.hugging_face.files import HubFile
from stylus_ext.backends.hugging_face.model_card import about, parted, trigger_in
from stylus_ext.backends.hugging_face.places import Place, is_commit, is_path, is_repository
from stylus_ext.backends.statements.values import (
    groups,
    listed,
    name,
    number,
    rows,
    table,
    text,
    without_tags,
)
from stylus_ext.backends.statements.values import tags as clean_tags
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.naming import says_nothing

GATED, PRIVATE, DISABLED = "to be asked for", "private", "disabled"
NSFW, NOT_FOR_PICTURES, NOT_A_LORA, UNREADABLE = (
    "not safe for work",
    "not for pictures",
    "not a LoRA",
    "unreadable",
)
SOURCE = "huggingface"
_PICTURE_TASKS = ("", "text-to-image", "image-to-image")
_FOR_PICTURES = re.compile(
    r"text-to-image|image-to-image|stable-diffusion|sdxl|\bflux|diffusers|template:sd-lora"
)
_FOR_LANGUAGE = frozenset(
    {
        "text-generation",
        "transformers",
        "text-generation-inference",
        "llama",
        "causal-lm",
        "peft-llm",
        "trl",
    }
)
_MACHINES = frozenset(
    "lora loras diffusers safetensors text-to-image image-to-image stable-diffusion"
    " stable-diffusion-diffusers stable-diffusion-xl stable-diffusion-xl-diffusers sdxl flux"
    " flux-diffusers flux-lora flux.1 flux1 sd3 sd3.5 simpletuner standard lycoris peft dreambooth"
    " ai-toolkit diffusers-training not-for-all-audiences endpoints_compatible has_space"
    " autotrain_compatible migrated en region:us".split()
)
_NOT_SAFE = frozenset({"not-for-all-audiences", "nsfw"})
_MOST_EXAMPLES = 12
_LONGEST_PROMPT = 2000
_SHOWN = (".png", ".jpg", ".jpeg", ".webp")
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Repository:
    """What the hub says of one. `head` is what its README states at the top."""

    name: str
    revision: str
    tags: tuple[str, ...]
    listed: Json
    head: Json

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0] if "/" in self.name else ""

    @property
    def title(self) -> str:
        """As people would write it; with its owner where it says nothing alone."""
        last = self.name.rpartition("/")[2]
        spoken = _spoken(last)
        return f"{spoken} ({self.owner})" if says_nothing(last) and self.owner else spoken


def repository_of(item: Json) -> Repository | None:
    called, revision = text(item.get("id")) or text(item.get("modelId")), text(item.get("sha"))
    if not is_repository(called) or not is_commit(revision):
        return None
    head = table(item.get("cardData"))
    tags = tuple(
        dict.fromkeys(
            filter(None, map(name, [*rows(item.get("tags")), *_several(head.get("tags"))]))
        )
    )
    return Repository(called, revision, tags, item, head)


def withheld(item: Json, *, nsfw: bool, has_key: bool) -> str | None:
    """What can be told before anything else is asked."""
    found = repository_of(item)
    if found is None:
        return UNREADABLE
    said = {tag.casefold() for tag in found.tags}
    task = name(item.get("pipeline_tag"))
    pictures = (
        task in _PICTURE_TASKS
        and not said & _FOR_LANGUAGE
        and (bool(task) or any(map(_FOR_PICTURES.search, said)))
    )
    reasons = (
        (item.get("private") is True, PRIVATE),
        (item.get("disabled") is True, DISABLED),
        ("lora" not in said, NOT_A_LORA),
        (not pictures, NOT_FOR_PICTURES),
        (bool(said & _NOT_SAFE) and not nsfw, NSFW),
        (item.get("gated") not in (False, None, "") and not has_key, GATED),
    )
    return next((reason for holds, reason in reasons if holds), None)


def cards_of(repository: Repository, files: list[HubFile], readme: str) -> Iterator[AdapterCard]:
    stated, body = parted(readme)
    head = {**stated, **repository.head}
    for file in files:
        yield _card(repository, head, body, file, alone=len(files) == 1)


def _card(
    repository: Repository, head: Json, body: str, file: HubFile, *, alone: bool
) -> AdapterCard:
    widgets = [table(widget) for widget in _several(head.get("widget"))]
    pictures = [
        picture
        for picture in (table(widget.get("output")).get("url") for widget in widgets)
        if isinstance(picture, str)
    ]
    return AdapterCard(
        key=AdapterKey.sha256(file.sha256),
        name=repository.title if alone or says_nothing(file.stem) else _spoken(file.stem),
        source=SOURCE,
        base_model=base_model_of(head, repository.tags),
        tags=clean_tags(
            tag for tag in repository.tags if ":" not in tag and tag.casefold() not in _MACHINES
        ),
        triggers=groups([*_several(head.get("instance_prompt"))])
        or groups(listed(trigger_in(body))),
        text=about(body),
        examples=tuple(_examples(widgets)) if alone else (),
        images=len(pictures) or None,
        preview=next(filter(None, (_address(repository, picture) for picture in pictures)), ""),
        downloads=_count(repository.listed.get("downloads")),
        nsfw=bool({tag.casefold() for tag in repository.tags} & _NOT_SAFE),
        creator=repository.owner,
        licence=_licence(head),
        remote=RemoteFile(
            PurePosixPath(file.path).name,
            file.size,
            file.sha256,
            Place(repository.name, repository.revision, file.path).url(),
        ),
    )


def _examples(widgets: list[Json]) -> Iterator[Example]:
    """Of a collection nobody says which of its files a picture was made with."""
    prompts = (without_tags(text(widget.get("text"), _LONGEST_PROMPT)) for widget in widgets)
    for prompt in list(
        dict.fromkeys(one for one in prompts if any(sign.isalpha() for sign in one))
    )[:_MOST_EXAMPLES]:
        yield Example(prompt)


def _address(repository: Repository, picture: str) -> str:
    """Of a picture in the repository itself; elsewhere may be anything."""
    path = picture.removeprefix("./")
    if path.startswith("https://"):
        place = Place.of(path)
        path = place.path if place is not None and place.repository == repository.name else ""
    fits = path.casefold().endswith(_SHOWN) and is_path(path) and "://" not in path
    return Place(repository.name, repository.revision, path).url() if fits else ""


def _licence(head: Json) -> str:
    said, called = name(head.get("license")), name(head.get("license_name"))
    return called if said.casefold() in ("", "other") and called else said


def _several(value: object) -> list[object]:
    return [value] if isinstance(value, (str, dict)) else rows(value)


def _count(value: object) -> int | None:
    found = number(value)
    return int(found) if found is not None and found >= 0 else None


def _spoken(called: str) -> str:
    return " ".join(re.sub(r"[-_]+", " ", called).split()) or called
