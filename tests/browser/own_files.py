"""How the hosts put an extension's script and style into their page: a tag in its head, a link at
its end, files by their address.
"""

from __future__ import annotations

from typing import Any

import gradio.routes

from tests.host.double.webui import ROOT

FILES = {"javascript/stylus.js": "text/javascript", "style.css": "text/css"}
_apps: list[Any] = []


def add_own_files(app: Any) -> None:
    """For the pages of this app; a page of another one in this process stays gradio's own."""
    from starlette.responses import FileResponse
    from starlette.routing import Route

    def serving(name: str) -> Any:
        async def answer(_: Any) -> Any:
            return FileResponse(ROOT / name, media_type=FILES[name])

        return answer

    app.router.routes[:0] = [Route(f"/extension/{name}", serving(name)) for name in FILES]
    if not _apps:
        _patch(gradio.routes.templates)
    _apps.append(app)


def _patch(templates: Any) -> None:
    original = templates.TemplateResponse

    def response(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        if any(app is made.context["request"].app for app in _apps):
            script = (
                b'<script type="text/javascript"'
                b' src="extension/javascript/stylus.js"></script></head>'
            )
            style = (
                b'<link rel="stylesheet" property="stylesheet" href="extension/style.css"></body>'
            )
            made.body = made.body.replace(b"</head>", script, 1).replace(b"</body>", style, 1)
            made.init_headers()
        return made

    templates.TemplateResponse = response
