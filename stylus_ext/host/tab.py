"""The Stylus tab: a page of its own in the WebUI, empty but for the place that
`javascript/tab.js` draws into.
"""

from __future__ import annotations

from typing import Any

from stylus_ext.host import compat

LABEL, NAME = "Stylus", "stylus"


def make_tab() -> list[tuple[Any, str, str]]:
    """As the host's `on_ui_tabs` wants it: blocks, the label, and the end of the tab's id."""
    from stylus_ext.host.page_door import place

    with compat.gr.Blocks(analytics_enabled=False) as blocks:
        place("tab")
    return [(blocks, LABEL, NAME)]
