"""Every option of Stylus, as one frozen tree; the CLI's flags, the README's table and the WebUI's
page are made from it.

In: nothing, or a plain mapping such as parsed JSON. Out: `Settings`, or `InvalidInput` with a
sentence that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import cache
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.leaves import checked, listed

SCHEMES = ("paper", "all", "subsets")
POLICIES = ("hybrid", "rerank", "cosine", "lexical", "random")
COMPOSERS = ("rules", "chat")
ENGINE_SECTIONS = (
    "encoder",
    "vectors",
    "civitai",
    "hugging_face",
    "downloads",
    "chat",
    "reranking",
)
"""Those that belong to an engine and not to a plan."""


def _option(default: Any, help_text: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": help_text, **limits})


@dataclass(frozen=True, slots=True)
class Option:
    """One leaf of the tree, as a flag, a table row or a widget shows it."""

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
    """What may be chosen, and how much of it."""

    max_adapters: int = _option(
        3, "adapters in all, those you wrote yourself included", low=0, high=10
    )
    per_task: int = _option(1, "adapters per task", low=0, high=5)
    max_styles: int = _option(2, "style adapters in all", low=0, high=5)
    family: str = _option("any", "base model family to choose for; `any` takes one family per plan")
    partial: bool = _option(
        False,
        "also take adapters made for a relative of the family, such as SDXL ones on Pony; each is"
        " noted",
    )
    policy: str = _option("hybrid", "how candidates are found", choices=POLICIES)
    composer: str = _option("rules", "who splits the prompt and picks", choices=COMPOSERS)
    candidates: int = _option(150, "candidates that the composer sees", low=10, high=1000)
    strictness: float = _option(
        0.5,
        "how sure a pick must be: 0 takes nearly anything, 1 only the certain",
        low=0.0,
        high=1.0,
    )
    nsfw: bool = _option(
        False,
        "allow not-safe-for-work adapters for any prompt, not only for prompts that ask for them",
    )
    prune: bool = _option(
        True, "leave out what is not on disk and has fewer than 3 example images or a poor rating"
    )
    allow_folders: tuple[str, ...] = _option(
        (),
        "choose from these folders alone, such as `style, characters/*`; relative to the LoRA"
        " folder",
    )
    deny_folders: tuple[str, ...] = _option(
        (), "choose nothing from these folders, nor from those inside them"
    )
    allow_tags: tuple[str, ...] = _option(
        (), "choose only what has one of these tags, or is of such a kind, such as `style, anime*`"
    )
    deny_tags: tuple[str, ...] = _option(
        (), "choose nothing that has one of these tags, or is of such a kind"
    )


@dataclass(frozen=True, slots=True)
class Weights(_Section):
    """How strongly picks are applied."""

    default_weight: float = _option(
        0.8, "weight of an adapter about which nothing is known", low=0.0, high=2.0
    )
    strength: float = _option(1.0, "factor on every weight", low=0.0, high=2.0)
    total_cap: float = _option(
        1.5, "most that all weights of one picture may add up to; 0 is no cap", low=0.0, high=10.0
    )
    paper_factor: bool = _option(
        False, "multiply by 0.8 once more, as the paper's published code does"
    )


@dataclass(frozen=True, slots=True)
class Diversity(_Section):
    """How batches differ."""

    scheme: str = _option(
        "paper", "which combinations the batches after the first take", choices=SCHEMES
    )


@dataclass(frozen=True, slots=True)
class Text(_Section):
    """What is written besides the tags."""

    triggers: bool = _option(True, "add the trigger words that identify a pick")
    negative_text: bool = _option(
        True, "add what an adapter's sidecar wants in the negative prompt"
    )
    debias: str = _option(
        "",
        "text added after the prompt whenever something was picked, such as `realistic, high"
        " quality`",
    )
    emphasis: float = _option(
        1.0,
        "attention weight for tasks that no adapter serves; 1 leaves them alone",
        low=1.0,
        high=1.5,
    )


@dataclass(frozen=True, slots=True)
class Encoder(_Section):
    """What turns text into vectors."""

    model: str = _option(
        "all-MiniLM-L6-v2", "a sentence-transformers model, or the model name of the endpoint"
    )
    endpoint: str = _option(
        "", "base URL of an OpenAI-compatible embeddings server; empty encodes on this machine"
    )
    dimensions: int = _option(
        0,
        "numbers in a vector of the endpoint's model, where it lets one choose, such as 1024; 0"
        " takes its own",
        low=0,
        high=8192,
    )
    device: str = _option("cpu", "where to encode; the picture needs the GPU")
    threads: int = _option(2, "threads while a picture is made", low=1, high=64)


@dataclass(frozen=True, slots=True)
class Vectors(_Section):
    """Where the vectors live."""

    chroma_url: str = _option(
        "", "address of a shared Chroma server; empty keeps the vectors in the data folder"
    )
    exact_below: int = _option(
        500_000, "entries up to which every search is exact", low=0, high=10_000_000
    )


@dataclass(frozen=True, slots=True)
class Civitai(_Section):
    """Whom to ask about adapters, when you say so; a key goes to the address that it was entered
    for.
    """

    civitai_url: str = _option("https://civitai.com", "address of Civitai, or of a mirror of it")
    civitai_files_url: str = _option(
        "",
        "address that gives its files, where it is another, such as civitai.com beside civitai.red;"
        " empty is the same",
    )
    request_interval: float = _option(1.0, "seconds between two requests to it", low=0.0, high=60.0)


@dataclass(frozen=True, slots=True)
class HuggingFace(_Section):
    """The second whom to ask, when you say so; it has a key of its own."""

    hugging_face_url: str = _option(
        "https://huggingface.co", "address of Hugging Face, or of a mirror of it"
    )
    hugging_face_interval: float = _option(
        1.0, "seconds between two requests to Hugging Face", low=0.0, high=60.0
    )


@dataclass(frozen=True, slots=True)
class Downloads(_Section):
    """Whether files may be fetched into your LoRA folder, and how much."""

    download: bool = _option(
        False, "fetch LoRAs that you ask for by name, or that a plan wants where you let it"
    )
    largest_mb: int = _option(2048, "largest file that is fetched, in MB", low=1, high=100_000)
    quota_gb: float = _option(
        20.0, "most that all fetched files may take together, in GB", low=0.0, high=10_000.0
    )
    keep_free_gb: float = _option(2.0, "what stays free on the disk, in GB", low=0.0, high=1000.0)
    at_once: int = _option(2, "files that are fetched at the same time", low=1, high=8)
    by_family: bool = _option(
        False, "put fetched files in subfolders by base model family, such as sdxl"
    )
    unhashed: bool = _option(
        False, "also fetch files of which the source states no hash to check them by"
    )
    thumbnails: bool = _option(
        False,
        "show pictures of adapters that are not on disk: small ones are fetched when they come into"
        " sight",
    )


@dataclass(frozen=True, slots=True)
class Chat(_Section):
    """A language model that may be asked, when you name one; its key goes to its address alone."""

    chat_url: str = _option("", "base URL of an OpenAI-compatible chat server; empty asks nobody")
    chat_model: str = _option(
        "", "the model that is asked there, such as `gpt-4o-mini` or `qwen3:8b`"
    )
    temperature: float = _option(
        0.0,
        "how freely it answers; above 0 each selection seed may give another composition",
        low=0.0,
        high=2.0,
    )
    chat_deadline: float = _option(
        20.0,
        "seconds that one composition may take; after that the rules compose",
        low=0.5,
        high=600.0,
    )
    cards: int = _option(
        24, "cards that it sees, the best and most different of the candidates", low=5, high=60
    )
    prune_again: bool = _option(
        False,
        "ask a second time what of its own picks should rather be left out, as the paper's"
        " published code does",
    )
    chat_release: bool = _option(
        True, "have Ollama free the graphics memory as soon as the answer is there"
    )
    price_in: float = _option(
        -1.0,
        "US dollars per million tokens read; -1 takes the known list price",
        low=-1.0,
        high=1000.0,
    )
    price_out: float = _option(
        -1.0,
        "US dollars per million tokens written; -1 takes the known list price",
        low=-1.0,
        high=1000.0,
    )


@dataclass(frozen=True, slots=True)
class Reranking(_Section):
    """What puts candidates in order anew, for the policy `rerank`; a key goes where it was entered
    for.
    """

    rerank_model: str = _option(
        "", "a sentence-transformers cross-encoder, or the model name of the server; empty is none"
    )
    rerank_url: str = _option(
        "",
        "base URL of a server with a rerank route (Cohere, Jina, vLLM, TEI); empty ranks on this"
        " machine",
    )
    rerank_most: int = _option(50, "candidates that are put in order anew", low=5, high=1000)
    rerank_deadline: float = _option(
        5.0, "seconds that it may take; after that the order stays", low=0.1, high=600.0
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole tree."""

    selection: Selection = field(default_factory=Selection)
    weights: Weights = field(default_factory=Weights)
    diversity: Diversity = field(default_factory=Diversity)
    text: Text = field(default_factory=Text)
    encoder: Encoder = field(default_factory=Encoder)
    vectors: Vectors = field(default_factory=Vectors)
    civitai: Civitai = field(default_factory=Civitai)
    hugging_face: HuggingFace = field(default_factory=HuggingFace)
    downloads: Downloads = field(default_factory=Downloads)
    chat: Chat = field(default_factory=Chat)
    reranking: Reranking = field(default_factory=Reranking)


@cache
def options() -> tuple[Option, ...]:
    """Every leaf, in the order of the tree."""
    tree = Settings()
    return tuple(
        _option_of(section.name, getattr(tree, section.name), leaf)
        for section in fields(tree)
        for leaf in fields(getattr(tree, section.name))
    )


def _option_of(section: str, values: Any, leaf: Field[Any]) -> Option:
    meta = leaf.metadata
    bounds = (meta.get("low"), meta.get("high"), tuple(meta.get("choices", ())))
    return Option(section, leaf.name, getattr(values, leaf.name), meta["help"], *bounds)


def with_values(settings: Settings, values: Mapping[str, Mapping[str, Any]]) -> Settings:
    """`settings` with some leaves replaced: {"weights": {"strength": 0.7}}. Unknown names and wrong
    values are refused.
    """
    known = {item.name for item in fields(settings)}
    for section, leaves in values.items():
        if section not in known:
            raise InvalidInput(
                f"There is no group of settings called {section!r}; there are"
                f" {', '.join(sorted(known))}."
            )
        if not isinstance(leaves, Mapping):
            raise InvalidInput(
                f"The settings of {section!r} must be an object with names and values."
            )
        current = getattr(settings, section)
        unknown = sorted(set(leaves) - {item.name for item in fields(current)})
        if unknown:
            raise InvalidInput(f"There is no setting {section}.{unknown[0]}.")
        read = {name: listed(value, getattr(current, name)) for name, value in leaves.items()}
        settings = replace(settings, **{section: replace(current, **read)})
    return settings


def as_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """The tree as plain data; `with_values(Settings(), as_values(s)) == s`."""
    return {
        section.name: {
            leaf.name: getattr(getattr(settings, section.name), leaf.name)
            for leaf in fields(getattr(settings, section.name))
        }
        for section in fields(settings)
    }
