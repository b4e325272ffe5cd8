"""The kind of an adapter, scored by tables of tags, words and patterns.

Words are lower case, singular and American.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import KINDS
from stylus_ext.core.prompt.words import words

CATEGORIES = {
    "character": "character",
    "style": "style",
    "celebrity": "person",
    "clothing": "clothing",
    "poses": "pose",
    "background": "background",
    "buildings": "building",
    "objects": "object",
    "vehicle": "vehicle",
    "animal": "animal",
    "action": "action",
}
"""Civitai's category tags, which decide; `concept`, `assets` and `tool` say too little."""

PERSON_TAGS = frozenset(
    map(
        str.strip,
        """
        person, personal portrait,
        real person, real people, celebrity, celebrities, actress, actor, singer, kpop, k-pop,
        kpop idol, korean idol, korean celebrity, instagram, influencer, youtuber, streamer,
        twitch streamer, supermodel, fashion model, politician, president, athlete, hollywood,
        famous, famous people, porn star, pornstar, jav, gravure idol, tiktok
        """.split(","),
    )
)

_WORDS = {
    "style": """
        style artstyle styled stylized art artist mangaka illustrator illustration painting
        painterly watercolor oil ink sketch lineart linework pencil crayon gouache pixel pixelart
        vector photography photographic render retro vaporwave synthwave aesthetic cartoon manga
        comic ukiyo impressionist impressionism surrealism cubism blueprint screencap filter film
        cinematic analog polaroid vhs flat graffiti papercut claymation toon niji midjourney
        storybook engraving woodcut poster
    """,
    "character": """
        character waifu heroine protagonist villain villainess mascot vtuber hololive nijisanji
        vocaloid idolmaster umamusume touhou arknight pokemon girl boy oc princess goddess queen
        gijinka
    """,
    "person": "likeness dolllikeness celebrity actress actor singer politician president celeb",
    "clothing": """
        clothing clothe cloth outfit costume uniform dress armor skirt shirt tshirt jacket coat
        hoodie sweater kimono hanfu hanbok cheongsam qipao yukata lingerie swimsuit bikini leotard
        bodysuit suit gown robe cape cloak hat helmet mask glove boot shoe heel sneaker stocking
        pantyhose sock legwear underwear corset apron jean pant trouser lolita maid bridal wedding
        latex fashion jewelry earring necklace choker headdress sailor serafuku bloomer buruma
        footwear headphone eyewear
    """,
    "pose": (
        "pose posing stance sitting squatting kneeling lying standing crouching contrapposto selfie"
    ),
    "action": """
        action fighting punch kick kicking attacking attack running jumping dancing dance smoking
        eating drinking kissing kiss hugging hug riding flying swimming holding crying sleeping
        playing casting slash dodge
    """,
    "background": """
        background scenery landscape environment cityscape city town village street alley room
        bedroom classroom interior indoor outdoor forest jungle beach sea ocean underwater mountain
        desert sky cloud space galaxy planet waterfall garden battlefield dungeon map battlemap
        studio station bathroom kitchen office shrine field isometric
    """,
    "building": """
        building architecture architectural house castle temple palace tower skyscraper church
        cathedral mansion villa apartment pavilion bridge
    """,
    "vehicle": """
        vehicle car truck tank motorcycle motorbike bike bicycle train locomotive aircraft airplane
        plane jet helicopter ship battleship warship boat submarine spaceship spacecraft starship
        airship automobile supercar racecar
    """,
    "animal": """
        animal creature cat kitten dog puppy wolf fox horse bird owl fish shark dragon dinosaur
        insect butterfly spider snake rabbit bunny bear lion tiger panda monkey pet mammal reptile
        bestiary unicorn
    """,
    "object": """
        object item weapon sword gun rifle ax food fruit cake icon asset prop furniture chair
        wheelchair umbrella toy figurine figure doll bottle flag sign logo emblem badge book card
        tarot plant flower tree crystal gem mecha mech robot texture material headset display
        syringe jewel sticker frame sprite sheet stamp artifact
    """,
    "concept": """
        concept meme expression face eye pupil hair hairstyle emotion effect vfx lighting light
        aura glow skin ear horn wing tail tattoo makeup lip tooth fang freckle nail finger size age
        emote reaction composition anatomy
    """,
}
WORDS = {word: kind for kind, line in _WORDS.items() for word in line.split()}

IN_NAME = (
    (
        "style",
        re.compile(r"style\b|\bart\s?style|风格|風格|画风|畫風|スタイル|絵柄|風の|스타일", re.I),
    ),
    ("character", re.compile(r"\bcharacters?\b|角色|人物|キャラ|캐릭터", re.I)),
    ("person", re.compile(r"likeness|\bcelebrity\b|real\s?person", re.I)),
    (
        "clothing",
        re.compile(
            r"\b(?:outfits?|uniforms?|costumes?|dress(?:es)?|cloth(?:es|ing)?|armou?r)\b|服|裙|衣装|衣裝",
            re.I,
        ),
    ),
    ("pose", re.compile(r"\b(?:pose|poses|stance)\b|姿势|姿勢|ポーズ", re.I)),
    (
        "background",
        re.compile(r"\b(?:backgrounds?|landscapes?|scenery)\b|背景|风景|场景|風景", re.I),
    ),
    ("building", re.compile(r"\b(?:buildings?|architecture)\b|建筑|建築", re.I)),
    (
        "concept",
        re.compile(r"\b(?:concept|meme|expressions?|pupils|hair(?:style)?)\b|表情|发型", re.I),
    ),
)

IN_TEXT = (
    (
        "style",
        re.compile(
            r"\b(?:in|of|mimics?|imitates?|replicates?|emulates?|captures?) (?:the "
            r"|an? )?[\w' -]{0,30}(?:art ?style|drawing style|style of)|\bart ?style\b"
            r"|\bstyle (?:of|lora|model)\b|画风|风格|絵柄",
            re.I,
        ),
    ),
    (
        "character",
        re.compile(
            r"\bcharacters?,? (?:from|of|in)\b|\b(?:protagonist|heroine|main"
            r" character|antagonist|waifu) (?:of"
            r"|from|in)\b|\bfrom the (?:anime|manga|game|video ?game|series|movie|show|visual"
            r" novel)\b"
            r"|角色|登場",
            re.I,
        ),
    ),
    (
        "person",
        re.compile(
            r"\b(?:actress|actor|singer|fashion model|real person|celebrity|youtuber|k-?pop|porn"
            r" ?star|politician)\b",
            re.I,
        ),
    ),
    (
        "clothing",
        re.compile(
            r"\b(?:outfits?|costumes?|uniforms?|garments?|dresses|traditional"
            r" clothing|clothes)\b|服|衣装",
            re.I,
        ),
    ),
    ("pose", re.compile(r"\bposes?\b|姿势|ポーズ", re.I)),
    (
        "background",
        re.compile(
            r"\b(?:backgrounds?|landscapes?|scener(?:y|ies)|environments?)\b|背景|风景", re.I
        ),
    ),
    ("building", re.compile(r"\b(?:buildings?|architecture|architectural)\b|建筑|建築", re.I)),
    ("vehicle", re.compile(r"\b(?:vehicles?|fighter jet|spaceships?|sports? car)\b", re.I)),
    ("object", re.compile(r"\b(?:icons?|items?|weapons?|props?|assets?)\b", re.I)),
)

TITLED = re.compile(r"\S\s*(?:[(\uff08\u300c\u3010]|\s[-|/]\s|[|/])\s*(?!v?[\d.]+\W*$)\S")
"""`Name (Series)` or `Name | Series`; not a hyphen inside a word or before a version."""

BODY = re.compile(
    r"\b(?:1girl|1boy|(?:[a-z]+ )?(?:hair|eyes)|ponytail|twintails|ahoge|twin braids|bangs)\b", re.I
)
"""What the trigger words of characters name."""


# Scores by place. The source's category outweighs everything but a tag of real persons.
_CATEGORY, _PERSON, _CONCEPT, _NAME_PATTERN, _NAME_WORD, _TAG_WORD, _TEXT, _HINT = (
    10.0,
    11.0,
    2.0,
    5.0,
    2.5,
    1.5,
    1.5,
    1.0,
)
_MIN_SCORE = 1.5
_MAX_TAG_WORDS = 3.0
_MAX_TEXT = 800
_BODY_WORDS = 3
_FEMALE_OR_MALE = frozenset(
    {"girl", "girls", "woman", "women", "female", "male", "man", "boy", "1girl", "1boy"}
)
Scores = defaultdict[str, float]
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_KIND_ORDER = {kind: place for place, kind in enumerate(KINDS)}


def kind_of(card: AdapterCard, text: str) -> str:
    """The kind with the highest score; `text` is the page without markup."""
    if card.kind.lower() in KINDS and card.kind.lower() != "unknown":
        return card.kind.lower()
    scores: Scores = defaultdict(float)
    _score_tags(card.tags, scores)
    if not scores or max(scores.values()) < _CATEGORY:  # else nothing could outweigh it
        _score_name(card.name[:_MAX_TEXT], scores)
        _score_text(text[:_MAX_TEXT], scores)
        _score_triggers(card, scores)
    if not scores:
        return "unknown"
    kind = min(scores, key=lambda kind: (-scores[kind], _KIND_ORDER[kind]))
    return kind if scores[kind] >= _MIN_SCORE else "unknown"


def _score_tags(tags: tuple[str, ...], scores: Scores) -> None:
    lower = {tag.strip().lower() for tag in tags}
    for tag in lower & CATEGORIES.keys():
        scores[CATEGORIES[tag]] += _CATEGORY
    if lower & PERSON_TAGS:
        scores["person"] += _PERSON
    if scores:
        return
    votes = Counter[str]()
    if lower & _FEMALE_OR_MALE and "concept" not in lower:
        votes["character"] += 1
    for tag in lower - _FEMALE_OR_MALE:
        if tag == "concept":
            scores["concept"] += _CONCEPT
        else:
            votes.update({WORDS[word] for word in words(tag) if word in WORDS})
    for kind, count in votes.items():
        scores[kind] += min(_MAX_TAG_WORDS, _TAG_WORD * count)


def _score_name(name: str, scores: Scores) -> None:
    for kind, pattern in IN_NAME:
        if pattern.search(name):
            scores[kind] += _NAME_PATTERN
    for kind in {WORDS[word] for word in words(_CAMEL.sub(" ", name)) if word in WORDS}:
        scores[kind] += _NAME_WORD


def _score_text(text: str, scores: Scores) -> None:
    for kind, pattern in IN_TEXT:
        if pattern.search(text):
            scores[kind] += _TEXT


def _score_triggers(card: AdapterCard, scores: Scores) -> None:
    triggers = ", ".join(card.triggers)[:_MAX_TEXT].lower()
    if "(style" in triggers or "artstyle" in triggers or "style" in words(triggers):
        scores["style"] += 2 * _HINT
    if len(BODY.findall(triggers)) >= _BODY_WORDS:
        scores["character"] += 2 * _HINT
    if TITLED.search(card.name) and "style" not in card.name.lower():
        scores["character"] += 2 * _HINT
    for kind in {WORDS[word] for word in words(triggers)[:40] if word in WORDS}:
        scores[kind] += _HINT
    prompts = [example.prompt[:300].lower() for example in card.examples[:5]]
    if prompts and all(BODY.search(prompt) for prompt in prompts):
        scores["character"] += _HINT / 2
    if prompts and all("no humans" in prompt or "scenery" in prompt for prompt in prompts):
        scores["background"] += _HINT
