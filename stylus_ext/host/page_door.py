"""What ties the page's script to the WebUI: an empty place that it draws into, and a hidden button
that brings it a token.

`javascript/requests.js` presses the button; the token comes back as the hidden box's value, past
the host's queue.
"""

from __future__ import annotations

from stylus_ext.host import compat
from stylus_ext.host.compat import Request

gr = compat.gr
_RECEIVE = """(answer) => {
    if (window.stylus && stylus.page) stylus.page.receive(answer);
    return [];
}"""
_ASIDE = ["stylus-aside"]


def place(tab: str) -> None:
    """For the accordion of a tab, or for the tab of our own (`tab`)."""
    gr.HTML(
        value=f'<div id="stylus_{tab}_mount" class="stylus-mount"></div>',
        elem_id=f"stylus_{tab}_place",
        elem_classes=["stylus-place"],
    )
    button = gr.Button("Stylus page", elem_id=f"stylus_{tab}_page", elem_classes=_ASIDE)
    box = gr.Textbox(value="", visible=False, elem_id=f"stylus_{tab}_token")
    if compat.on_this_page([button, box]):
        button.click(fn=_issue, inputs=[], outputs=[box], show_progress="hidden", queue=False)
        box.change(fn=None, inputs=[box], outputs=[], **compat.browser_script(_RECEIVE))


def _issue(request: Request) -> str:
    """A token, or the sentence why there is none."""
    from stylus_ext.host.page_tokens import PAGES

    return compat.may("look", request) or PAGES.issue()
