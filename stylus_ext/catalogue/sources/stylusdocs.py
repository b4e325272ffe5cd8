"""One published record as a card and, where the paper's refiner wrote one, a description; any value
of a record may be of any type.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.sources.plain_pickle import records
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.importing import Published, PublishedText, PublishedVectors
from stylus_ext.core.naming import safe_file_stem

logger = logging.getLogger(__name__)


SOURCE = "stylusdocs"
NO_VERSION = "no Civitai version in its address"
_VERSION = re.compile(
    r"https?://(?:www\.)?civitai\.com/api/download/models/(\d{1,12})(?:[/?#].*)?", re.DOTALL
)
_MOST_EXAMPLES = 8
_LONGEST_URL = 500
_LONGEST_PROMPT = 600
_MOST_WORDS = 40
_LONGEST_WORD = 200
_LONGEST_TEXT = 6000
_LONGEST_DESCRIPTION = 4000
_HEAVIEST = 2.0
_STARS = 5
_ANSWER = re.compile(
    r"^\s*-\s+(?P<text>.*?)(?:^|\s)-\s*(?:\[?recommended"
    r" weight\]?:?)?\s*(?P<weight>\d+(?:\.\d*)?|\.\d+)\s*$",
    re.DOTALL | re.IGNORECASE,
)
_URL = re.compile(r"https?://\S+")


def card_of(record: Mapping[str, Any]) -> AdapterCard | None:
    """None where no version can be told: a model's number alone names no file."""
    url = _text(record, "download_url", 2000)
    found = _VERSION.fullmatch(url)
    if found is None:
        return None
    stats = record.get("stats")
    stats = stats if isinstance(stats, dict) else {}
    alias = _text(record, "alias", _LONGEST_WORD)
    return AdapterCard(
        key=AdapterKey.civitai(int(found[1])),
        name=_text(record, "title", _LONGEST_WORD) or alias,
        source=SOURCE,
        model_id=model_id(record),
        base_model=_text(record, "base_model", _LONGEST_WORD) or "SD 1.5",
        tags=_texts(record, "tags", _MOST_WORDS, _LONGEST_WORD),
        triggers=_texts(record, "trigger_words", _MOST_WORDS, _LONGEST_PROMPT),
        text=_text(record, "description", _LONGEST_TEXT),
        examples=_examples(record),
        images=_images(record),
        downloads=_count(stats.get("downloadCount")),
        rating=_rating(stats),
        remote=(
            RemoteFile(
                f"{safe_file_stem(alias, ())}.safetensors", 0, None, found[0].partition("?")[0]
            )
            if alias
            else None
        ),
    )


def model_id(record: Mapping[str, Any]) -> int | None:
    """By which the text of a record is filed, too."""
    said = record.get("adapter_id")
    if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < 13:  # noqa: PLR2004
        return int(said)
    return said if type(said) is int and 0 < said < 10**12 else None


def refined(answer: str) -> tuple[str, float | None] | None:
    """Text and weight of an answer of the paper's refiner, which are two points of a list; None
    where it failed.
    """
    answer = answer.strip().lstrip("\ufeff")
    found = _ANSWER.match(answer)
    text = found["text"] if found else answer.removeprefix("- ")
    text = " ".join(_URL.sub("", text).replace("**", "").split())[:_LONGEST_DESCRIPTION]
    text = "".join(sign if sign.isprintable() else " " for sign in text).strip(" -")
    if not text or text.lower() in ("failed", "none", "none."):
        return None
    return text, _weight(float(found["weight"])) if found else None


def stated_description(record: Mapping[str, Any]) -> tuple[str, float | None] | None:
    """What the record itself holds of the refiner's answer."""
    text = _text(record, "llm_description", _LONGEST_DESCRIPTION)
    weight = record.get("weight")
    found = refined(text) if text else None
    return None if found is None else (found[0], found[1] or _weight(weight))


def _weight(said: Any) -> float | None:
    right = isinstance(said, (int, float)) and not isinstance(said, bool) and 0 < said <= _HEAVIEST
    return round(float(said), 3) if right else None


def _text(record: Mapping[str, Any], name: str, longest: int) -> str:
    said = record.get(name)
    return said[:longest].strip() if isinstance(said, str) else ""


def _texts(record: Mapping[str, Any], name: str, most: int, longest: int) -> tuple[str, ...]:
    said = record.get(name)
    items = said[:most] if isinstance(said, (list, tuple)) else ()
    return tuple(
        dict.fromkeys(
            text for item in items if isinstance(item, str) and (text := item[:longest].strip())
        )
    )


def _examples(record: Mapping[str, Any]) -> tuple[Example, ...]:
    """A missing prompt was written down as "None"."""
    prompts, urls = record.get("image_prompts"), record.get("image_urls")
    if not isinstance(prompts, (list, tuple)):
        return ()
    found: dict[str, Example] = {}
    for place, said in enumerate(prompts[: 4 * _MOST_EXAMPLES]):
        prompt = said[:_LONGEST_PROMPT].strip() if isinstance(said, str) else ""
        if prompt and prompt != "None":
            found.setdefault(prompt, Example(prompt, None, _picture(urls, place)))
    return tuple(found.values())[:_MOST_EXAMPLES]


def _picture(urls: Any, place: int) -> str:
    url = urls[place] if isinstance(urls, list) and place < len(urls) else ""
    return (
        url
        if isinstance(url, str)
        and url.startswith("https://")
        and len(url) <= _LONGEST_URL
        and " " not in url
        else ""
    )


def _images(record: Mapping[str, Any]) -> int | None:
    said = record.get("image_urls")
    return len(said) if isinstance(said, list) else None


def _count(said: Any) -> int | None:
    return said if type(said) is int and 0 <= said < 10**12 else None


def _rating(stats: Mapping[str, Any]) -> float | None:
    """Stars of five as the share of those who like it; without a vote it says nothing."""
    said = stats.get("rating")
    if not isinstance(said, (int, float)) or isinstance(said, bool) or not 0 <= said <= _STARS:
        return None
    return round(said / _STARS, 3) if _count(stats.get("ratingCount")) else None


RECORDS, VECTORS, TEXTS = "sd_adapters.pkl", "sd_embeddings.npy", "ultra_model"
MODEL, DIMENSIONS = "text-embedding-3-large", 3072
REPEATED = "listed twice"
_PLACES = (".", "cache", "stylus/cache")
_LONGEST_ANSWER = 64 * 1024
_MATRIX = 2


class StylusDocs:
    """Implements `PublishedCatalogue`."""

    name = "StylusDocs"

    def __init__(self, folder: Path) -> None:
        """`folder` holds the records; vectors and texts may be missing."""
        self._folder = folder

    @property
    def fingerprint(self) -> str:
        said = []
        for name in (RECORDS, VECTORS):
            path = self._folder / name
            stat = path.stat() if path.exists() else None
            said.append(f"{path}\0{stat.st_size if stat else 0}\0{stat.st_mtime_ns if stat else 0}")
        return hashlib.sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def records(self) -> Iterator[Published]:
        seen: set[str] = set()
        for place, record in enumerate(records(self._folder / RECORDS)):
            card = card_of(record)
            if card is None or str(card.key) in seen:
                yield Published(place, reason=NO_VERSION if card is None else REPEATED)
                continue
            seen.add(str(card.key))
            answer = self._answer(model_id(record)) or stated_description(record)
            yield Published(place, card, PublishedText(*answer) if answer else None)

    def vectors(self) -> PublishedVectors | None:
        import numpy as np

        path = self._folder / VECTORS
        if not path.is_file():
            return None
        try:
            held = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as problem:
            raise InvalidInput(
                f"{path} is no matrix of numbers ({problem}). Move it away to import without its"
                " vectors."
            ) from problem
        if held.ndim != _MATRIX or held.dtype.kind != "f" or not len(held):
            raise InvalidInput(
                f"{path} is no matrix of numbers: {held.dtype}, {held.shape}. Move it away to"
                " import without its vectors."
            )
        model = MODEL if held.shape[1] == DIMENSIONS else f"a model of {held.shape[1]} dimensions"
        return PublishedVectors(model, held.shape[0], held.shape[1], held)

    def _answer(self, model: int | None) -> tuple[str, float | None] | None:
        """Of the refiner, as it was filed."""
        if model is None:
            return None
        try:
            with (self._folder / TEXTS / f"{model}.txt").open("rb") as file:
                return refined(file.read(_LONGEST_ANSWER).decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except OSError as problem:
            logger.warning("The text of model %d cannot be read: %s", model, problem)
            return None


def stylusdocs_in(folder: Path) -> StylusDocs:
    """The published files here, or in the subfolders in which they come."""
    for place in _PLACES:
        if (folder / place / RECORDS).is_file():
            return StylusDocs((folder / place).resolve())
    raise InvalidInput(
        f"{folder} holds no {RECORDS}. Name the folder into which you have unpacked StylusDocs."
    )


__all__ = ["DIMENSIONS", "MODEL", "StylusDocs", "stylusdocs_in"]
