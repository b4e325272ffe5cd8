"""The arguments of the tools, described for a language model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stylus_ext.core.entry import Kind
from stylus_ext.engine.inputs import KeyText, Longest, Name, OperationInput, SearchText, Seed, Whole
from stylus_ext.engine.requests import AdapterType

MOST_CHARACTERS = 20_000
MOST_BATCHES = 16
MOST_ROWS = 50

PromptText = Annotated[str, Longest(MOST_CHARACTERS)]
_FAMILY = (
    "Family of base models, such as sd1, sdxl, pony, illustrious or flux1. Only LoRAs that"
    " work with it are used. Leave it out if you do not know the user's base model."
)


class PlanPromptInput(OperationInput):
    prompt: PromptText = Field(
        description=(
            "The user's prompt for a picture, word by word. LoRA tags and weights in it are kept."
        )
    )
    negative_prompt: PromptText = Field(
        default="", description="What the picture must not show. LoRAs that draw it are not picked."
    )
    family: Name | None = Field(default=None, description=_FAMILY)
    reach: Literal["auto", "disk", "catalogue"] = Field(
        default="auto",
        description=(
            "disk: only LoRAs that the user has. catalogue: all known ones; the answer lists the"
            " missing files, which are not downloaded. auto: disk if the user has any."
        ),
    )
    batches: Whole = Field(
        default=1,
        ge=1,
        le=MOST_BATCHES,
        description="Number of finished prompts, each with another combination of the LoRAs.",
    )
    seed: Seed = Field(default=0, description="Image seed. The same seed gives the same plan.")


class SearchLorasInput(OperationInput):
    text: SearchText = Field(
        default="",
        description="Words of names, trigger words, tags and descriptions. Empty lists all.",
    )
    family: Name | None = Field(default=None, description=_FAMILY)
    kind: Kind | None = Field(default=None, description="Only this kind.")
    type: AdapterType | None = Field(default=None, description="Only this type of adapter.")
    on_disk: bool | None = Field(
        default=None, description="true: only files that the user has. false: only the others."
    )
    offset: Whole = Field(
        default=0, ge=0, le=10_000_000, description="Results to skip, for the next page."
    )
    limit: Whole = Field(default=20, ge=1, le=MOST_ROWS, description="Results to return.")


class ShowLoraInput(OperationInput):
    id: KeyText = Field(
        description="The id from a search or a plan, or the file's name without its ending."
    )


class CatalogueStatusInput(OperationInput):
    """A tool without arguments."""
