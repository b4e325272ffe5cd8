"""A character's or person's adapter and the words of the prompt in, whether the prompt names that
somebody out.

The series somebody comes from is in the name too, and what somebody wears is in the triggers:
neither names anybody. A name that is an everyday word names nobody by itself either.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.entry import Entry
from stylus_ext.core.prompt.phrases import is_count
from stylus_ext.core.prompt.words import content_words, entry_names, trigger_phrases

COMMON = frozenset(
    """fern power rose lily ruby violet amber ivy jade pearl crystal diamond opal sapphire emerald
    hope faith grace joy mercy angel
    star moon sun nova comet raven robin swan crow wolf fox cat dog tiger lion bear bird fish horse
    rabbit dragon phoenix snake
    spider blade ash snow storm rain cloud fog mist wind thunder river lake sea ocean sky hill
    mountain forest tree wood leaf flower
    garden field meadow desert beach island cave valley path road street alley city town village
    house home castle tower church
    temple bridge door window wall floor roof room kitchen bedroom bathroom office school shop
    market station park farm barn
    king queen prince princess knight witch wizard mage maid nurse doctor pirate ninja samurai
    soldier hero villain joker hunter
    archer thief monk priest elf fairy ghost demon devil vampire zombie robot cyborg alien monster
    giant baby child girl boy
    woman man lady guy person people human couple family friend crowd face head hair eye ear nose
    mouth lip hand arm leg foot body
    skin tail wing horn hat cap coat jacket shirt dress skirt pant jean shoe boot glove scarf belt
    bag ring necklace crown mask
    glasses goggle sword gun knife bow shield armor helmet staff book lamp candle lantern clock
    watch bell key box bottle cup
    glass plate bowl table chair bed sofa car truck bus train ship boat plane bike bicycle
    motorcycle phone camera computer
    guitar piano drum violin food bread cake apple orange cherry berry peach melon lemon coffee tea
    wine water fire ice light
    shadow smoke dust sand stone rock metal iron steel silver gold copper bronze paper glow spark
    flame lava
    smile laugh look sit stand walk run jump fly swim sleep dance fight kiss hug read write draw
    sing play eat drink
    summer winter spring autumn fall morning evening night day noon dawn dusk sunset sunrise
    midnight christmas halloween
    love life death dream war peace magic music art time space world future past nature war speed
    energy beauty style photo
    portrait picture scene background landscape view long short big small old young new dark bright
    soft warm cold wet dry
    detail texture color pattern line shape max ace echo sky blaze frost hunt scarlet hazel olive
    sage clover daisy iris jasmine
    poppy summer april may june august charity honor justice liberty glory destiny harmony melody
    serenity trinity victoria""".split()
)

ATTRIBUTES = frozenset(
    """red orange yellow green blue purple violet pink brown black white gray golden silver
    colorful rainbow pastel neon
    glass wooden wood metal metallic iron steel copper bronze brass gold stone marble concrete
    brick paper cardboard plastic rubber
    leather velvet silk satin lace wool woolen knitted knit denim cotton fur furry feather ceramic
    porcelain clay crystal ice
    bamboo straw wicker emerald ruby sapphire jade pearl diamond amber
    old new young ancient antique vintage retro modern classic classical futuristic traditional
    medieval victorian gothic rustic
    big huge large giant gigantic tiny small little mini long short tall wide narrow thick thin
    round square flat
    dark light bright pale deep soft hard smooth rough wet dry clean dirty dusty rusty broken
    cracked ruined abandoned overgrown
    cozy fluffy cute pretty beautiful ornate fancy elegant simple plain striped spotted floral
    crooked curved
    happy sad angry scary spooky creepy magical mystical mysterious enchanted
    hot cold warm rainy sunny snowy foggy misty stormy winter summer spring autumn christmas
    halloween night day morning evening
    steam electric flying sitting standing running walking open closed empty full realistic
    cinematic""".split()
)
"""What a thing is made of, how it looks, and when."""


DISTINCTIVE = 4.5
"""Nats that the words of a name or trigger must tell to stand for themselves; a word that every
hundredth card has tells 4.6.
"""

COINED = 6.0
"""Nats that each word must tell which hardly another card has."""

CLOSE_ENOUGH = 0.45
"""Cosine with the prompt that counts as second evidence for a name that is a common word."""


def is_called(seen: Evidence) -> bool:
    """The prompt has its name or a trigger word, and that is no common word, or there is more that
    speaks for it.
    """
    if not (seen.named or seen.trigger):
        return False
    return is_distinctive(seen) or len(seen.named) > 1 or seen.cosine >= CLOSE_ENOUGH


def is_coined(seen: Evidence) -> bool:
    """Words that nobody else's card has: who writes them means this adapter and no other."""
    counts = [count for count in (len(seen.named), len(set(content_words(seen.trigger)))) if count]
    return is_distinctive(seen) and seen.telling >= COINED * min(counts)


def is_distinctive(seen: Evidence) -> bool:
    """The words of the name or trigger are rare here, and more than one everyday word."""
    if not (seen.named or seen.trigger):
        return False
    words = {*seen.named, *content_words(seen.trigger)}
    return seen.telling >= DISTINCTIVE and not (len(words) == 1 and words <= COMMON)


SOMEBODY = frozenset(("character", "person"))

_MOST_TRIGGERS = 16
_SHORTEST_BEGINNING = 4
_BRACKETED = re.compile(r"[(\[（【]([^()\[\]（）【】]*)[)\]）】]")
_GENERIC = frozenset(
    "anime character game solo video movie series female male celebrity actor actress breast bang"
    " blush".split()
)


def is_named(candidate: Candidate, said: Collection[str]) -> bool:
    """By a part of its name that is no series, or by the trigger that says who it is. `said` are
    the words of the prompt.
    """
    entry, seen = candidate.entry, candidate.evidence
    if not (seen.named or seen.trigger):
        return False
    words = frozenset(said)
    phrases = (*entry_names(entry), *trigger_phrases(entry), tuple(content_words(seen.trigger)))
    matched = {word for phrase in phrases if words.issuperset(phrase) for word in phrase}
    told = matched & own_words(entry)
    if not told:
        return _is_tagged(candidate)
    everyday = len(matched) == 1 and told <= COMMON
    return (is_called(seen) and not everyday) or _has_more(entry, told, words)


def own_words(entry: Entry) -> frozenset[str]:
    """The words that are somebody's own: of the name without its series, and of the triggers that
    have a word of that.
    """
    parts, pieces, asides = _parts(entry), _trigger_pieces(entry), _asides(entry)
    spoken = [part for part in parts if any(_share(piece, part) for piece in pieces)]
    mine = (
        [part for part in spoken if part not in asides]
        or spoken
        or [part for part in parts if part not in asides][:1]
        or list(parts)
    )
    foreign = [
        part for part in parts if not any(word.isascii() for word in part)
    ]  # the same name in another script
    words = {word for part in (*mine, *foreign) for word in part}
    series = {word for part in parts if part not in mine for word in part} - words
    return frozenset(
        words.union(*(piece for piece in pieces if any(_share(piece, part) for part in mine)))
        - series
    )


def _share(piece: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """They have a word in common, or are one but for the spaces, or a coined word begins with one
    of the name: mira, mirastyle.
    """
    begun = any(
        coined.startswith(word)
        for word in part
        if len(word) >= _SHORTEST_BEGINNING
        for coined in piece
    )
    return begun or not set(piece).isdisjoint(part) or "".join(piece) == "".join(part)


def _parts(entry: Entry) -> tuple[tuple[str, ...], ...]:
    """Of the name; not the whole of it, where it has several."""
    phrases = entry_names(entry)
    every = {word for phrase in phrases for word in phrase}
    return tuple(phrase for phrase in phrases if set(phrase) != every) or phrases


def _asides(entry: Entry) -> set[tuple[str, ...]]:
    """What stands in the tags too, or in brackets behind the name."""
    texts = (*entry.card.tags, *_BRACKETED.findall(entry.card.name))
    return {tuple(content_words(text)) for text in texts}


def _trigger_pieces(entry: Entry) -> list[tuple[str, ...]]:
    written = (
        piece.replace("\\", "")
        for trigger in entry.triggers[:_MOST_TRIGGERS]
        for piece in trigger.split(",")[:_MOST_TRIGGERS]
    )
    return [words for piece in written if not is_count(piece.strip()) and (words := _bare(piece))]


def _bare(piece: str) -> tuple[str, ...]:
    """What stands in brackets is the series again, unless all does."""
    return tuple(content_words(_BRACKETED.sub(" ", piece)) or content_words(piece))


def _is_tagged(candidate: Candidate) -> bool:
    """By its first trigger, though that has nothing to do with the name, if it is coined, or rare
    and no other has to do with it.
    """
    entry, seen = candidate.entry, candidate.evidence
    pieces = _trigger_pieces(entry)
    if not pieces or pieces[0] != _bare(seen.trigger.replace("\\", "")):
        return False
    named = any(_share(piece, part) for piece in pieces for part in _parts(entry))
    least = COINED if named else DISTINCTIVE
    return (
        is_distinctive(seen)
        and seen.telling >= least * len(pieces[0])
        and not (ATTRIBUTES | COMMON).issuperset(pieces[0])
    )


def _has_more(entry: Entry, told: set[str], said: Collection[str]) -> bool:
    """Something else of the card stands in the prompt: its series, or a tag or trigger that is more
    than everyday words.
    """
    series = [set(phrase) - told for phrase in entry_names(entry)]
    others = [
        set(phrase) - told
        for phrase in (
            *trigger_phrases(entry),
            *(tuple(content_words(tag)) for tag in entry.card.tags),
        )
    ]
    pieces = [rest for rest in series if len(rest) > 1] + [
        rest for rest in (*series, *others) if not rest <= COMMON | _GENERIC
    ]
    return any(rest <= set(said) for rest in pieces if rest)
