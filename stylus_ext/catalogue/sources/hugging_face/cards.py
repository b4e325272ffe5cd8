"""Cards from a repository and its README: one for each LoRA, or the reason for none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from stylus_ext.catalogue.sources.common import Json
from stylus_ext.catalogue.sources.hugging_face.files import (
    HubFile,
    HubLocation,
    is_commit,
    is_path,
    is_repository,
)
from stylus_ext.core.adapter_type import EMBEDDING, LORA, is_negative
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.family import UNKNOWN, family_of, known_families
from stylus_ext.core.file_names import is_generic_name
from stylus_ext.net.values import (
    LONGEST_TEXT,
    groups,
    listed,
    name,
    number,
    rows,
    table,
    text,
    without_tags,
)
from stylus_ext.net.values import tags as clean_tags

_RELATIONS = ("adapter:", "finetune:", "quantized:", "merge:")
_PATTERNS = tuple(
    (re.compile(pattern), base_model)
    for pattern, base_model in (
        (r"pony.*v-?7", "Pony V7"),
        (r"\bpony|pdxl", "Pony"),
        (r"noob", "NoobAI"),
        (r"illustrious|\bilxl\b", "Illustrious"),
        (r"kontext", "Flux.1 Kontext"),
        (r"flux.*krea", "Flux.1 Krea"),
        (r"flux-?2.*klein-9b", "Flux.2 Klein 9B"),
        (r"flux-?2.*klein-4b", "Flux.2 Klein 4B"),
        (r"flux-?2", "Flux.2 D"),
        (r"\bflux", "Flux.1 D"),
        (r"\bchroma", "Chroma"),
        (r"qwen-image", "Qwen Image"),
        (r"z-image.*turbo", "ZImageTurbo"),
        (r"z-image", "ZImageBase"),
        (r"hidream", "HiDream"),
        (r"kolors", "Kolors"),
        (r"lumina", "Lumina"),
        (r"auraflow|aura-flow", "AuraFlow"),
        (r"pixart.*sigma", "PixArt E"),
        (r"pixart", "PixArt a"),
        (r"(stable-diffusion|sd)-?v?3-5-medium|\bsd3-5-m", "SD 3.5 Medium"),
        (r"(stable-diffusion|\bsd)-?v?3", "SD 3.5"),
        (r"sdxl|stable-diffusion-xl|\bsd-xl|[a-z]xl\b|-xl\b|\bxl-", "SDXL 1.0"),
        (r"(stable-diffusion|\bsd)-?v?2", "SD 2.1"),
        (
            r"(stable-diffusion|\bsd)-?v?1|realistic-vision|dreamlike|anything-v|dreamshaper|\banylora",
            "SD 1.5",
        ),
    )
)
_TAG_PATTERNS = (*_PATTERNS, (re.compile(r"stable-diffusion"), "SD 1.5"))
"""The bare name as a tag is that of the first version; later ones have more words in it."""


def base_model_of(card_data: Json, tags: Iterable[str]) -> str:
    """The first known base model that is stated, else one that the tags name, else as stated."""
    tags = list(tags)
    stated = [
        stated_base_model.rpartition("/")[2]
        for stated_base_model in _stated_base_models(card_data, tags)
    ]
    known = next(filter(None, map(_known_base_model, stated)), "")
    plain = [_with_dashes(tag) for tag in tags if ":" not in tag]
    by_tag = (
        base_model
        for pattern, base_model in _TAG_PATTERNS
        if any(pattern.search(tag) for tag in plain)
    )
    return known or next(by_tag, "") or next(iter(stated), "")


def _stated_base_models(card_data: Json, tags: Iterable[str]) -> Iterator[str]:
    yield from filter(None, map(name, _as_list(card_data.get("base_model"))))
    for tag in tags:
        if tag.startswith("base_model:"):
            model = tag.removeprefix("base_model:")
            for relation in _RELATIONS:
                model = model.removeprefix(relation)
            yield model


def _known_base_model(stated: str) -> str:
    family = family_of(stated)
    if family != UNKNOWN and family in known_families():
        return stated
    plain = _with_dashes(stated)
    return next((base_model for pattern, base_model in _PATTERNS if pattern.search(plain)), "")


def _with_dashes(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.casefold()[:120]))


GATED, PRIVATE, DISABLED = "gated", "private", "disabled"
NSFW, NOT_FOR_PICTURES, NOT_A_LORA, UNREADABLE = (
    "not safe for work",
    "not for pictures",
    "not a LoRA",
    "unreadable",
)
SOURCE = "huggingface"

_IMAGE_TASKS = ("", "text-to-image", "image-to-image")
_IMAGE_TAG = re.compile(
    r"text-to-image|image-to-image|stable-diffusion|sdxl|\bflux|diffusers|template:sd-lora"
)
_LANGUAGE_TAGS = frozenset(
    "text-generation transformers text-generation-inference llama causal-lm peft-llm trl".split()
)
_TECHNICAL_TAGS = frozenset(
    "textual_inversion textual-inversion"
    " lora loras diffusers safetensors text-to-image image-to-image stable-diffusion"
    " stable-diffusion-diffusers stable-diffusion-xl stable-diffusion-xl-diffusers sdxl flux"
    " flux-diffusers flux-lora flux.1 flux1 sd3 sd3.5 simpletuner standard lycoris peft dreambooth"
    " ai-toolkit diffusers-training not-for-all-audiences endpoints_compatible has_space"
    " autotrain_compatible migrated en region:us".split()
)
EMBEDDING_TAGS = frozenset({"textual_inversion", "textual-inversion"})
_NSFW_TAGS = frozenset({"not-for-all-audiences", "nsfw"})
_MAX_EXAMPLES = 12
_MAX_PROMPT = 2000
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as the hub lists it; `card_data` is the front matter of its README."""

    name: str
    revision: str
    tags: tuple[str, ...]
    listed: Json
    card_data: Json

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0] if "/" in self.name else ""

    @property
    def title(self) -> str:
        """The name without the owner, unless it says nothing alone."""
        last = self.name.rpartition("/")[2]
        title = _display_name(last)
        return f"{title} ({self.owner})" if is_generic_name(last) and self.owner else title

    @property
    def has_embeddings(self) -> bool:
        """True for textual inversions in place of LoRAs."""
        tags = {tag.casefold() for tag in self.tags}
        return "lora" not in tags and not tags.isdisjoint(EMBEDDING_TAGS)

    @property
    def is_nsfw(self) -> bool:
        return not _NSFW_TAGS.isdisjoint(tag.casefold() for tag in self.tags)


def repository_of(item: Json) -> Repository | None:
    """The repository of an item in the listing; None if it is malformed."""
    repository = text(item.get("id")) or text(item.get("modelId"))
    revision = text(item.get("sha"))
    if not is_repository(repository) or not is_commit(revision):
        return None
    card_data = table(item.get("cardData"))
    tags = map(name, [*rows(item.get("tags")), *_as_list(card_data.get("tags"))])
    return Repository(
        repository, revision, tuple(dict.fromkeys(filter(None, tags))), item, card_data
    )


def skip_reason(item: Json, *, nsfw: bool, has_key: bool) -> str | None:
    """Why an item in the listing gets no card; no further request is needed."""
    repository = repository_of(item)
    if repository is None:
        return UNREADABLE
    tags = {tag.casefold() for tag in repository.tags}
    task = name(item.get("pipeline_tag"))
    for_pictures = (
        task in _IMAGE_TASKS
        and not tags & _LANGUAGE_TAGS
        and (bool(task) or any(map(_IMAGE_TAG.search, tags)))
    )
    reasons = (
        (item.get("private") is True, PRIVATE),
        (item.get("disabled") is True, DISABLED),
        ("lora" not in tags and not repository.has_embeddings, NOT_A_LORA),
        (not for_pictures, NOT_FOR_PICTURES),
        (repository.is_nsfw and not nsfw, NSFW),
        (item.get("gated") not in (False, None, "") and not has_key, GATED),
    )
    return next((reason for holds, reason in reasons if holds), None)


def cards_of(repository: Repository, files: list[HubFile], readme: str) -> Iterator[AdapterCard]:
    front_matter, body = split_readme(readme)
    card_data = {**front_matter, **repository.card_data}
    for file in files:
        yield _card(repository, card_data, body, file, alone=len(files) == 1)


def _card(
    repository: Repository, card_data: Json, body: str, file: HubFile, *, alone: bool
) -> AdapterCard:
    widgets = [table(widget) for widget in _as_list(card_data.get("widget"))]
    urls = (table(widget.get("output")).get("url") for widget in widgets)
    images = [url for url in urls if isinstance(url, str)]
    downloads = number(repository.listed.get("downloads"))
    is_embedding, about = repository.has_embeddings, describe(body)
    return AdapterCard(
        key=AdapterKey.sha256(file.sha256),
        name=repository.title if alone or is_generic_name(file.stem) else _display_name(file.stem),
        source=SOURCE,
        base_model=base_model_of(card_data, repository.tags),
        tags=clean_tags(
            tag
            for tag in repository.tags
            if ":" not in tag and tag.casefold() not in _TECHNICAL_TAGS
        ),
        triggers=groups(_as_list(card_data.get("instance_prompt")))
        or groups(listed(trigger_in(body))),
        text=about,
        examples=_examples(widgets) if alone else (),  # which file made them is unknown
        images=len(images) or None,
        preview=next(filter(None, (_preview(repository, image) for image in images)), ""),
        downloads=int(downloads) if downloads is not None and downloads >= 0 else None,
        nsfw=repository.is_nsfw,
        creator=repository.owner,
        licence=_licence(card_data),
        remote=RemoteFile(
            PurePosixPath(file.path).name,
            file.size,
            file.sha256,
            HubLocation(repository.name, repository.revision, file.path).url(),
        ),
        type=EMBEDDING if is_embedding else LORA,
        negative=is_embedding and is_negative(file.stem, repository.tags, about),
    )


def _examples(widgets: list[Json]) -> tuple[Example, ...]:
    prompts = (without_tags(text(widget.get("text"), _MAX_PROMPT)) for widget in widgets)
    distinct = dict.fromkeys(prompt for prompt in prompts if any(map(str.isalpha, prompt)))
    return tuple(map(Example, distinct))[:_MAX_EXAMPLES]


def _preview(repository: Repository, image: str) -> str:
    """The address of an image in the repository itself; others could lead anywhere."""
    path = image.removeprefix("./")
    if path.startswith("https://"):
        location = HubLocation.of(path)
        if location is None or location.repository != repository.name:
            return ""
        path = location.path
    if not path.casefold().endswith(_IMAGE_SUFFIXES) or not is_path(path) or "://" in path:
        return ""
    return HubLocation(repository.name, repository.revision, path).url()


def _licence(card_data: Json) -> str:
    licence, own_name = name(card_data.get("license")), name(card_data.get("license_name"))
    return own_name if licence.casefold() in ("", "other") and own_name else licence


def _as_list(value: object) -> list[object]:
    return [value] if isinstance(value, (str, dict)) else rows(value)


def _display_name(stem: str) -> str:
    return " ".join(re.sub(r"[-_]+", " ", stem).split()) or stem


_MAX_FRONT_MATTER = 100_000
_MAX_EVENTS, _MAX_DEPTH = 20_000, 40
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t\r]*$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.{0,8000}?-->", re.DOTALL)
_IMAGE = re.compile(
    r"!\[[^\]\n]{0,500}\]\([^)\n]{0,1000}\)|<img\b[^<>]{0,2000}>|<Gallery\s*/?>(?:\s*</Gallery>)?",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)[#\s]*$")
_OTHER_TOPIC = re.compile(
    r"(?i)\b(?:use it with|usage|how to"
    r" use|inference|diffusers|comfyui|download|install|training|trainer|dataset|licen[cs]e|citation|bibtex|contact|"  # noqa: E501
    r"acknowledg\w*|out-of-scope|bias|limitations?|evaluation|environmental|compute|hardware|framework|trigger"
    r" words?|more information|credits?|"
    r"support(?: me)?|disclaimer|examples?|gallery|samples?)\b"
)
_TRIGGER = re.compile(
    r"(?i)\b(?:you should use|use|trigger(?: word)?s?(?: is| are)?:?)\s+`([^`\n]{1,200})`"
)


def split_readme(readme: str) -> tuple[Json, str]:
    """The front matter as plain data, and the rest."""
    found = _FRONT_MATTER.match(readme)
    if found is None:
        return {}, readme
    return _parse_front_matter(found[1]), readme[found.end() :]


def trigger_in(body: str) -> str:
    """The trigger words in the sentence of the hub's template."""
    found = _TRIGGER.search(body[:LONGEST_TEXT])
    return found[1].strip() if found else ""


def describe(body: str) -> str:
    """The text without code, images and tables, and without sections about other topics."""
    text = _IMAGE.sub("", _COMMENT.sub("", body[: 3 * LONGEST_TEXT]))
    return "\n".join(_relevant_lines(text)).strip()[:LONGEST_TEXT]


def _relevant_lines(text: str) -> Iterator[str]:
    skipped_level, fence = 0, ""
    for line in text.splitlines():
        fenced = _FENCE.match(line)
        if fenced is not None and fence in ("", fenced[1]):
            fence = "" if fence else fenced[1]
            continue
        if fence:
            continue
        heading = _HEADING.match(line)
        if heading is not None:
            level = len(heading[1])
            if not skipped_level or level <= skipped_level:
                skipped_level = level if _OTHER_TOPIC.search(heading[2]) else 0
        if not skipped_level and not line.lstrip().startswith("|"):
            yield line.lstrip("> ") if line.lstrip().startswith(">") else line


def _parse_front_matter(text: str) -> Json:
    """YAML with plain data only; large, deep or aliased documents state nothing.

    Aliases may expand to any size, so the events are checked first. `huggingface_hub.ModelCard`
    does not check them.
    """
    import yaml

    if len(text) > _MAX_FRONT_MATTER:
        return {}
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH or number > _MAX_EVENTS:
                return {}
        return table(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {}
