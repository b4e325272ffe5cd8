"""A model as Civitai lists it goes in; a card for each of its versions that is of use comes out,
and the reasons for the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

from stylus_ext.catalogue.sources.civitai import versions as why
from stylus_ext.catalogue.sources.civitai.versions import (
    OfferedFile,
    chosen,
    unsafe_model,
    unsafe_picture,
)
from stylus_ext.catalogue.sources.local.sidecars import Subject, civitai_facts
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.net.values import identity, name, rows, table, text

_MOST_EXAMPLES = 12
_VIDEOS = (".mp4", ".webm", ".mov", ".gif")
_LONGEST_URL = 1000
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Sieve:
    """What is kept: `own` keeps what the user has anyway, whether it may still be fetched or
    not.
    """

    now: datetime
    nsfw: bool = False
    base_models: tuple[str, ...] = ()
    own: bool = False


def versions_of(model: Json, sieve: Sieve) -> Iterator[AdapterCard | str]:
    """A card, or the reason why there is none, for each version; a reason for the model where it
    has none.
    """
    reason = why.never(model)
    versions = [table(version) for version in rows(model.get("modelVersions"))]
    if not versions:
        yield reason or why.withheld(model, {}, sieve.now) or why.NO_FILE
    for version in versions:
        yield reason or card_of(model, version, sieve)


def banned(model: Json) -> Iterator[AdapterKey]:
    """The versions of what shows real persons or minors."""
    if why.never(model) in (why.PERSON, why.MINOR):
        for version in map(table, rows(model.get("modelVersions"))):
            version_id = identity(version.get("id"))
            if version_id is not None:
                yield AdapterKey.civitai(version_id)


def card_of(
    model: Json, version: Json, sieve: Sieve, sha256: str = "", short: str = ""
) -> AdapterCard | str:
    """`sha256` is that of the user's own file, where the card is to be of that one; `short` that of
    its tensors, where it has only those.
    """
    version_id = identity(version.get("id"))
    if version_id is None:
        return why.UNREADABLE
    reason = why.never(model) or _withheld(model, version, sieve)
    if reason is not None:
        return reason
    file = chosen(version, sha256, short)
    if file is None or file.dangerous:
        if not sieve.own:
            return why.NO_FILE if file is None else why.DANGER
        file = OfferedFile("", 0, sha256, "", ())
    return _card(model, version, file, sha256)


def _withheld(model: Json, version: Json, sieve: Sieve) -> str | None:
    if sieve.own:
        return None
    if not sieve.nsfw and unsafe_model(model, version):
        return why.NSFW
    if sieve.base_models and name(version.get("baseModel")) not in sieve.base_models:
        return why.OTHER_BASE
    return why.withheld(model, version, sieve.now)


def _card(model: Json, version: Json, file: OfferedFile, sha256: str) -> AdapterCard:
    nsfw = unsafe_model(model, version)
    pictures = [
        picture
        for picture in map(table, rows(version.get("images")))
        if nsfw or not unsafe_picture(picture)
    ]
    listed = len(rows(version.get("images")))
    version = {**version, "images": [picture for picture in pictures if not _is_video(picture)]}
    facts = civitai_facts({**model, "modelVersions": [version]}, _subject(file))
    digests = sorted({one for one in (file.sha256, sha256) if one})
    return AdapterCard(
        key=AdapterKey.civitai(_required(facts.version_id)),
        name=facts.name or PurePath(file.name).stem or f"Civitai {facts.version_id}",
        source="civitai",
        version=facts.version,
        model_id=facts.model_id,
        base_model=facts.base_model,
        tags=facts.tags,
        triggers=facts.triggers,
        text=facts.text,
        examples=facts.examples[:_MOST_EXAMPLES],
        images=listed or None,
        preview=next(filter(None, map(_address, pictures)), ""),
        downloads=facts.downloads,
        rating=facts.rating,
        nsfw=nsfw,
        creator=facts.creator,
        licence=licence(model),
        remote=RemoteFile(file.name, file.size, file.sha256 or None) if file.name else None,
        auto_v3=file.auto_v3,
        equivalents=tuple(map(AdapterKey.sha256, digests)),
    )


def with_examples(card: AdapterCard, pictures: Sequence[Json]) -> AdapterCard:
    """The card with the prompts of pictures that people made with it, and the weights at which they
    used it.
    """
    if card.key.scheme != "civitai":
        raise InvalidInput(f"{card.key} is no version of Civitai.")
    shown = [
        one for one in pictures if (card.nsfw or not unsafe_picture(one)) and not _is_video(one)
    ]
    remote = card.remote or RemoteFile("", 0)
    listed = {
        "id": int(card.key.value),
        "images": shown,
        "files": [
            {
                "name": remote.name,
                "type": "Model",
                "hashes": {"SHA256": remote.sha256, "AutoV3": card.auto_v3},
            }
        ],
    }
    found = civitai_facts(listed, Subject(PurePath(remote.name).stem, remote.size)).examples
    return replace(card, examples=_different((*found, *card.examples))[:_MOST_EXAMPLES])


def licence(model: Json) -> str:
    """What Civitai's switches say, in a line; a list of uses comes as one or as text in braces."""
    uses = model.get("allowCommercialUse")
    listed = (
        [name(one) for one in rows(uses)]
        if isinstance(uses, list)
        else text(uses).strip("{} ").replace('"', "").split(",")
    )
    commercial = ", ".join(
        one.strip() for one in listed if one.strip() and one.strip().casefold() != "none"
    )
    said = [f"commercial use: {commercial or 'none'}"] if uses is not None else []
    for switch, yes, no in (
        ("allowNoCredit", "no credit needed", "credit needed"),
        ("allowDerivatives", "derivatives allowed", "no derivatives"),
        ("allowDifferentLicense", "any licence for derivatives", "same licence for derivatives"),
    ):
        if isinstance(model.get(switch), bool):
            said.append(yes if model[switch] else no)
    return "; ".join(said)


def _subject(file: OfferedFile) -> Subject:
    return Subject(PurePath(file.name).stem, file.size)


def _different(examples: tuple[Example, ...]) -> tuple[Example, ...]:
    """Each prompt once; many pictures of one prompt would outvote the others' weights."""
    seen: dict[str, Example] = {}
    for example in examples:
        seen.setdefault(example.prompt, example)
    return tuple(seen.values())


def _is_video(picture: Json) -> bool:
    kind = name(picture.get("type")).casefold()
    return kind not in ("", "image") or text(picture.get("url"), _LONGEST_URL).partition("?")[
        0
    ].casefold().endswith(_VIDEOS)


def _address(picture: Json) -> str:
    url = text(picture.get("url"), _LONGEST_URL)
    return url if url.startswith("https://") and not _is_video(picture) and " " not in url else ""


def _required(version_id: int | None) -> int:
    if version_id is None:
        raise InvalidInput("A version of Civitai without an id cannot be a card.")
    return version_id
