"""All settings, as one frozen tree.

The command line's flags, docs/options.md and the WebUI's settings page are made from it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Any

from stylus_ext.core.errors import InvalidInput

_MOST = sys.float_info.max


def listed(value: Any, current: Any) -> Any:
    """Read a list of texts, or one text with commas, where the current value is a tuple."""
    if not isinstance(current, tuple):
        return value
    items = value.replace("\n", ",").split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        return value
    return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))


def checked(name: str, value: Any, default: Any, meta: Mapping[str, Any]) -> None:
    kind, accepted = type(default), (int, float) if isinstance(default, float) else type(default)
    fits = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    if kind is float:
        fits = fits and -_MOST <= value <= _MOST
    elif kind is tuple:
        fits = fits and all(isinstance(item, str) for item in value)
    if not fits:
        raise InvalidInput(f"{name} must be {_KINDS[kind]}, not {value!r}.")
    if "low" in meta and not meta["low"] <= value <= meta["high"]:
        raise InvalidInput(
            f"{name} must lie between {meta['low']} and {meta['high']}, not {value!r}."
        )
    if "choices" in meta and value not in meta["choices"]:
        raise InvalidInput(f"{name} must be one of {', '.join(meta['choices'])}, not {value!r}.")


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple: "a list of texts",
}
VARIED = "varied"
SCHEMES = (VARIED, "paper", "all", "subsets")
POLICIES = ("hybrid", "rerank", "cosine", "lexical", "random")
COMPOSERS = ("rules", "chat")
MERGE, SWITCH, WINDOWS, WEIGHTED = "merge", "switch", "windows", "weighted-switch"
COMBINATIONS = ("auto", MERGE, SWITCH, WINDOWS, WEIGHTED)
NEGATIVE_EMBEDDINGS = ("off", "always")
ENGINE_SECTIONS = tuple("encoder vectors civitai hugging_face downloads chat reranking".split())
"""Sections of the engine, which a plan cannot change."""


def _option(default: Any, help_text: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": help_text, **limits})


@dataclass(frozen=True, slots=True)
class Option:
    """One setting, as shown as a flag, a table row or a widget."""

    section: str
    name: str
    default: bool | int | float | str | tuple[str, ...]
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Section:
    def __post_init__(self) -> None:
        for item in fields(self):
            checked(item.name, getattr(self, item.name), item.default, item.metadata)


@dataclass(frozen=True, slots=True)
class Selection(_Section):
    """What may be chosen, and how much."""

    max_adapters: int = _option(
        3, "most LoRAs per picture, including those you wrote yourself", low=0, high=10
    )
    per_task: int = _option(1, "most LoRAs per task", low=0, high=5)
    max_styles: int = _option(2, "most style LoRAs per picture", low=0, high=5)
    family: str = _option("any", "base model family; `any` lets each plan choose one family")
    partial: bool = _option(
        False,
        "also use LoRAs made for a related family, such as SDXL ones on Pony; a note names each",
    )
    policy: str = _option("hybrid", "how candidates are found", choices=POLICIES)
    composer: str = _option(
        "rules",
        "what splits the prompt and picks: the built-in rules, or a language model",
        choices=COMPOSERS,
    )
    negative_embedding: str = _option(
        "off",
        "whether one of the embeddings that you set to Always is added to the negative prompt",
        choices=NEGATIVE_EMBEDDINGS,
    )
    candidates: int = _option(150, "candidates given to the composer", low=10, high=1000)
    strictness: float = _option(
        0.5,
        "how certain a pick must be: 0 accepts nearly anything, 1 only certain picks",
        low=0.0,
        high=1.0,
    )
    nsfw: bool = _option(
        False,
        "allow not-safe-for-work LoRAs for every prompt, not only for prompts that ask for them",
    )
    prune: bool = _option(
        True,
        "ignore LoRAs that are not on disk and have fewer than 3 example images or a poor rating",
    )
    allow_folders: tuple[str, ...] = _option(
        (), "use only these folders, such as `style, characters/*`; relative to the LoRA folder"
    )
    deny_folders: tuple[str, ...] = _option((), "ignore these folders and their subfolders")
    allow_tags: tuple[str, ...] = _option(
        (), "use only LoRAs with one of these tags or kinds, such as `style, anime*`"
    )
    deny_tags: tuple[str, ...] = _option((), "ignore LoRAs with one of these tags or kinds")
    formats: tuple[str, ...] = _option(
        (),
        "use only files with these formats of weights, such as `lora, loha, dora`; if empty, those"
        " that the WebUI loads, or all without a WebUI",
    )


@dataclass(frozen=True, slots=True)
class WeightSettings(_Section):
    """Weights of the picks."""

    default_weight: float = _option(
        0.8, "weight of a LoRA without a known weight", low=0.0, high=2.0
    )
    strength: float = _option(1.0, "factor for all weights", low=0.0, high=2.0)
    total_cap: float = _option(
        1.5, "highest sum of all weights in one picture; 0 is no limit", low=0.0, high=10.0
    )
    paper_factor: bool = _option(
        False, "multiply weights by 0.8 again, as the paper's published code does"
    )


@dataclass(frozen=True, slots=True)
class Combination(_Section):
    """How several LoRAs are combined over the steps of a picture."""

    combine: str = _option(
        "auto",
        "`merge` adds up their weights in all steps, `switch` has one act at a time, `windows`"
        " first those that decide on the layout and style last, `weighted-switch` gives time by"
        " their words in the prompt; `auto` merges up to two, if the WebUI can do more",
        choices=COMBINATIONS,
    )
    switch_steps: int = _option(5, "steps until the next LoRA acts", low=1, high=50)


@dataclass(frozen=True, slots=True)
class Diversity(_Section):
    """Differences between batches."""

    scheme: str = _option(
        VARIED,
        "which combinations later batches use; `varied` keeps what the prompt names and leaves no"
        " batch without a LoRA, `paper` may switch off all",
        choices=SCHEMES,
    )


@dataclass(frozen=True, slots=True)
class Text(_Section):
    """Text added besides the tags."""

    triggers: bool = _option(True, "add the trigger words of the picks")
    negative_text: bool = _option(
        True, "add the negative prompt text stated in a LoRA's metadata file"
    )
    debias: str = _option(
        "", "text added after the prompt if anything was picked, such as `realistic, high quality`"
    )
    emphasis: float = _option(
        1.0, "attention weight for tasks without a LoRA; 1 changes nothing", low=1.0, high=1.5
    )


@dataclass(frozen=True, slots=True)
class Encoder(_Section):
    """The model that turns text into vectors."""

    model: str = _option(
        "all-MiniLM-L6-v2", "a sentence-transformers model, or the model name at the endpoint"
    )
    endpoint: str = _option(
        "", "base URL of an OpenAI-compatible embeddings server; empty encodes on this machine"
    )
    dimensions: int = _option(
        0,
        "vector length, if the endpoint's model allows a choice, such as 1024; 0 is its default",
        low=0,
        high=8192,
    )
    device: str = _option("cpu", "device for encoding; the pictures need the GPU")
    threads: int = _option(2, "threads used while a picture is generated", low=1, high=64)


@dataclass(frozen=True, slots=True)
class Vectors(_Section):
    """Storage of the vectors."""

    chroma_url: str = _option(
        "", "address of a shared Chroma server; empty keeps the vectors in the data folder"
    )
    exact_below: int = _option(
        500_000, "search exactly up to this number of entries", low=0, high=10_000_000
    )


@dataclass(frozen=True, slots=True)
class CivitaiSettings(_Section):
    """Access to Civitai, used only on request."""

    civitai_url: str = _option("https://civitai.com", "address of Civitai or of a mirror")
    civitai_files_url: str = _option(
        "", "address for downloads if it differs, such as civitai.com beside civitai.red"
    )
    request_interval: float = _option(
        1.0, "seconds between two requests to Civitai", low=0.0, high=60.0
    )


@dataclass(frozen=True, slots=True)
class HuggingFace(_Section):
    """Access to Hugging Face, used only on request."""

    hugging_face_url: str = _option(
        "https://huggingface.co", "address of Hugging Face or of a mirror"
    )
    hugging_face_interval: float = _option(
        1.0, "seconds between two requests to Hugging Face", low=0.0, high=60.0
    )


@dataclass(frozen=True, slots=True)
class DownloadSettings(_Section):
    """Whether, and how much, may be downloaded into your LoRA folder."""

    download: bool = _option(
        False, "allow downloads of LoRAs that you name, or that a plan needs if you let it fetch"
    )
    largest_mb: int = _option(2048, "largest file to download, in MB", low=1, high=100_000)
    quota_gb: float = _option(
        20.0, "limit for all downloaded files together, in GB", low=0.0, high=10_000.0
    )
    keep_free_gb: float = _option(2.0, "free disk space to keep, in GB", low=0.0, high=1000.0)
    at_once: int = _option(2, "downloads at the same time", low=1, high=8)
    by_family: bool = _option(
        False, "put downloaded files into subfolders by base model family, such as sdxl"
    )
    unhashed: bool = _option(False, "also download files for which the source states no hash")
    thumbnails: bool = _option(
        False, "fetch small pictures of LoRAs that are not on disk when they come into view"
    )


@dataclass(frozen=True, slots=True)
class Chat(_Section):
    """A language model, used only if you set one. Its key is sent only to its address."""

    chat_url: str = _option("", "base URL of an OpenAI-compatible chat server; empty uses none")
    chat_model: str = _option("", "model at the chat server, such as `gpt-4o-mini` or `qwen3:8b`")
    temperature: float = _option(
        0.0,
        "sampling temperature; above 0 each selection seed may give another composition",
        low=0.0,
        high=2.0,
    )
    chat_deadline: float = _option(
        20.0, "seconds for one composition; after that the rules compose", low=0.5, high=600.0
    )
    cards: int = _option(
        24, "cards shown to the model: the best and most different candidates", low=5, high=60
    )
    prune_again: bool = _option(
        False, "ask the model again which of its picks to drop, as the paper's published code does"
    )
    chat_release: bool = _option(True, "tell Ollama to free the graphics memory after its answer")
    price_in: float = _option(
        -1.0,
        "US dollars per million tokens read; -1 uses the known list price",
        low=-1.0,
        high=1000.0,
    )
    price_out: float = _option(
        -1.0,
        "US dollars per million tokens written; -1 uses the known list price",
        low=-1.0,
        high=1000.0,
    )


@dataclass(frozen=True, slots=True)
class Reranking(_Section):
    """The model that reorders candidates for the policy `rerank`."""

    rerank_model: str = _option(
        "",
        "a sentence-transformers cross-encoder, or the model name at the server; empty uses none",
    )
    rerank_url: str = _option(
        "", "base URL of a rerank server (Cohere, Jina, vLLM, TEI); empty ranks on this machine"
    )
    rerank_most: int = _option(50, "candidates to rerank", low=5, high=1000)
    rerank_deadline: float = _option(
        5.0, "seconds for reranking; after that the previous order is kept", low=0.1, high=600.0
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings."""

    selection: Selection = field(default_factory=Selection)
    weights: WeightSettings = field(default_factory=WeightSettings)
    combination: Combination = field(default_factory=Combination)
    diversity: Diversity = field(default_factory=Diversity)
    text: Text = field(default_factory=Text)
    encoder: Encoder = field(default_factory=Encoder)
    vectors: Vectors = field(default_factory=Vectors)
    civitai: CivitaiSettings = field(default_factory=CivitaiSettings)
    hugging_face: HuggingFace = field(default_factory=HuggingFace)
    downloads: DownloadSettings = field(default_factory=DownloadSettings)
    chat: Chat = field(default_factory=Chat)
    reranking: Reranking = field(default_factory=Reranking)


@cache
def options() -> tuple[Option, ...]:
    """Return every setting in the order of the tree."""
    tree = Settings()
    return tuple(
        Option(section.name, item.name, getattr(values, item.name), **item.metadata)
        for section in fields(tree)
        for values in (getattr(tree, section.name),)
        for item in fields(values)
    )


def with_values(settings: Settings, values: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Return `settings` with the given values: {"weights": {"strength": 0.7}}.

    Unknown names and wrong values raise `InvalidInput`.
    """
    known = {item.name for item in fields(settings)}
    for section, given in values.items():
        if section not in known:
            raise InvalidInput(
                f"There is no group of settings called {section!r}; there are"
                f" {', '.join(sorted(known))}."
            )
        if not isinstance(given, Mapping):
            raise InvalidInput(
                f"The settings of {section!r} must be an object with names and values."
            )
        current = getattr(settings, section)
        unknown = sorted(set(given) - {item.name for item in fields(current)})
        if unknown:
            raise InvalidInput(f"There is no setting {section}.{unknown[0]}.")
        read = {name: listed(value, getattr(current, name)) for name, value in given.items()}
        settings = replace(settings, **{section: replace(current, **read)})
    return settings


def as_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the tree as plain data; `with_values(Settings(), as_values(s)) == s`."""
    return asdict(settings)
