"""Cards from Civitai's JSON: one for each usable version of a model, or the reason for none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

from stylus_ext.catalogue.sources.civitai import versions as why
from stylus_ext.catalogue.sources.civitai.versions import (
    OfferedFile,
    choose_file,
    is_nsfw_model,
    is_nsfw_picture,
)
from stylus_ext.catalogue.sources.common import Json, https_url
from stylus_ext.catalogue.sources.local.sidecars import Subject, civitai_facts
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.net.values import identity, name, rows, table, text

_MAX_EXAMPLES = 12
_VIDEOS = (".mp4", ".webm", ".mov", ".gif")
_MAX_URL = 1000


@dataclass(frozen=True, slots=True)
class CardFilter:
    """Which versions get a card; `owned` keeps what the user has, downloadable or not."""

    now: datetime
    nsfw: bool = False
    base_models: tuple[str, ...] = ()
    owned: bool = False


def cards_of_model(model: Json, wanted: CardFilter) -> Iterator[AdapterCard | str]:
    """A card or a reason for each version; one reason for a model without versions."""
    reason = why.exclusion_reason(model)
    versions = [table(version) for version in rows(model.get("modelVersions"))]
    if not versions:
        yield reason or why.unavailable_reason(model, {}, wanted.now) or why.NO_FILE
    for version in versions:
        yield reason or card_of(model, version, wanted)


def banned_versions(model: Json) -> Iterator[AdapterKey]:
    """The versions of a model that shows real persons or minors."""
    if why.exclusion_reason(model) in (why.PERSON, why.MINOR):
        for version in map(table, rows(model.get("modelVersions"))):
            version_id = identity(version.get("id"))
            if version_id is not None:
                yield AdapterKey.civitai(version_id)


def card_of(
    model: Json, version: Json, wanted: CardFilter, sha256: str = "", short: str = ""
) -> AdapterCard | str:
    """A card, or the reason for none.

    `sha256` and `short` are the hash and AutoV3 of the user's own file, if the card is for that.
    """
    version_id = identity(version.get("id"))
    if version_id is None:
        return why.UNREADABLE
    reason = why.exclusion_reason(model) or _filter_reason(model, version, wanted)
    if reason is not None:
        return reason
    file = choose_file(version, sha256, short)
    if file is None or file.dangerous:
        if not wanted.owned:
            return why.NO_FILE if file is None else why.DANGER
        file = OfferedFile("", 0, sha256, "", ())
    return _card(model, version, version_id, file, sha256)


def _filter_reason(model: Json, version: Json, wanted: CardFilter) -> str | None:
    if wanted.owned:
        return None
    if not wanted.nsfw and is_nsfw_model(model, version):
        return why.NSFW
    if wanted.base_models and name(version.get("baseModel")) not in wanted.base_models:
        return why.OTHER_BASE
    return why.unavailable_reason(model, version, wanted.now)


def _card(
    model: Json, version: Json, version_id: int, file: OfferedFile, sha256: str
) -> AdapterCard:
    nsfw = is_nsfw_model(model, version)
    listed = [table(picture) for picture in rows(version.get("images"))]
    pictures = _shown_pictures(listed, nsfw=nsfw)
    subject = Subject(PurePath(file.name).stem, file.size)
    facts = civitai_facts({**model, "modelVersions": [{**version, "images": pictures}]}, subject)
    digests = sorted({one for one in (file.sha256, sha256) if one})
    return AdapterCard(
        key=AdapterKey.civitai(version_id),
        name=facts.name or subject.stem or f"Civitai {version_id}",
        source="civitai",
        version=facts.version,
        model_id=facts.model_id,
        base_model=facts.base_model,
        tags=facts.tags,
        triggers=facts.triggers,
        text=facts.text,
        examples=facts.examples[:_MAX_EXAMPLES],
        images=len(listed) or None,
        preview=next(filter(None, (https_url(picture.get("url")) for picture in pictures)), ""),
        downloads=facts.downloads,
        rating=facts.rating,
        nsfw=nsfw,
        creator=facts.creator,
        licence=licence(model),
        remote=RemoteFile(file.name, file.size, file.sha256 or None) if file.name else None,
        auto_v3=file.auto_v3,
        equivalents=tuple(map(AdapterKey.sha256, digests)),
    )


def add_examples(card: AdapterCard, pictures: Sequence[Json]) -> AdapterCard:
    """The card with the prompts and weights of pictures that users made with it."""
    if card.key.scheme != "civitai":
        raise InvalidInput(f"{card.key} is not a Civitai version.")
    remote = card.remote or RemoteFile("", 0)
    hashes = {"SHA256": remote.sha256, "AutoV3": card.auto_v3}
    version = {
        "id": int(card.key.value),
        "images": _shown_pictures(pictures, nsfw=card.nsfw),
        "files": [{"name": remote.name, "type": "Model", "hashes": hashes}],
    }
    found = civitai_facts(version, Subject(PurePath(remote.name).stem, remote.size)).examples
    by_prompt: dict[str, Example] = {}  # many pictures of one prompt would outvote other weights
    for example in (*found, *card.examples):
        by_prompt.setdefault(example.prompt, example)
    return replace(card, examples=tuple(by_prompt.values())[:_MAX_EXAMPLES])


def licence(model: Json) -> str:
    """Civitai's licence switches in one line; uses come as a list or as a text in braces."""
    uses = model.get("allowCommercialUse")
    listed = (
        [name(one) for one in rows(uses)]
        if isinstance(uses, list)
        else text(uses).strip("{} ").replace('"', "").split(",")
    )
    commercial = ", ".join(
        one.strip() for one in listed if one.strip() and one.strip().casefold() != "none"
    )
    parts = [f"commercial use: {commercial or 'none'}"] if uses is not None else []
    for switch, yes, no in (
        ("allowNoCredit", "no credit needed", "credit needed"),
        ("allowDerivatives", "derivatives allowed", "no derivatives"),
        ("allowDifferentLicense", "any licence for derivatives", "same licence for derivatives"),
    ):
        if isinstance(model.get(switch), bool):
            parts.append(yes if model[switch] else no)
    return "; ".join(parts)


def _shown_pictures(pictures: Sequence[Json], *, nsfw: bool) -> list[Json]:
    """The pictures without videos, and without NSFW ones unless the card is NSFW itself."""
    return [
        picture
        for picture in pictures
        if (nsfw or not is_nsfw_picture(picture)) and not _is_video(picture)
    ]


def _is_video(picture: Json) -> bool:
    if name(picture.get("type")).casefold() not in ("", "image"):
        return True
    path = text(picture.get("url"), _MAX_URL).partition("?")[0]
    return path.casefold().endswith(_VIDEOS)
