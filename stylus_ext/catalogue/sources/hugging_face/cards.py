"""A repository as the hub lists it, with its files and its README, goes in; a card for each of its
LoRAs comes out, or the reason why none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from stylus_ext.catalogue.sources.hugging_face.files import (
    HubFile,
    HubLocation,
    is_commit,
    is_path,
    is_repository,
)
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.family import UNKNOWN, family_of, known_families
from stylus_ext.core.naming import says_nothing
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

_KINDS = ("adapter:", "finetune:", "quantized:", "merge:")
_PATTERNS = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
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
_BY_TAG = (*_PATTERNS, (re.compile(r"stable-diffusion"), "SD 1.5"))
"""The bare name, as a tag, is what people gave in the first's days; later ones say more beside it.
"""


def base_model_of(card: Mapping[str, object], tags: Iterable[str]) -> str:
    """Of several that are stated the first that is known; where none is, what the tags say, else
    what was stated, as it is.
    """
    told = list(tags)
    stated = [one.rpartition("/")[2] for one in _stated_base_models(card, told)]
    known = next(filter(None, (_known(one, _PATTERNS) for one in stated)), "")
    plain = [one for one in told if ":" not in one]
    return (
        known
        or next(filter(None, (_known_in(plain, pattern) for pattern in _BY_TAG)), "")
        or next(iter(stated), "")
    )


def _stated_base_models(card: Mapping[str, object], tags: Iterable[str]) -> Iterator[str]:
    said = card.get("base_model")
    yield from filter(None, map(name, [said] if isinstance(said, str) else rows(said)))
    for tag in tags:
        if tag.startswith("base_model:"):
            rest = tag.removeprefix("base_model:")
            yield next((rest.removeprefix(kind) for kind in _KINDS if rest.startswith(kind)), rest)


def _known(stated: str, patterns: Iterable[tuple[re.Pattern[str], str]]) -> str:
    family = family_of(stated)
    if family != UNKNOWN and family in known_families():
        return stated
    plain = _plain(stated)
    return next((said for pattern, said in patterns if pattern.search(plain)), "")


def _known_in(tags: Iterable[str], pattern: tuple[re.Pattern[str], str]) -> str:
    return pattern[1] if any(pattern[0].search(_plain(tag)) for tag in tags) else ""


def _plain(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.casefold()[:120]))


_LONGEST_HEAD = 100_000
_MOST_EVENTS, _DEEPEST = 20_000, 40
_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t\r]*$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.{0,8000}?-->", re.DOTALL)
_PICTURE = re.compile(
    r"!\[[^\]\n]{0,500}\]\([^)\n]{0,1000}\)|<img\b[^<>]{0,2000}>|<Gallery\s*/?>(?:\s*</Gallery>)?",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)[#\s]*$")
_NOT_ABOUT_IT = re.compile(
    r"(?i)\b(?:use it with|usage|how to"
    r" use|inference|diffusers|comfyui|download|install|training|trainer|dataset|licen[cs]e|citation|bibtex|contact|"  # noqa: E501
    r"acknowledg\w*|out-of-scope|bias|limitations?|evaluation|environmental|compute|hardware|framework|trigger"
    r" words?|more information|credits?|"
    r"support(?: me)?|disclaimer|examples?|gallery|samples?)\b"
)
_TRIGGER = re.compile(
    r"(?i)\b(?:you should use|use|trigger(?: word)?s?(?: is| are)?:?)\s+`([^`\n]{1,200})`"
)


def parted(readme: str) -> tuple[Mapping[str, object], str]:
    """What its head states, and the rest."""
    found = _HEAD.match(readme)
    if found is None:
        return {}, readme
    return _front_matter(found[1]), readme[found.end() :]


def trigger_in(body: str) -> str:
    """The words that the hub's own template tells to use, as it writes them."""
    found = _TRIGGER.search(body[:LONGEST_TEXT])
    return found[1].strip() if found else ""


def about(body: str) -> str:
    """Without code, pictures, tables, and the parts under headings that speak of something else
    than what it draws.
    """
    return "\n".join(_kept(_PICTURE.sub("", _COMMENT.sub("", body[: 3 * LONGEST_TEXT])))).strip()[
        :LONGEST_TEXT
    ]


def _kept(text: str) -> Iterator[str]:
    skipped, fence = 0, ""
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
            if not skipped or level <= skipped:
                skipped = level if _NOT_ABOUT_IT.search(heading[2]) else 0
        if not skipped and not line.lstrip().startswith("|"):
            yield line.lstrip("> ") if line.lstrip().startswith(">") else line


def _front_matter(head: str) -> Mapping[str, object]:
    """Plain data alone; what would grow while it is read, or is no YAML, states nothing."""
    import yaml

    if len(head) > _LONGEST_HEAD:
        return {}
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(head, Loader=yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
                event, yaml.CollectionEndEvent
            )
            if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST or number > _MOST_EVENTS:
                return {}
        return table(yaml.safe_load(head))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {}


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
            HubLocation(repository.name, repository.revision, file.path).url(),
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
        place = HubLocation.of(path)
        path = place.path if place is not None and place.repository == repository.name else ""
    fits = path.casefold().endswith(_SHOWN) and is_path(path) and "://" not in path
    return HubLocation(repository.name, repository.revision, path).url() if fits else ""


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
