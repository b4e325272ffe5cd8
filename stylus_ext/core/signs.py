"""The names of what is known of a candidate in numbers, in the order in which `Candidate.signs` has them."""

from __future__ import annotations

SIGNS = (
    "card", "best_example", "examples", "title", "text", "name", "trigger", "span", "exact", "card_share", "card_rarest",
    "card_count", "card_strongest", "example_share", "example_rarest", "example_count", "example_second", "example_mean",
    "either_share", "example_number", "somebody", "style", "helper", "weak", "name_rarity", "name_words", "trigger_rarity",
    "covered", "covered_all", "both", "close_second", "close_third", "meant", "title_lead", "text_lead", "alike",
    "alike_covered", "title_usual", "text_usual", "words", "mass", "spans", "penned", "card_below", "best_example_below",
    "examples_below", "title_below", "text_below", "name_below", "trigger_below", "span_below", "card_share_below",
    "example_share_below", "score", "lead",
)
