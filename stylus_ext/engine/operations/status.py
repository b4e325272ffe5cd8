"""Operations that describe the engine: its status, what leaves the machine, and stored keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.catalogue.sources.local.file_report import report_files
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.family import listed_family
from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import POLICIES, SCHEMES, Reranking, Settings
from stylus_ext.engine.catalogue import checked_folder, few_file_notes
from stylus_ext.engine.encoders import embedding_cost, reranks_for_free
from stylus_ext.engine.language_model import LanguageModel
from stylus_ext.engine.requests import KeysInput, StatusInput
from stylus_ext.engine.services import Services
from stylus_ext.net import safe_url

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

PROTOCOL = 1
_MOST_FILES = 50
_PLACES = {"machine": "on this machine", "network": "in your own network", "elsewhere": "elsewhere"}


def status(stylus: Stylus, operations: Iterable[str], request: StatusInput) -> dict[str, Any]:
    if request.files is not None:
        folder = checked_folder(request.files, "a folder with safetensors files")
        return {"files": [asdict(report) for report in report_files(folder)]}
    catalogue, model = stylus.catalogue, stylus.services.language_model
    notes = [
        *_setting_notes(stylus.settings),
        *catalogue.notes(),
        *few_file_notes(catalogue.file_notes, _MOST_FILES),
        *_model_notes(model),
    ]
    return {
        "version": __version__,
        "protocol": PROTOCOL,
        "data_folder": str(stylus.folder),
        "catalogue": {
            "entries": catalogue.store.search("", Filter(), limit=1).total,
            "on_disk": sum(map(len, catalogue.on_disk.by_type().values())),
            "revision": catalogue.store.revision,
            "in_step": catalogue.embed.is_current(),
        },
        "encoder": catalogue.embedder.name,
        "vectors": stylus.settings.vectors.chroma_url or "in the data folder",
        "chat": _model_json(model),
        "leaves_the_machine": list(_sent_by_itself(stylus)),
        "leaves_on_request": list(_sent_on_request(stylus)),
        "capabilities": {
            "composers": list(model.composers),
            "free_composers": list(model.free_composers),
            "policies": list(POLICIES),
            "free_policies": free_policies(stylus.settings.reranking),
            "schemes": list(SCHEMES),
            "downloads": stylus.downloads.on,
            "operations": sorted(operations),
        },
        "notes": [asdict(note) for note in notes],
    }


def _model_json(model: LanguageModel) -> dict[str, Any] | None:
    if not model.on:
        return None
    return {
        "url": model.key_url,
        "model": model.settings.chat_model,
        "place": model.place,
        "key": model.has_key(),
    }


def _setting_notes(settings: Settings) -> list[Note]:
    """Plans name the checkpoint's base model, which may be unlisted; settings may not."""
    try:
        listed_family(settings.selection.family)
    except InvalidInput as error:
        return [Note("unknown_family", f"The setting selection.family: {error}")]
    return []


def _model_notes(model: LanguageModel) -> list[Note]:
    problem = model.problem
    return (
        [Note("chat_unusable", f"The language model cannot be used: {problem}")] if problem else []
    )


def free_policies(reranking: Reranking) -> list[str]:
    """The policies without a price."""
    free = reranks_for_free(reranking)
    return [policy for policy in POLICIES if policy != "rerank" or free]


def _sent_by_itself(stylus: Stylus) -> Iterable[str]:
    """What leaves the machine during plans and browsing."""
    settings, model = stylus.settings, stylus.services.language_model
    if settings.encoder.endpoint:
        cost = embedding_cost(settings.encoder)
        yield f"prompts and card texts go to {settings.encoder.endpoint} to be embedded{cost}"
    if settings.vectors.chroma_url:
        yield f"vectors and keys of adapters go to {settings.vectors.chroma_url}"
    if _is_remote(model) and settings.selection.composer == "chat":
        yield _sent_to_compose(model)
    if stylus.pictures.on:
        yield (
            "small pictures of adapters in sight that are not on disk are fetched from Civitai's"
            " and Hugging Face's picture hosts, without a key"
        )


def _sent_on_request(stylus: Stylus) -> Iterable[str]:
    """What leaves the machine with a command or an option of a plan."""
    services, settings = stylus.services, stylus.settings
    civitai, model = services.civitai.describe(), services.language_model
    yield (
        f"Searching online: the words, tag and base models that you search for, to {civitai},"
        f" or to {services.hugging_face.describe()} if you choose it"
    )
    yield (
        "Identifying by hash: the SHA256 of your files without a name, and for those it does not"
        f" know, the hash of their tensors, to {civitai}"
    )
    if stylus.downloads.on:
        yield (
            "Downloading, and plans that may download: the numbers or names of the adapters, to"
            f" where their files are, {stylus.downloads.destinations()}"
        )
    if settings.reranking.rerank_url:
        yield (
            "Reranking: the prompt and the texts of"
            f" {settings.reranking.rerank_most} cards, to {safe_url(settings.reranking.rerank_url)}"
        )
    if _is_remote(model):
        yield (
            "Describing better: cards, example pictures and their prompts, to"
            f" {_destination(model)}; pictures come from Civitai and Hugging Face"
        )
        if settings.selection.composer != "chat":
            yield f"Plans by the language model: {_sent_to_compose(model)}"


def _is_remote(model: LanguageModel) -> bool:
    return model.on and model.place != "machine"


def _sent_to_compose(model: LanguageModel) -> str:
    return (
        f"prompts and the short cards of up to {model.settings.cards} candidates go to"
        f" {_destination(model)}"
    )


def _destination(model: LanguageModel) -> str:
    key = ", with your key" if model.has_key() else ""
    return f"{model.key_url} ({_PLACES[model.place]}){key}"


def keys(services: Services, request: KeysInput) -> dict[str, Any]:
    """Enters, deletes or tries the key of one service, then lists which services have one."""
    actions = [name for name in ("enter", "forget", "check") if getattr(request, name)]
    service = request.service
    if len(actions) > 1 or (actions and service is None):
        raise InvalidInput("Name one service, and one of 'enter', 'forget' and 'check'.")
    done = ""
    if service is not None and request.enter:
        done = (
            f"The key was saved. It is sent to {services.enter_key(service, request.enter)} only."
        )
    elif service is not None and request.forget:
        done = "The key is deleted." if services.forget_key(service) else "There was no key."
    elif service is not None and request.check:
        done = services.check_key(service)
    return {"message": done, "keys": [asdict(state) for state in services.key_states()]}
