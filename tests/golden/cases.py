"""The prompts of the golden plans: captions, tags, the language's specialities, and prompts for
which nothing fits.
"""

from __future__ import annotations

from tests.golden.house import Case

SD1 = {"selection": {"family": "sd1"}}
XL = {"selection": {"family": "sdxl"}}
FLUX = {"selection": {"family": "flux1"}}
ILLUSTRIOUS = {"selection": {"family": "illustrious"}}

CASES = (
    Case("caption_graffiti_corgi", "a graffiti of a corgi on the wall"),
    Case("caption_two_things", "a copper steam train passing a crooked lighthouse at dusk"),
    Case("caption_scene", "People eating at a crowded night market under red lanterns."),
    Case("caption_plain_photo", "a man waiting for the bus with a newspaper"),
    Case("caption_animal_in_place", "an axolotl swimming over a coral reef"),
    Case("caption_synonym", "a zeppelin floating above the clouds in the morning"),
    Case("caption_nothing_fits", "a plate of spaghetti and a glass of red wine"),
    Case("caption_common_words", "a young woman with blue eyes smiling at the camera"),
    Case("caption_style_at_the_end", "a fox in the snow, painted in watercolor", settings=SD1),
    Case("caption_made_of", "a teddy bear knitted from wool sitting on a chair"),
    Case(
        "tags_character",
        "masterpiece, best quality, 1girl, solo, mira vanthal, goggles, smile, outdoors, sky,"
        " clouds",
    ),
    Case(
        "tags_character_other_clothes", "1girl, mira vanthal, black kimono, standing, castle, night"
    ),
    Case(
        "tags_two_characters",
        "mira vanthal, captain orlo, airship deck, sunset, wind, looking at viewer",
    ),
    Case("tags_series_alone", "1girl, skyreach saga, brown hair, standing, flower field, day"),
    Case("tags_coined_trigger", "inkwellstyle, 1boy, running, rooftop, night, rain"),
    Case(
        "tags_illustrious",
        "1girl, hoshino minato, electric guitar, stage, spotlights, crowd",
        settings=ILLUSTRIOUS,
    ),
    Case(
        "tags_japanese_name", "星野ミナト, 1girl, stage, spotlight, concert", settings=ILLUSTRIOUS
    ),
    Case("tags_chinese_name", "林小雨, tea house, lantern, evening, rain", settings=XL),
    Case("tags_person", "photo of aldo marrin, hands in pockets, street, overcast"),
    Case(
        "tags_no_adapter",
        "1girl, long hair, blue eyes, school uniform, classroom, window, sunlight, smile",
    ),
    Case("tags_clothing_and_place", "1boy, yoroi armor, overgrown ruins, fog, morning, from side"),
    Case(
        "img_like_tags",
        "score_9, score_8_up, source_anime, rating_safe, 1girl, dragon, emerald scales, cave",
    ),
    Case(
        "break_segments",
        "mira vanthal, short red hair BREAK captain orlo, beard, blue coat BREAK airship, clouds,"
        " sunset",
    ),
    Case("and_segments", "a corgi on a beach :0.7 AND pixel art, beach, sunset :1.1"),
    Case("attention", "(glass teapot:1.3), (steam:0.8), [flowers], wooden table, \\(still life\\)"),
    Case("schedule_and_alternate", "a [dog:dragon:0.4] in a [castle|cathedral], gothic"),
    Case(
        "own_lora_known", "a forest spirit <lora:dreamy_bokeh:0.6>, bokeh lights, moss, mushrooms"
    ),
    Case("own_lora_unknown", "a samurai in yoroi armor in the rain <lora:samurai_armor_v3:0.9>"),
    Case("own_loras_fill_the_budget", "a corgi <lora:a:1><lora:b:1><lora:c:1> at a night market"),
    Case("negative_veto", "a graffiti of a corgi on the wall", "graffiti, lowres, bad hands"),
    Case(
        "negative_of_faults_only",
        "a graffiti of a corgi on the wall",
        "(worst quality:1.4), lowres, bad hands, watermark",
    ),
    Case("sidecar_negative", "portrait, dreamybokeh, city lights, night, coat", "blurry"),
    Case("wildcards", "a __animal__ in a {castle|cathedral}, stained glass", settings=XL),
    Case("nsfw_not_asked", "a woman in lace lingerie, bedroom, morning"),
    Case("nsfw_asked", "nsfw, a woman in lace lingerie, boudoirlace, bedroom"),
    Case("slider_not_asked", "a muscular blacksmith at the anvil, sparks, forge"),
    Case("speed_asked", "lcm, a castle on a hill, sunset, clouds, river"),
    Case("weak_not_called", "misty forest, tall trees, path, morning light"),
    Case("weak_called", "zqx person, park, bench, autumn leaves"),
    Case("wrong_family_named", "mira vanthal, goggles, sky, clouds, wind", settings=XL),
    Case(
        "flux_caption",
        "A drawing of a house and the sun made by a small child with crayons.",
        settings=FLUX,
    ),
    Case(
        "always_and_never",
        "a graffiti of a corgi on the wall",
        states={"Old Storybook Plates": "always", "Fluffy Corgi": "never"},
    ),
    Case(
        "on_disk_only", "grumblegob, night market lanterns, crowd, coins, smile", on_disk_only=True
    ),
    Case(
        "scheme_subsets",
        "a copper steam train at a night market, inkwellstyle",
        settings={"diversity": {"scheme": "subsets"}},
    ),
    Case(
        "debias_and_emphasis",
        "a glass teapot on a piano",
        settings={"text": {"debias": "realistic", "emphasis": 1.2}},
    ),
    Case(
        "no_more_than_one",
        "coppertrain, night market, inkwellstyle, fog",
        settings={"selection": {"max_adapters": 1}},
    ),
    Case(
        "strict",
        "a cozy round kitchen with copper pots",
        settings={"selection": {"strictness": 0.95}},
    ),
    Case(
        "loose",
        "a cozy round kitchen with copper pots",
        settings={"selection": {"strictness": 0.1}},
    ),
    Case("several_lines", "ramen bowl on a counter,\nsteam,\n\nneon signs, rain"),
    Case("gibberish", "\x00((( \u202e zzzz ]]] <lora: >"),
    Case("empty", "   "),
)
