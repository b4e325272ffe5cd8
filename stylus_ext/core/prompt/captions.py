"""Rule-based caption segmentation: offsets of word runs that an adapter could serve."""

from __future__ import annotations

import re
from collections.abc import Iterator

STOP = frozenset(
    """a about above across after against all along also although am among an and another any
    anybody anyone anything are around as at
    be because been before behind being below beneath beside besides between beyond both but by can
    could did do does down during each
    either else every everyone everything few for from had has have he her hers herself him himself
    his how i if in inside into is
    it its itself just like many may me might mine more most much must my near neither no nobody
    none nor not nothing of off on once one
    onto or other others our ours out over own past per she should since so some somebody someone
    something such than that the
    their theirs them themselves then there these they this those though through throughout to
    toward towards too under underneath
    until up upon us very via was we were what when where whereas which while who whom whose why
    will with within without would
    yet you your yours""".split()
)
"""Articles, pronouns, prepositions, conjunctions, auxiliaries."""

WEAK = frozenset(
    """two three four five six seven eight nine ten eleven twelve dozen dozens hundred several
    various different multiple numerous
    single couple couples pair pairs group groups bunch bunches lots set sets piece pieces kind
    kinds type types row rows number
    variety bit assortment collection herd flock stack pile half part parts whole
    large big huge tiny small medium long short nice good great new next front middle side sides
    top bottom back left
    right edge end center centre close full ready able available empty similar same various
    together apart away ahead
    alone aside around back nearby far here outside inside again already almost always even ever
    only really quite still well
    picture photo photograph image view shot scene background foreground sort way thing things
    stuff someone person
    is's s t d ll re ve m""".split()
)
"""Counts, sizes, places and the words about the picture itself."""

WEAK_VERBS = frozenset(
    """stand stands stood standing sit sits sat sitting lay lays laid lie lies lying laying placed
    put puts putting set hold holds held wear wears
    worn wearing look looks looked looking show shows showed shown showing seen see sees seeing get
    gets getting got go goes going went gone
    take takes taken took make makes made making come comes coming came has having use uses used
    using doing done try tries trying
    contain contains containing contained include includes including featuring features feature
    consist consists consisting
    fill fills filled cover covers covered lead leads leading prepare prepares preparing prepared
    begin begins start starts
    hang hangs hung hanging lean leans leaned rest rests resting pose poses posed posing dressed
    walk walks walked ride rides
    rode play plays played eat eats ate fly flies flew drive drives drove run runs ran jump jumps
    jumped talk talks talked
    surround surrounds surrounded attach attached made mounted located situated displayed arranged
    depicted pictured parked
    work works worked turn turns turned watch watches watched wait waits waited travel travels
    traveled traveling topped lined pull pulls pulled carry
    carries carried reach reaches throw throws swing swings swung swims float floats move moves
    moved bring brings give gives given
    stare stares share shares enjoy enjoys enjoying appear appears approach approaches pass passes
    passing passed face faces faced
    let lets keep keeps keeping want wants""".split()
)
"""Verbs that say that something is there, or that it does what such things do. An -ing form that
says more stays in its run.
"""


WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
ONLY_SPACE = re.compile(r"[^\S\r\n]*")
_BREAKS = STOP | WEAK | WEAK_VERBS
MOST_WORDS = 5


def runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield runs of consecutive content words, separated by spaces only."""
    start = end = -1
    count = 0
    for match in WORD.finditer(text):
        weak = is_weak(match.group())
        joined = (
            start >= 0
            and not weak
            and count < MOST_WORDS
            and ONLY_SPACE.fullmatch(text, end, match.start())
        )
        if start >= 0 and not joined:
            yield start, end
            start = -1
        if weak:
            continue
        if start < 0:
            start, count = match.start(), 0
        end = match.end()
        count += 1
    if start >= 0:
        yield start, end


def is_weak(word: str) -> bool:
    plain = folded(word)
    return plain in _BREAKS or plain.isdigit() or not plain


def folded(word: str) -> str:
    return word.lower().replace("’", "'").removesuffix("'s")
