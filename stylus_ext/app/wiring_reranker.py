"""What is wired to a reranker and to the keys of encoders: settings and a data folder go in; the reranker, if one is set, comes out."""

from __future__ import annotations

import os
from pathlib import Path

from stylus_ext.backends.chat.endpoint import OPENAI
from stylus_ext.backends.embedders.model_files import model_files
from stylus_ext.backends.http import key_for, origin_of
from stylus_ext.backends.rerankers import RERANK_KEY, reranker_for
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Reranker
from stylus_ext.core.settings import Encoder, Settings

ENCODER_KEY = "STYLUS_ENCODER_KEY"  # the key of the embeddings endpoint; it goes nowhere else
OPENAI_KEY = "OPENAI_API_KEY"  # the key that OpenAI's own tools read; it goes to OpenAI alone


def reranker_of(folder: Path, settings: Settings) -> Reranker | None:
    return reranker_for(
        settings.reranking, settings.encoder.device, lambda model: model_files(model).folder, lambda url: key_for(folder, url, RERANK_KEY)
    )


def encoder_key(encoder: Encoder) -> str:
    """What was entered for embeddings; OpenAI's own only where they are the ones who embed."""
    stated = os.environ.get(ENCODER_KEY, "")
    if stated or not encoder.endpoint:
        return stated
    try:
        return os.environ.get(OPENAI_KEY, "") if origin_of(encoder.endpoint) == OPENAI else ""
    except InvalidInput:  # the encoder itself says what is wrong with its address
        return ""
