"""More prompts of everyday use, over the starter catalogue and the invented one together: what a
user has who has just begun.
"""

from __future__ import annotations

from tests.golden.house import Case

LONG = (
    "masterpiece, best quality, ultra-detailed, absurdres, 8k, 1girl, solo, looking at viewer,"
    " upper body, brown hair, long hair, bangs, green eyes, smile, blush, white shirt, red ribbon,"
    " pleated skirt, backpack, holding book, library, bookshelf, wooden floor, sunlight, dust"
    " particles, window, curtains, plants, desk, chair, lamp, globe, clock, paintings on the wall,"
    " warm colors, soft shadows, depth of field, bokeh, film grain, lens flare, cozy atmosphere,"
    " afternoon, autumn, falling leaves outside, cat on the windowsill, cup of tea, steam, cookies"
    " on a plate, notebook, pencil, inkwell, map, telescope, violin case"
)

MIXED_CASES = (
    Case("mixed_readme_example", "a graffiti of a corgi on the wall"),
    Case("mixed_caption_style", "a small house on a green hill in the style of studio ghibli"),
    Case("mixed_caption_watercolor", "a cat sleeping on a windowsill, watercolor painting"),
    Case(
        "mixed_coined_trigger",
        "masterpiece, best quality, 1girl, yamatoop, snow, mountains, standing",
    ),
    Case("mixed_series_alone", "1boy, one piece, straw hat, ship deck, sea, smile"),
    Case("mixed_name_is_weather", "a city at night struck by lightning, dark clouds and rain"),
    Case("mixed_name_in_caption", "super mario jumping over a green pipe in a desert"),
    Case(
        "mixed_scores",
        "score_9, score_8_up, score_7_up, source_anime, rating_safe, 1boy, tartaglia (genshin"
        " impact), coat, bridge, snow",
    ),
    Case("mixed_name_and_series", "link, the legend of zelda, bow, forest, mist"),
    Case("mixed_other_of_the_series", "princess zelda, the legend of zelda, white dress, castle"),
    Case(
        "mixed_veto_by_word",
        "a city street in the rain with graffiti on the walls",
        "graffiti, text, watermark",
    ),
    Case("mixed_veto_of_looks", "yelan, 1girl, night, casino, dice", "anime, cartoon, 3d, lowres"),
    Case("mixed_nothing_fits", "two elderly men playing chess in a park"),
    Case("mixed_nothing_fits_tags", "1boy, short hair, hoodie, sitting, bench, bus stop, evening"),
    Case("mixed_spanish", "un gato negro durmiendo en una silla de madera"),
    Case("mixed_german", "ein alter Leuchtturm an der Küste bei Sonnenuntergang"),
    Case("mixed_japanese", "カラオケ, 1girl, マイク, 笑顔, 夜"),
    Case("mixed_very_long", LONG),
    Case("mixed_thing_in_scene", "a woman walking with an umbrella in the rain"),
    Case("mixed_three_styles", "papercut, pixel art, claymation, a fox in a forest, autumn"),
    Case("mixed_two_of_a_kind", "a giant airship over the clouds at sunrise"),
    Case("mixed_pose", "two friends at a party showing the peace sign"),
    Case("mixed_no_glasses_no_headset", "a teacher with glasses reading a book to children"),
    Case(
        "mixed_denied_tag",
        "a graffiti of a corgi on the wall",
        settings={"selection": {"deny_tags": ["graffiti"]}},
    ),
    Case(
        "mixed_allowed_tags",
        "a graffiti of a corgi in a night market",
        settings={"selection": {"allow_tags": ["animal"]}},
    ),
    Case(
        "mixed_rerank_without_one",
        "a copper steam train at a night market",
        settings={"selection": {"policy": "rerank"}},
    ),
)
