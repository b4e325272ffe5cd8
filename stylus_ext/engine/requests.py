"""The input of each operation as a pydantic model; the one place that checks requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK
from stylus_ext.core.captions import Interrogator
from stylus_ext.core.entry import KINDS, Kind, State
from stylus_ext.core.ports import Order
from stylus_ext.core.recipes import LONGEST_PROMPT
from stylus_ext.core.refining import MOST_AT_ONCE, MOST_PICTURES
from stylus_ext.core.sources import MOST_MODELS
from stylus_ext.engine.inputs import (
    FolderText,
    InputPart,
    KeyText,
    Longest,
    Name,
    OperationInput,
    Prompt,
    SearchText,
    Seconds,
    Seed,
    Stem,
    Weight,
    Whole,
    whole_number,
)
from stylus_ext.selection.plan import MOST_BATCHES, MOST_CHARACTERS

OwnTag = Annotated[str, Longest(200)]
MOST_OWN_TAGS = 50
AdapterType = Literal["lora", "embedding", "hypernetwork"]
REACHES = ("auto", "disk", "catalogue")


class NoInput(OperationInput):
    """An operation without fields."""


class NotFetchedInput(InputPart):
    """An adapter whose download failed, and why."""

    key: KeyText
    text: Annotated[str, Longest(2000)]


class KeptInput(InputPart):
    """A pick that the user keeps."""

    key: KeyText
    weight: Weight | None = None
    task: Whole | None = Field(default=None, ge=0, le=MOST_CHARACTERS)
    pinned: bool = False


class CorrectionsInput(InputPart):
    """The user's corrections of a plan."""

    reject: list[KeyText] = Field(default=[], max_length=200)
    swap: list[KeyText] = Field(default=[], max_length=200)
    keep: list[KeptInput] = Field(default=[], max_length=50)
    only: bool = False


class HostStepsInput(InputPart):
    """The steps of the shortest pass, and how many changes of weights the host can do in it."""

    steps: Whole = Field(ge=1, le=10_000)
    changes: Whole = Field(ge=0, le=10_000)


class OtherFoldersInput(OperationInput):
    """The folders of adapters that are no LoRAs."""

    embedding_dirs: list[FolderText] = Field(default=[], max_length=64)
    hypernetwork_dirs: list[FolderText] = Field(default=[], max_length=64)

    @property
    def others(self) -> dict[str, list[str]]:
        found = {EMBEDDING: self.embedding_dirs, HYPERNETWORK: self.hypernetwork_dirs}
        return {name: folders for name, folders in found.items() if folders}


class ReachInput(OtherFoldersInput):
    """Settings of plans, and which adapters they may pick.

    `stems` are the LoRAs that the host lists, `embeddings` and `hypernetworks` those that it has
    loaded; without a list of LoRAs all on disk may be picked.
    """

    settings: dict[str, Any] = {}
    lora_dirs: list[FolderText] = Field(default=[], max_length=64)
    stems: list[Stem] | None = Field(default=None, max_length=200_000)
    embeddings: list[Stem] | None = Field(default=None, max_length=200_000)
    hypernetworks: list[Stem] | None = Field(default=None, max_length=200_000)
    inventory: Name | None = None
    reach: Literal["auto", "disk", "catalogue"] = "auto"


class PlanningInput(ReachInput):
    """What a plan and a generation have in common."""

    batch_size: Whole = Field(default=1, ge=1, le=1024)
    downloads: bool = False
    without: list[NotFetchedInput] | None = Field(default=None, max_length=10_000)
    corrections: CorrectionsInput | None = None
    host_steps: HostStepsInput | None = None
    deadline_s: Seconds | None = None


class PlanInput(PlanningInput):
    prompt: Prompt
    negative_prompt: Prompt = ""
    seed: Seed = 0
    batches: Whole = Field(default=1, ge=1, le=MOST_BATCHES)
    seeds: list[Seed] | None = Field(default=None, max_length=MOST_BATCHES)


class ImageTextsInput(InputPart):
    """The texts of one or more images."""

    prompt: Prompt
    negative_prompt: Prompt
    hires_prompt: Prompt | None = None
    hires_negative_prompt: Prompt | None = None


class GenerationInput(PlanningInput):
    """`images` refers to `prompts` by place; `seeds` has one for each image."""

    prompts: list[ImageTextsInput] = Field(max_length=10_000)
    images: list[Annotated[int, Field(ge=0, le=9_999), BeforeValidator(whole_number)]] = Field(
        max_length=100_000
    )
    seeds: list[Seed] = Field(max_length=100_000)
    wait_for_folders: bool = False
    description: Prompt = ""
    allowed_kinds: list[Kind] | None = Field(default=None, max_length=len(KINDS))
    compare: bool = False
    with_plans: bool = False
    planning_s: Seconds | None = None


class FoldersInput(OtherFoldersInput):
    lora_dirs: list[FolderText] = Field(max_length=64)
    wait: bool = False
    deadline_s: Seconds | None = None


class StatusInput(OperationInput):
    """`files` is a folder whose files are described in place of the engine."""

    files: FolderText | None = None


class RehearseInput(ReachInput):
    folders: list[FolderText] = Field(max_length=64)
    count: Whole = Field(default=50, ge=1, le=500)


class ListedFileInput(InputPart):
    """One file of a host's inventory."""

    stem: Stem
    sha256: Name = ""
    auto_v3: Name = ""
    family: Name = ""
    type: AdapterType = "lora"


class InventoryInput(OperationInput):
    items: list[ListedFileInput] | None = Field(default=None, max_length=100_000)
    inventory: Name | None = None


class IndexInput(OtherFoldersInput):
    lora_dirs: list[FolderText] = Field(default=[], max_length=64)
    learn: list[FolderText] = Field(default=[], max_length=64)
    hash: bool = True


class SearchInput(OperationInput):
    text: SearchText = ""
    family: Name | None = None
    kind: Kind | None = None
    type: AdapterType | None = None
    state: State | None = None
    on_disk: bool | None = None
    offset: Whole = Field(default=0, ge=0, le=10_000_000)
    limit: Whole = Field(default=20, ge=1, le=500)


class BrowseInput(SearchInput):
    refined: bool | None = None
    bare: bool | None = None
    favourite: bool | None = None
    used: bool | None = None
    order: Order = "name"
    counts: bool = False
    limit: Whole = Field(default=40, ge=1, le=200)


class CardsInput(OperationInput):
    keys: list[KeyText] = Field(max_length=500)


class KeyInput(OperationInput):
    """The key of one adapter."""

    key: KeyText


class CardPicturesInput(OperationInput):
    """`allow` of null only asks."""

    allow: bool | None = None


class SimilarInput(KeyInput):
    limit: Whole = Field(default=8, ge=1, le=50)


class EditInput(KeyInput):
    state: State | None = None
    text: Annotated[str, Longest(20_000)] | None = None
    triggers: list[Annotated[str, Longest(2000)]] | None = Field(default=None, max_length=100)
    weight: Weight | None = None
    kind: Kind | None = None
    favourite: bool | None = None
    tags: list[OwnTag] | None = Field(default=None, max_length=MOST_OWN_TAGS)
    note: Annotated[str, Longest(20_000)] | None = None
    undo: bool = False


class MarkInput(OperationInput):
    """What is changed of several entries at once."""

    keys: list[KeyText] = Field(max_length=1000)
    state: State | None = None
    favourite: bool | None = None
    add_tags: list[OwnTag] = Field(default=[], max_length=MOST_OWN_TAGS)
    remove_tags: list[OwnTag] = Field(default=[], max_length=MOST_OWN_TAGS)


class VerdictInput(KeyInput):
    prompt: Prompt
    wrong: bool = True


class RecipesInput(OperationInput):
    keep: list[dict[str, Any]] | None = Field(default=None, max_length=1000)
    forget: SearchText | None = None
    like: Annotated[str, Longest(LONGEST_PROMPT)] | None = None


class FirstStepsInput(OperationInput):
    """`skip` replaces the list of skipped steps."""

    skip: list[Literal["read", "identify", "learn", "catalogue", "language_model"]] | None = Field(
        default=None, max_length=10
    )


class KeysInput(OperationInput):
    """At most one of `enter`, `forget` and `check`."""

    service: Literal["civitai", "hugging_face", "chat"] | None = None
    enter: KeyText | None = None
    forget: bool = False
    check: bool = False


class SyncInput(OperationInput):
    source: Literal["civitai", "huggingface"] = "civitai"
    query: Annotated[str, Longest(200)] = ""
    tag: Annotated[str, Longest(100)] = ""
    base_models: list[Annotated[str, Longest(100)]] = Field(default=[], max_length=50)
    top: Whole = Field(default=0, ge=0, le=MOST_MODELS)
    nsfw: bool = False
    examples: bool = False
    afresh: bool = False


class IdentifyInput(OtherFoldersInput):
    lora_dirs: list[FolderText] = Field(max_length=64)
    again: bool = False


class RefineInput(OperationInput):
    at_once: Whole = Field(default=4, ge=1, le=MOST_AT_ONCE)
    per_minute: float = Field(default=0.0, ge=0.0, le=100_000.0)
    most: Whole | None = Field(default=None, ge=0, le=10_000_000)
    dollars: float | None = Field(default=None, ge=0.0, le=100_000.0)
    tokens: Whole | None = Field(default=None, ge=0, le=10**12)
    pictures: Whole = Field(default=3, ge=0, le=MOST_PICTURES)
    fetch_pictures: bool = True
    on_disk: bool = False
    again: bool = False
    keys: list[KeyText] | None = Field(default=None, max_length=10_000)
    dry_run: bool = False


class CaptionTargetsInput(OperationInput):
    """`most` bounds the list of targets, not their count."""

    interrogators: list[Interrogator] = Field(max_length=10)
    most: Whole = Field(default=200, ge=0, le=10_000)


class CaptionInput(KeyInput):
    """Without a path the LoRA is described. Without captions those of the content are asked for;
    an empty `sha256` marks a file that is no picture.
    """

    path: FolderText | None = None
    sha256: Annotated[str, Longest(64)] = ""
    captions: dict[Interrogator, Annotated[str, Longest(5000)]] | None = None


class ImportInput(OperationInput):
    """`vectors`: take published vectors where the encoder is theirs; `chroma`: copy them into
    Chroma; `embed`: make the missing ones.
    """

    format: Literal["stylusdocs"]
    folder: FolderText
    vectors: bool = True
    chroma: bool = False
    embed: bool = True


class FetchInput(OtherFoldersInput):
    keys: list[KeyText]
    lora_dirs: list[FolderText] = Field(default=[], max_length=64)
    dry_run: bool = False


class DiscardInput(OperationInput):
    keys: list[KeyText] | None = Field(default=None, max_length=1000)
    days: Whole = Field(default=30, ge=1, le=3650)
    dry_run: bool = False
