"""The composition root: opens a data folder and builds the services over it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.catalogue.embedders import EndpointEmbedder, NotingRetriever, embedder_for
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.feedback import Feedback
from stylus_ext.core.ports import Composer, Retriever
from stylus_ext.core.recipes import Recipes
from stylus_ext.core.settings import Settings
from stylus_ext.engine.catalogue import Catalogue
from stylus_ext.engine.downloads import CardPictures, Downloads
from stylus_ext.engine.encoders import encoder_key, open_index, open_reranker
from stylus_ext.engine.first_steps import FirstSteps
from stylus_ext.engine.measuring import MeasuringProcess
from stylus_ext.engine.probes import ProbePreviews
from stylus_ext.engine.services import Services
from stylus_ext.net.thumbnails import KeptPictures
from stylus_ext.selection.compose.baselines import PolicyComposer
from stylus_ext.selection.correct import FeedbackComposer
from stylus_ext.selection.plan import PlanPrompt, PlanRequest
from stylus_ext.selection.recipes import FindRecipes
from stylus_ext.selection.retrieve.retrievers import retriever_for


def freeze_gc() -> None:
    """Excludes everything loaded so far from garbage collection.

    A full collection would walk through it for a third of a second in the middle of a plan. What
    was frozen before and is garbage by now is collected first.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@contextmanager
def no_gc() -> Iterator[None]:
    """Turns garbage collection off while much is loaded that stays; saves a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class PlanService:
    """Plans prompts; makes retrievers and composers by name."""

    plan: PlanPrompt
    retriever: Callable[[str], Retriever]
    composer: Callable[[str], Composer]


@dataclass(frozen=True, slots=True)
class UserData:
    """The user's feedback and recipes."""

    feedback: Feedback
    recipes: Recipes
    find_recipes: FindRecipes


@dataclass(frozen=True, slots=True)
class Stylus:
    """The services over one data folder."""

    folder: Path
    settings: Settings
    catalogue: Catalogue
    planner: PlanService
    services: Services
    downloads: Downloads
    pictures: CardPictures
    user_data: UserData
    first_steps: FirstSteps
    measuring: MeasuringProcess
    close: Callable[[], None]

    def warm(self) -> None:
        """Plans a prompt, so that the user's first one does not wait for what is loaded once.

        A remote encoder is not asked: nothing leaves the machine without a request.
        """
        if not self.settings.encoder.endpoint:
            self.planner.plan(PlanRequest("a photo of a cat"))
            self.catalogue.names()
        freeze_gc()


def open_stylus(
    folder: Path, settings: Settings, holder: Callable[[], str] | None = None
) -> Stylus:
    """`holder` names the process that holds a locked data folder."""
    store = SqliteStore(folder, holder=holder)
    embedder = embedder_for(settings.encoder, encoder_key(folder, settings.encoder))

    def close_store() -> None:
        store.close()
        if isinstance(embedder, EndpointEmbedder):
            embedder.close()

    try:
        questions, index = open_index(folder, embedder, settings)
    except BaseException:
        close_store()
        raise
    catalogue = Catalogue(folder, store, index, embedder, questions)
    services = Services(folder, settings)
    pictures = CardPictures(
        KeptPictures(folder / "pictures"),
        settings.downloads.thumbnails,
        store.memory,
        ProbePreviews(folder),
    )
    feedback = store.verdicts
    find = retriever_for(
        store, index, questions, folder / "lexical", open_reranker(folder, settings)
    )

    def retriever(policy: str) -> Retriever:
        return NotingRetriever(find(policy), questions)

    def composer(name: str) -> Composer:
        model = services.language_model
        composer = model.composer() if name == "chat" else PolicyComposer()
        return FeedbackComposer(composer, store, feedback)

    plan = PlanPrompt(
        store, retriever, composer, lambda: f"{index.mark} {feedback.mark}", catalogue.names
    )

    def close() -> None:
        index.close()
        services.close()
        pictures.close()
        close_store()

    return Stylus(
        folder=folder,
        settings=settings,
        catalogue=catalogue,
        planner=PlanService(plan, retriever, composer),
        services=services,
        downloads=Downloads(
            folder,
            settings.downloads,
            services.civitai,
            services.hugging_face,
            store.resolve,
        ),
        pictures=pictures,
        user_data=UserData(feedback, store.recipes, FindRecipes(questions)),
        first_steps=FirstSteps(folder),
        measuring=MeasuringProcess(),
        close=close,
    )
