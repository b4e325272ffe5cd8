"""The payload of a plan that the API or the page asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stylus_ext.host import compat, options, other_adapters
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.planner import Planner
from stylus_ext.host.wan import selectable_stems


def caller_payload(planner: Planner, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's payload from the API or the page, with this WebUI's settings, family and LoRAs."""
    settings = options.read_settings()
    family = loaded_family(planner.remembered)
    if family.known:
        settings = replace(settings, selection=replace(settings.selection, family=family.family))
    values = options.plan_values(settings)
    overrides = payload.get("settings")
    for section, leaves in overrides.items() if isinstance(overrides, Mapping) else ():
        values[section] = (
            {**values.get(section, {}), **leaves} if isinstance(leaves, Mapping) else leaves
        )
    folders = compat.lora_folders()
    read = planner.folders_to_read(folders, (compat.listing(), other_adapters.listing()))
    read = folders if payload.get("downloads") else read
    return {
        **payload,
        "settings": values,
        "stems": selectable_stems(family.family),
        **other_adapters.stems(),
        "lora_dirs": read,
        **other_adapters.folders(read),
    }
