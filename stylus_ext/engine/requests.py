"""The input of each operation as a pydantic model; the one place that checks requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from stylus_ext.core.entry import KINDS, Kind, State
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Order
from stylus_ext.core.recipes import LONGEST_PROMPT
from stylus_ext.core.refining import MOST_AT_ONCE, MOST_PICTURES
from stylus_ext.core.sources import MOST_MODELS
from stylus_ext.selection.plan import MOST_BATCHES, MOST_CHARACTERS

_SHOWN = 60
_Input = TypeVar("_Input", bound="OperationInput")

_MESSAGES = {
    "string_type": "{field} must be text.",
    "int_type": "{field} must be a whole number.",
    "float_type": "{field} must be a number.",
    "finite_number": "{field} must be a finite number.",
    "bool_type": "{field} must be true or false.",
    "list_type": "{field} must be a list.",
    "dict_type": "{field} must be an object.",
    "model_type": "{field} must be an object.",
    "model_attributes_type": "{field} must be an object.",
    "missing": "The field {field} is missing.",
    "extra_forbidden": "Unknown field {field}. The fields of this request: {names}.",
    "greater_than_equal": "{field} must be at least {ge:,}.",
    "less_than_equal": "{field} must be at most {le:,}.",
    "literal_error": "{field} must be {expected}.",
    "too_long": "{field} is too long: {actual_length:,}, and at most {max_length:,} is read.",
}
_MESSAGES["string_too_long"] = _MESSAGES["too_long"]


class InputPart(BaseModel):
    """A JSON object: unknown fields are errors, null stands for the default."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, payload: Any) -> Any:
        if not isinstance(payload, Mapping):
            return payload
        return {name: value for name, value in payload.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        found = handler(schema)
        described = handler.resolve_ref_schema(found)
        properties = described.get("properties", {})
        for name in properties.keys() - set(described.get("required", ())):
            if {"type": "null"} not in properties[name].get("anyOf", ()):
                properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
        return found


class OperationInput(InputPart):
    """The whole input of an operation; a mistake raises `InvalidInput`."""

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, payload: Any, check: ModelWrapValidatorHandler[_Input]) -> _Input:
        if not isinstance(payload, Mapping):
            raise InvalidInput("A request is a JSON object.")
        try:
            return check(payload)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            # A misspelt field comes before the missing one that it stands for.
            first = min(errors, key=lambda found: found["type"] != "extra_forbidden")
            raise InvalidInput(_message(first, cls)) from error


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    field = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN]}" for part in error["loc"]
    ).lstrip(".")
    names = ", ".join(model.model_fields) or "none"
    message = _MESSAGES.get(error["type"], f"{{field}}: {error['msg']}.")
    return message.format(field=repr(field), names=names, **error.get("ctx", {}))


@dataclass(frozen=True, slots=True)
class Longest:
    """Limits the length of a text. Unlike pydantic's own limit it accepts lone surrogates, which
    prompts may contain.
    """

    length: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "maxLength": self.length}

    def _check(self, text: str) -> str:
        if len(text) > self.length:
            context = {"actual_length": len(text), "max_length": self.length}
            raise PydanticCustomError("string_too_long", "too long", context)
        return text


def _whole(value: Any) -> Any:
    """JSON has one type of number: 2.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
KeyText = Annotated[str, Longest(4096)]
FolderText = Annotated[str, Longest(4096)]
Prompt = Annotated[str, Longest(MOST_CHARACTERS)]
SearchText = Annotated[str, Longest(1000)]
Name = Annotated[str, Longest(64)]
Stem = Annotated[str, Longest(1024)]
LAST_SEED = 2**63 - 1
LONGEST_S = 3600.0
Seed = Annotated[int, Field(ge=0, le=LAST_SEED), BeforeValidator(_whole)]
Seconds = Annotated[float, Field(ge=0.0, le=LONGEST_S)]
Weight = Annotated[float, Field(ge=-5.0, le=5.0)]
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


class ReachInput(OperationInput):
    """Settings of plans, and which adapters they may pick."""

    settings: dict[str, Any] = {}
    lora_dirs: list[FolderText] = Field(default=[], max_length=64)
    stems: list[Stem] | None = Field(default=None, max_length=200_000)
    inventory: Name | None = None
    reach: Literal["auto", "disk", "catalogue"] = "auto"


class PlanningInput(ReachInput):
    """What a plan and a generation have in common."""

    batch_size: Whole = Field(default=1, ge=1, le=1024)
    downloads: bool = False
    without: list[NotFetchedInput] | None = Field(default=None, max_length=100)
    corrections: CorrectionsInput | None = None
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
    images: list[Annotated[int, Field(ge=0, le=9_999), BeforeValidator(_whole)]] = Field(
        max_length=100_000
    )
    seeds: list[Seed] = Field(max_length=100_000)
    wait_for_folders: bool = False
    description: Prompt = ""
    allowed_kinds: list[Kind] | None = Field(default=None, max_length=len(KINDS))
    compare: bool = False
    with_plans: bool = False
    planning_s: Seconds | None = None


class FoldersInput(OperationInput):
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


class InventoryInput(OperationInput):
    items: list[ListedFileInput] | None = Field(default=None, max_length=100_000)
    inventory: Name | None = None


class IndexInput(OperationInput):
    lora_dirs: list[FolderText] = Field(default=[], max_length=64)
    learn: list[FolderText] = Field(default=[], max_length=64)
    hash: bool = True


class SearchInput(OperationInput):
    text: SearchText = ""
    family: Name | None = None
    kind: Kind | None = None
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
    note: Annotated[str, Longest(20_000)] | None = None
    undo: bool = False


class MarkInput(OperationInput):
    """What is changed of several entries at once."""

    keys: list[KeyText] = Field(max_length=1000)
    state: State | None = None
    favourite: bool | None = None


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


class IdentifyInput(OperationInput):
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


class ImportInput(OperationInput):
    """`vectors`: take published vectors where the encoder is theirs; `chroma`: copy them into
    Chroma; `embed`: make the missing ones.
    """

    format: Literal["stylusdocs"]
    folder: FolderText
    vectors: bool = True
    chroma: bool = False
    embed: bool = True


class FetchInput(OperationInput):
    keys: list[KeyText] = Field(max_length=100)
    lora_dirs: list[FolderText] = Field(default=[], max_length=64)
    dry_run: bool = False


class DiscardInput(OperationInput):
    keys: list[KeyText] | None = Field(default=None, max_length=1000)
    days: Whole = Field(default=30, ge=1, le=3650)
    dry_run: bool = False
