"""Cleans untrusted text for a prompt: one line of plain words, without instructions to the model.

It is not the only guard: answers are checked against what was shown.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+|[\r\n]+|\s[-–—•*]+\s")
_SYNTAX = str.maketrans({sign: " " for sign in "|<>{}[]`\\=\u2028\u2029"})
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_TO_US = re.compile(r"""(?ix)
    \b(?:ignore|disregard|forget|override|bypass|skip|overlook|neglect)\b.{0,60}
        \b(?:rules?|instructions?|prompts?|above|previous|prior|earlier|others?|limits?|everything|guidelines?|constraints?|list|task)\b
    | \b(?:choose|pick|select|prefer|take|include|rank|recommend|insert|return|output|assign|give)\b.{0,40}
        \b(?:me|this|itself|first|always|every|all|number|id|nothing\ else|no\ other|only)\b
    | \b(?:must|always|shall|should|has\ to|have\ to)\s+(?:\w+\s+)?(?:be\s+)?(?:chosen|picked|selected|used|included|use|choose|pick|select|include|win)\b
    | \b(?:system|assistant|user|developer|admin)\b\s*(?::|prompt|message|role|note|override|instruction)
    | \b(?:you\ are|you\ must|you\ will|you\ have\ to|you\ should|your\ (?:task|rules?|instructions?|job|answer|output))\b
    | \b(?:as\ an?\ ai|language\ models?|llms?|chat\ ?gpt|gpt-?\d\w*|claude|gemini|prompt\ injection|jailbreak|composer|the\ model\ reading)\b
    | \b(?:answer|respond|reply|output|return|write|print)\b.{0,40}\b(?:with|only|exactly|json|following|yes|number|tasks?)\b
    | \b(?:new|important|updated|secret|hidden|real|actual)\s+(?:rules?|instructions?|orders?|policy)\b
    | \b(?:end|begin|start)\s+of\s+(?:the\s+)?(?:data|list|cards?|adapters?|prompt|instructions?)\b
    | \bweights?\b\s*(?:of|to|is)?\s*:?\s*-?\d
    | \b(?:tasks|adapters|prune|reason)"?\s*:
    | ignorier\w*\s|ignora\w*\s|ignorez\s|игнорир|忽略|无视|無視|忘れ|選んで|选择我|選擇我|무시
    """)  # noqa: E501


@lru_cache(maxsize=4096)
def plain(text: str, most: int) -> str:
    """One line of at most `most` characters, without sentences that address the model."""
    cleaned = unicodedata.normalize("NFKC", text[: 20 * most])
    cleaned = "".join(
        sign
        for sign in cleaned
        if unicodedata.category(sign) not in ("Cf", "Cc", "Co", "Cs", "Cn") or sign.isspace()
    )
    kept = [part for part in _SENTENCES.split(_LINK.sub(" ", cleaned)) if not addresses_model(part)]
    line = " ".join(" ".join(kept).translate(_SYNTAX).split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0]


def addresses_model(text: str) -> bool:
    """Whether a sentence seems to address the model and not the user of the adapter."""
    spaced = " ".join(re.sub(r"[_\-*~.]+", " ", text).split())
    return any(_TO_US.search(variant) is not None for variant in (text, spaced, _joined(spaced)))


def fenced(lines: Sequence[str]) -> str:
    """The lines between two marks that they cannot contain: the marks are made from their hash."""
    text = "\n".join(lines)
    mark = f"=== data {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]} ==="
    return f"{mark}\n{text}\n{mark}"


def _joined(text: str) -> str:
    """Join letters written apart, as in "i g n o r e"."""
    return re.sub(r"\b(?:\w ){3,}\w\b", lambda found: found.group().replace(" ", ""), text)
