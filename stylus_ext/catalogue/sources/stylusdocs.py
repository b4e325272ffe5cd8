"""The paper's published catalogue: records as cards with descriptions, and their vectors.

Any value of a record may be of any type.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.sources.common import https_url
from stylus_ext.catalogue.sources.plain_pickle import records
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.file_names import safe_file_stem
from stylus_ext.core.files import open_regular
from stylus_ext.core.importing import Published, PublishedText, PublishedVectors

logger = logging.getLogger(__name__)


SOURCE = "stylusdocs"
NO_VERSION = "no Civitai version in its address"
_VERSION = re.compile(
    r"https?://(?:www\.)?civitai\.com/api/download/models/(\d{1,12})(?:[/?#].*)?", re.DOTALL
)
_MAX_EXAMPLES = 8
_MAX_PROMPT_LENGTH = 600
_MAX_WORDS = 40
_MAX_WORD_LENGTH = 200
_MAX_TEXT_LENGTH = 6000
_MAX_DESCRIPTION_LENGTH = 4000
_MAX_WEIGHT = 2.0
_STARS = 5
_ANSWER = re.compile(
    r"^\s*-\s+(?P<text>.*?)(?:^|\s)-\s*(?:\[?recommended"
    r" weight\]?:?)?\s*(?P<weight>\d+(?:\.\d*)?|\.\d+)\s*$",
    re.DOTALL | re.IGNORECASE,
)
_URL = re.compile(r"https?://\S+")


def card_of(record: Mapping[str, Any]) -> AdapterCard | None:
    """The card; None without a version in the address, since a model id names no file."""
    url = _text(record, "download_url", 2000)
    found = _VERSION.fullmatch(url)
    if found is None:
        return None
    stats = record.get("stats")
    stats = stats if isinstance(stats, dict) else {}
    alias = _text(record, "alias", _MAX_WORD_LENGTH)
    return AdapterCard(
        key=AdapterKey.civitai(int(found[1])),
        name=_text(record, "title", _MAX_WORD_LENGTH) or alias,
        source=SOURCE,
        model_id=model_id(record),
        base_model=_text(record, "base_model", _MAX_WORD_LENGTH) or "SD 1.5",
        tags=_texts(record, "tags", _MAX_WORDS, _MAX_WORD_LENGTH),
        triggers=_texts(record, "trigger_words", _MAX_WORDS, _MAX_PROMPT_LENGTH),
        text=_text(record, "description", _MAX_TEXT_LENGTH),
        examples=_examples(record),
        images=len(urls) if isinstance(urls := record.get("image_urls"), list) else None,
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
    """The model id, which also names the file of the record's description."""
    value = record.get("adapter_id")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 13:  # noqa: PLR2004
        return int(value)
    return value if type(value) is int and 0 < value < 10**12 else None


def parse_answer(answer: str) -> tuple[str, float | None] | None:
    """Text and weight in an answer of the paper's refiner, a list of two; None if it failed."""
    answer = answer.strip().lstrip("\ufeff")
    found = _ANSWER.match(answer)
    text = found["text"] if found else answer.removeprefix("- ")
    text = " ".join(_URL.sub("", text).replace("**", "").split())[:_MAX_DESCRIPTION_LENGTH]
    text = "".join(sign if sign.isprintable() else " " for sign in text).strip(" -")
    if not text or text.lower() in ("failed", "none", "none."):
        return None
    return text, _weight(float(found["weight"])) if found else None


def stated_description(record: Mapping[str, Any]) -> tuple[str, float | None] | None:
    """The refiner's answer in the record itself."""
    text = _text(record, "llm_description", _MAX_DESCRIPTION_LENGTH)
    weight = record.get("weight")
    found = parse_answer(text) if text else None
    return None if found is None else (found[0], found[1] or _weight(weight))


def _weight(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return round(float(value), 3) if 0 < value <= _MAX_WEIGHT else None


def _text(record: Mapping[str, Any], name: str, longest: int) -> str:
    value = record.get(name)
    return value[:longest].strip() if isinstance(value, str) else ""


def _texts(record: Mapping[str, Any], name: str, most: int, longest: int) -> tuple[str, ...]:
    value = record.get(name)
    items = value[:most] if isinstance(value, (list, tuple)) else ()
    return tuple(
        dict.fromkeys(
            text for item in items if isinstance(item, str) and (text := item[:longest].strip())
        )
    )


def _examples(record: Mapping[str, Any]) -> tuple[Example, ...]:
    """The prompts with their pictures; a missing prompt is the text "None"."""
    prompts, urls = record.get("image_prompts"), record.get("image_urls")
    if not isinstance(prompts, (list, tuple)):
        return ()
    found: dict[str, Example] = {}
    for index, value in enumerate(prompts[: 4 * _MAX_EXAMPLES]):
        prompt = value[:_MAX_PROMPT_LENGTH].strip() if isinstance(value, str) else ""
        if prompt and prompt != "None":
            url = urls[index] if isinstance(urls, list) and index < len(urls) else ""
            found.setdefault(prompt, Example(prompt, None, https_url(url)))
    return tuple(found.values())[:_MAX_EXAMPLES]


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 10**12 else None


def _rating(stats: Mapping[str, Any]) -> float | None:
    """Stars of five as a share of 1; None without a vote."""
    value = stats.get("rating")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= _STARS:
        return None
    return round(value / _STARS, 3) if _count(stats.get("ratingCount")) else None


RECORDS, VECTORS, TEXTS = "sd_adapters.pkl", "sd_embeddings.npy", "ultra_model"
MODEL, DIMENSIONS = "text-embedding-3-large", 3072
REPEATED = "listed twice"
_PLACES = (".", "cache", "stylus/cache")
_MAX_ANSWER_LENGTH = 64 * 1024
_MATRIX = 2


class StylusDocs:
    """Implements `PublishedCatalogue`; the folder's vectors and texts may be missing."""

    name = "StylusDocs"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def fingerprint(self) -> str:
        states = []
        for name in (RECORDS, VECTORS):
            path = self._folder / name
            stat = path.stat() if path.exists() else None
            states.append(
                f"{path}\0{stat.st_size if stat else 0}\0{stat.st_mtime_ns if stat else 0}"
            )
        return hashlib.sha256("\n".join(states).encode("utf-8", "surrogatepass")).hexdigest()[:16]

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
            open_memmap: Any = np.lib.format.open_memmap
            held = open_memmap(path, mode="r")
        except (ValueError, OSError, EOFError) as problem:
            raise InvalidInput(
                f"{path} is not a matrix of numbers ({problem}). Move it away to import without"
                " vectors."
            ) from problem
        if held.ndim != _MATRIX or held.dtype.kind != "f" or not len(held):
            raise InvalidInput(
                f"{path} is not a matrix of numbers ({held.dtype}, {held.shape}). Move it away to"
                " import without vectors."
            )
        model = MODEL if held.shape[1] == DIMENSIONS else f"a model of {held.shape[1]} dimensions"
        return PublishedVectors(model, held.shape[0], held.shape[1], held)

    def _answer(self, model: int | None) -> tuple[str, float | None] | None:
        """The refiner's answer in the model's file."""
        if model is None:
            return None
        try:
            path = self._folder / TEXTS / f"{model}.txt"
            with open_regular(path, follow_links=False) as file:
                return parse_answer(file.read(_MAX_ANSWER_LENGTH).decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except OSError as problem:
            logger.warning("The text of model %d cannot be read: %s", model, problem)
            return None


def stylusdocs_in(folder: Path) -> StylusDocs:
    """The published files in the folder, or in one of their usual subfolders."""
    for place in _PLACES:
        if (folder / place / RECORDS).is_file():
            return StylusDocs((folder / place).resolve())
    raise InvalidInput(f"{folder} has no {RECORDS}. Give the folder where you unpacked StylusDocs.")


__all__ = ["DIMENSIONS", "MODEL", "StylusDocs", "stylusdocs_in"]
