"""Cleans untrusted text for a prompt: one line of plain words, without instructions to the model.

It is not the only guard: answers are checked against what was shown.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from stylus_ext.llm.foreign_instructions import FOREIGN

_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+|[\r\n]+|\s[-–—•*]+\s")
_SYNTAX = str.maketrans({sign: " " for sign in "|<>{}[]`\\=\u2028\u2029"})
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)

_INSTRUCTION = re.compile(rf"""(?ix)
    \b(?:ignore|disregard|(?<!n't\ )(?<!n’t\ )forget|override|bypass|overlook|neglect|dismiss|discard|set\ aside|skip(?=\ (?:the|these|all)\ (?:rules|instructions))|stop\ (?:obeying|following)
        |(?:do\ not|don'?t|never|no\ longer)\ (?:follow|obey|heed|consider|listen|apply|mind)|pay\ no\ attention\ to)\b.{{0,60}}
        \b(?:rules?|instructions?|prompts?|above|previous|prior|earlier|others?|limits?|everything|guidelines?|constraints?|list|tasks?
        |orders?|told|directions?|polic(?:y|ies)|safety|context)\b
    | (?:^|[\s("'*\[])(?:system|assistant|developer|admin)\s*(?::|\b(?:prompts?|messages?|override|instructions?|notice)\b)
    | <\|?\s*/?\s*(?:im_start|im_end|system|user|assistant|inst|eot_id|endoftext)\b | \[/?INST\] | \#\#\#\s*(?:system|instruction|response)
    | \bas\ an?\ (?:ai|llm|language\ model|assistant)\b
    | \b(?:dear|hey|hello|hi|attention|note\ to(?:\ the)?|message\ (?:to|for)(?:\ the)?)[,:]?\s+(?:ai|llm|models?(?=\s*[,:])|assistant|composer|selector|machine|agent|chatbot|bot)\b
    | \b(?:large\ )?language\ models?\b | \bllms?\b | \bchat\ ?gpt\b | \bprompt\ injection\b | \bjailbreak | \bthe\ model\ reading\b
    | \b(?:you\ are\ (?:now|no\ longer|an?\ (?:ai|assistant|llm|helpful|evil|free))|your\ (?:new\ )?(?:task|rules?|instructions?|job|answer|output|role|orders?))\b
    | \b(?:pretend|imagine|suppose|assume|act|behave|respond|answer|speak)\b.{{0,25}}\b(?:you\ are|you're|as\ (?:if|though)\ you|as\ (?:an?\ |the\ )?(?:ai|dan|assistant|model|system|admin|developer|expert|selector))\b
    | \b(?:role-?\ ?play|from\ now\ on|developer\ mode|debug\ mode|god\ mode|do\ anything\ now|simulate\ (?:an?|the)\ (?:ai|assistant|model))\b
    | \b(?:answer|respond|reply|output|return|print)\b.{{0,40}}\b(?:only|exactly|json|yes|number|tasks?|nothing|empty|this\ id)\b
    | \b(?:new|updated|secret|hidden|real|actual|revised|additional|final)\s+(?:rules?|instructions?|orders?|directives?|polic(?:y|ies))\b
    | \b(?:important|critical|urgent)\s+(?:instructions?|orders?|directives?)\b
    | \b(?:end|begin|beginning|start)\s+of\s+(?:the\s+|these\s+)?(?:data|list|cards?|adapters?|prompts?|instructions?|input|context|fence)\b
    | \b(?:tasks|adapters|prune|reason)"\s*:
    | {FOREIGN}
    """)  # noqa: E501
"""Phrases addressed to a language model. They have no place in a card."""

_URGING = re.compile(r"""(?ix)
    \b(?:choose|pick|select|prefer|take|include|rank|recommend|insert|assign|give|list|put|place|score|rate)\b.{0,40}
        \b(?:me|this|itself|myself|first|always|every|all|number|id|nothing\ else|no\ other|only|top)\b
    | \b(?:must|always|shall|should|has\ to|have\ to|needs?\ to|ought\ to)\s+(?:\w+\s+)?(?:be\s+)?
        (?:chosen|picked|selected|used|included|ranked|preferred|use|choose|pick|select|include|prefer|rank|win)\b
    | \b(?:user)\b\s*(?::|message|role|note|override|instruction)
    | \b(?:you\ are|you\ must|you\ will|you\ have\ to|you\ should|you'd\ better)\b
    | \b(?:gpt-?\d\w*|claude|gemini|composer)\b
    | \b(?:write)\b.{0,40}\b(?:with|only|exactly|json|following|yes|number|tasks?)\b
    | \b(?:answer|respond|reply|output|return)\b.{0,40}\b(?:with|following)\b
    | \bimportant\s+(?:rules?|policy)\b
    | \bweights?\b\s*(?:of|to|is)?\s*:?\s*-?\d
    | \b(?:tasks|adapters|prune|reason)\s*:
    | \b(?:only|sole|single|one|correct|right|valid|best|mandatory|required|obligatory)\s+(?:valid|correct|possible|allowed|right|permitted|acceptable|true|real)?\s*
        (?:adapter|choice|answer|option|candidate|selection|pick|match)\b
    | \b(?:all|every|the)\ (?:other|remaining)\ (?:adapters?|cards?|loras?|candidates?|options?)\b
    | \b(?:fits?|suits?|matches|works\ for|valid\ for|mandatory\ (?:for|in)|required\ (?:for|by|in)|needed\ (?:for|by|in))\s+(?:every|any|all|each)\s+(?:prompts?|tasks?|requests?|images?|pictures?)\b
    | \bi\ (?:am|should\ be)\ the\ (?:best|right|correct|only)\b
    """)  # noqa: E501
"""Phrases that urge the reader to choose an adapter. A card may use them as advice to people."""

_JOINED = re.compile(
    r"(?:ignore|disregard|forget|override)(?:all|the|any|every|previous|prior|above|these|those|your|other)"
    r"|(?:choose|pick|select|prefer)(?:me|this|only|always|itself)|always(?:choose|pick|select|use)"
    r"|systemprompt|youmust|youarenow|newinstructions|onlyvalid",
)
"""The same phrases in text whose letters are separated, which has no word boundaries."""

_LETTER = r"(?<![^\W_])[^\W_](?![^\W_])"
_APART = re.compile(rf"(?:{_LETTER}[\W_]{{1,3}}){{4,}}{_LETTER}")
_ENCODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_LEET = str.maketrans("013457@$!|", "oieastasil")
_LOOKALIKES = str.maketrans(
    "аеорсухіѕјԁԛԝһӏʟтмнвкгАЕОРСУХІЅЈТМНВКαοερτυικνηβγωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxisjdqwhlltmhbkrAEOPCYXISJTMHBKaoeptuiknhbywABEZHIKMNOPTYX",
)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{1,15}", re.IGNORECASE)
_ENGLISH = re.compile(
    r"\b(?:the|a|an|of|and|with|in|for|to|is|on|by|from|girl|style|hair|lora)\b", re.IGNORECASE
)
"""Words by which a text is readable as it stands, neither backwards nor in rot13."""


@lru_cache(maxsize=4096)
def plain(text: str, most: int) -> str:
    """One line of at most `most` characters, without sentences that address the model."""
    return _line(_without(_LINK.sub(" ", _visible(text[: 20 * most])), addresses_model), most)


@lru_cache(maxsize=4096)
def without_instructions(text: str) -> str:
    """One line without sentences that speak to a language model; advice to people stays."""
    return " ".join(_without(_visible(text), is_instruction).split())


def addresses_model(text: str) -> bool:
    """Whether a sentence speaks to the model, or urges to choose the adapter."""
    return is_instruction(text) or _finds(_URGING, text)


def is_instruction(text: str) -> bool:
    """Whether a sentence seems to speak to a language model and not to people."""
    return _finds(_INSTRUCTION, text)


def fenced(lines: Sequence[str]) -> str:
    """The lines between two marks that they cannot contain: the marks are made from their hash."""
    text = "\n".join(lines)
    mark = f"=== data {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]} ==="
    return f"{mark}\n{text}\n{mark}"


def _visible(text: str) -> str:
    """Return the text in Unicode normal form KC, without invisible characters."""
    return "".join(
        sign
        for sign in unicodedata.normalize("NFKC", text)
        if unicodedata.category(sign) not in ("Cf", "Cc", "Co", "Cs", "Cn") or sign.isspace()
    )


def _without(text: str, is_bad: Callable[[str], bool]) -> str:
    return " ".join(part for part in _SENTENCES.split(text) if not is_bad(part))


def _line(text: str, most: int) -> str:
    line = " ".join(text.translate(_SYNTAX).split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0]


def _finds(pattern: re.Pattern[str], text: str) -> bool:
    if _WORD.fullmatch(text):
        return False
    if any(pattern.search(variant) for variant in _variants(text)):
        return True
    return any(_JOINED.search(run) for run in _written_apart(text))


@lru_cache(maxsize=256)
def _variants(text: str) -> tuple[str, ...]:
    """Return the text and its likely meanings: respelled, in Latin letters, reversed or decoded."""
    visible = _visible(text)
    spaced = " ".join(re.sub(r"[_\-*~.·]+", " ", visible).split())
    decomposed = unicodedata.normalize("NFKD", spaced)
    simple = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    variants = [visible, spaced, simple, *_decoded(visible)]
    if _LATIN.search(simple):
        variants += [simple.translate(_LOOKALIKES), simple.translate(_LEET)]
        if _ENGLISH.search(spaced) is None:
            variants += [spaced[::-1], codecs.encode(spaced, "rot13")]
    return tuple(dict.fromkeys(variants))


def _decoded(text: str) -> Iterator[str]:
    for found in _ENCODED.findall(text):
        try:
            decoded = base64.b64decode(found + "=" * (-len(found) % 4)).decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        yield decoded


def _written_apart(text: str) -> Iterator[str]:
    for found in _APART.findall(_visible(text)):
        yield re.sub(r"[\W_]+", "", found).casefold().translate(_LEET)
