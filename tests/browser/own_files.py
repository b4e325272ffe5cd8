"""How the WebUI adds an extension's scripts and style sheet to its page, and its own script."""

from __future__ import annotations

from typing import Any

import gradio.routes

from tests.host.double.webui import ROOT

SCRIPTS = tuple(sorted(path.name for path in (ROOT / "javascript").glob("*.js")))
FILES = {f"javascript/{name}": "text/javascript" for name in SCRIPTS} | {"style.css": "text/css"}
HOST = "tests/browser/host_page.js"
_apps: list[Any] = []


def add_own_files(app: Any) -> None:
    """For the pages of this app; a page of another one in this process stays gradio's own."""
    from starlette.responses import FileResponse
    from starlette.routing import Route

    def serving(name: str, kind: str) -> Any:
        async def answer(_: Any) -> Any:
            return FileResponse(ROOT / name, media_type=kind)

        return answer

    files = {**FILES, HOST: "text/javascript"}
    app.router.routes[:0] = [
        Route(f"/extension/{name}", serving(name, kind)) for name, kind in files.items()
    ]
    if not _apps:
        _patch(gradio.routes.templates)
    _apps.append(app)


def _patch(templates: Any) -> None:
    original = templates.TemplateResponse

    def response(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        request = made.context["request"]
        if any(app is request.app for app in _apps):
            scripts = _tags("order" in request.query_params, "bare" in request.query_params)
            style = (
                '<link rel="stylesheet" property="stylesheet" href="extension/style.css"></body>'
            )
            made.body = made.body.replace(b"</head>", f"{scripts}</head>".encode(), 1).replace(
                b"</body>", style.encode(), 1
            )
            made.init_headers()
        return made

    templates.TemplateResponse = response


def _tags(reverse: bool, bare: bool) -> str:
    """Script tags: `?order` reverses ours, `?bare` leaves out the WebUI's own script."""
    scripts = [f"javascript/{name}" for name in sorted(SCRIPTS, reverse=reverse)]
    names = scripts if bare else [HOST, *scripts]
    return "".join(
        f'<script type="text/javascript" src="extension/{name}"></script>' for name in names
    )
