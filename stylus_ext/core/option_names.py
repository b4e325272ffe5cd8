"""Names of the options, as groups in the order of the WebUI's settings page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """A section of the page. A key is `section.name`, or a bare name for the WebUI's side."""

    title: str
    about: str
    names: Mapping[str, str]


EVERYDAY = (
    OptionGroup(
        "LoRAs",
        "The panel starts with these values of Max LoRAs and Strength.",
        {
            "selection.max_adapters": "Max LoRAs",
            "weights.strength": "Strength",
            "selection.strictness": "Certainty",
            "selection.nsfw": "Allow NSFW LoRAs for every prompt",
            "selection.deny_folders": "Folders to ignore",
            "text.triggers": "Add trigger words",
        },
    ),
    OptionGroup(
        "Internet",
        "Nothing is fetched until you turn it on. A change restarts the engine.",
        {
            "downloads.download": "Allow downloads",
            "downloads.thumbnails": "Show pictures of LoRAs that are not on disk",
        },
    ),
    OptionGroup(
        "Language model",
        "Optional; the built-in rules work without one. A change restarts the engine.",
        {
            "chat.chat_url": "Address of the chat server",
            "chat.chat_model": "Chat model",
        },
    ),
    OptionGroup(
        "Engine",
        "It plans beside the WebUI, and is else started when you tick the box.",
        {"start_early": "Start the engine with the WebUI"},
    ),
)
ADVANCED = (
    OptionGroup(
        "Choice",
        "Which LoRAs may be chosen, and how they are found.",
        {
            "selection.per_task": "Max LoRAs per concept",
            "selection.max_styles": "Max style LoRAs",
            "selection.family": "Base model",
            "selection.partial": "Also use related base models",
            "selection.allow_folders": "Folders to use",
            "selection.allow_tags": "Tags to use",
            "selection.deny_tags": "Tags to ignore",
            "selection.formats": "Formats of LoRA files",
            "selection.negative_embedding": "Negative embedding",
            "selection.prune": "Ignore poorly documented LoRAs",
            "selection.composer": "Composer",
            "selection.policy": "Search method",
            "selection.candidates": "Number of candidates",
            "diversity.scheme": "Vary LoRAs between batches",
        },
    ),
    OptionGroup(
        "Weights and text",
        "What is written into the prompt.",
        {
            "weights.default_weight": "Default weight",
            "weights.total_cap": "Limit for the sum of weights",
            "weights.paper_factor": "Weights of the paper's code",
            "combination.combine": "How LoRAs are combined",
            "combination.switch_steps": "Steps until the next LoRA acts",
            "text.negative_text": "Add negative prompt text",
            "text.debias": "Text to add",
            "text.emphasis": "Emphasis of concepts without a LoRA",
            "inpaint_styles": "Inpainting with style and background LoRAs",
            "describe": "Describe the picture if the prompt is empty (img2img)",
        },
    ),
    OptionGroup(
        "Search by meaning",
        "The model that compares texts. A change restarts the engine.",
        {
            "encoder.model": "Embedding model",
            "encoder.endpoint": "Address of an embeddings server",
            "encoder.dimensions": "Vector length",
            "encoder.device": "Device",
            "encoder.threads": "Threads",
            "vectors.chroma_url": "Address of a Chroma server",
            "vectors.exact_below": "Largest exact search",
        },
    ),
    OptionGroup(
        "Reranking",
        "A second model that reorders candidates. A change restarts the engine.",
        {
            "reranking.rerank_model": "Reranking model",
            "reranking.rerank_url": "Address of a rerank server",
            "reranking.rerank_most": "Candidates to rerank",
            "reranking.rerank_deadline": "Time for reranking (seconds)",
        },
    ),
    OptionGroup(
        "Language model: details",
        "Used only with a chat server. A change restarts the engine.",
        {
            "chat.temperature": "Temperature",
            "chat.chat_deadline": "Time for one composition (seconds)",
            "chat.cards": "Cards shown to the model",
            "chat.prune_again": "Second question about its picks",
            "chat.chat_release": "Free graphics memory after an answer (Ollama)",
            "chat.price_in": "Price per million tokens read (US dollars)",
            "chat.price_out": "Price per million tokens written (US dollars)",
        },
    ),
    OptionGroup(
        "Downloads: limits",
        "Used only if downloads are allowed. A change restarts the engine.",
        {
            "downloads.largest_mb": "Largest file (MB)",
            "downloads.quota_gb": "All downloaded files together (GB)",
            "downloads.keep_free_gb": "Disk space to keep free (GB)",
            "downloads.at_once": "Downloads at the same time",
            "downloads.by_family": "Subfolders by base model",
            "downloads.unhashed": "Allow files without a known hash",
            "fetch_minutes": "Wait for downloads (minutes)",
        },
    ),
    OptionGroup(
        "Civitai and Hugging Face",
        "Asked only on request. A change restarts the engine.",
        {
            "civitai.civitai_url": "Address of Civitai",
            "civitai.civitai_files_url": "Address of Civitai's files",
            "civitai.request_interval": "Pause between requests to Civitai (seconds)",
            "hugging_face.hugging_face_url": "Address of Hugging Face",
            "hugging_face.hugging_face_interval": (
                "Pause between requests to Hugging Face (seconds)"
            ),
        },
    ),
    OptionGroup(
        "Engine: details",
        "How long pictures wait for it, and where it is.",
        {
            "ready_s": "Time to start (seconds)",
            "cold_s": "Time for the first plan (seconds)",
            "warm_s": "Time for later plans (seconds)",
            "chat_s": "Extra time with a language model (seconds)",
            "engine_url": "Address of a shared engine",
            "data_folder": "Data folder",
        },
    ),
)


def name_of_option(section: str, name: str) -> str:
    """The written name of a setting."""
    return _NAMES[f"{section}.{name}"]


_NAMES = {key: name for group in (*EVERYDAY, *ADVANCED) for key, name in group.names.items()}
