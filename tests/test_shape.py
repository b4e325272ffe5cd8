"""The shape of the house: who imports whom, in which order inside `core`, how big a module may be,
how much is tested.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "stylus_ext"
MOST_LINES = 400

CORE_ORDER = (
    "errors",
    "signs",
    "ranker",
    "naming",
    "leaves",
    "settings",
    "terms",
    "card",
    "fetching",
    "names",
    "family",
    "description",
    "embedding",
    "prompt",
    "candidates",
    "composition",
    "corrections",
    "verdicts",
    "masks",
    "tags",
    "plan",
    "ports",
    "browsing",
    "recipes",
    "sources",
    "rehearsal",
    "importing",
    "refining",
)
MAY_IMPORT = {
    "environment": set(),
    "core": set(),
    "backends": {"core"},
    "app": {"core"},
    "app.wiring": {"core", "backends"},
    "engine": {"app", "core"},
    "evaluation": {"app", "core"},
    "cli": {"environment", "engine", "evaluation", "app", "core"},
    "host": {"environment", "core"},
    "data": set(),
    "scripts": {"host"},
    "install": {"environment"},
}
SHARED_BACKENDS = {"http", "chat", "statements", "thumbnails"}
HOST_ONLY = {"modules", "gradio", "launch", "fastapi"}
STDLIB_ONLY = {"environment", "install"}


@dataclass(frozen=True)
class Import:
    module: str
    line: int


def imports(source: str) -> Iterator[Import]:
    """Every import of a module, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield Import(".", node.lineno)
            elif node.module == PACKAGE:
                yield from (Import(f"{PACKAGE}.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield Import(node.module or "", node.lineno)


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module of the package, given its path below it without suffix: ("app",
    "wiring") -> "app.wiring".
    """
    if parts[0] == "app" and parts[1:] and parts[1].startswith("wiring"):
        return "app.wiring"
    return "cli" if parts[0].startswith("cli") else parts[0]


def faults(room: str, parts: tuple[str, ...], source: str) -> Iterator[str]:
    allowed = MAY_IMPORT.get(room)
    if allowed is None:
        yield f"there is no room called {room!r}"
        return
    for found in imports(source):
        top, *rest = found.module.split(".")
        why = None
        if top == "":
            why = "imports relatively"
        elif top == PACKAGE and rest:
            why = _inner_fault(room, allowed, parts, tuple(rest))
        elif top in HOST_ONLY and room not in {"host", "scripts"}:
            why = f"imports {top}, which the WebUI's process alone has"
        elif room in STDLIB_ONLY and top != PACKAGE and not _is_stdlib(top):
            why = f"imports {top}, but has the standard library alone"
        elif room == "core" and top != "numpy" and not _is_stdlib(top):
            why = f"imports {top}; core has the standard library and numpy"
        if why:
            yield f"{'/'.join(parts)}:{found.line} {why}"


def _inner_fault(
    room: str, allowed: set[str], parts: tuple[str, ...], target: tuple[str, ...]
) -> str | None:
    target_room = room_of(target)
    if target == ("__version__",):
        return None
    if room == target_room == "core":
        return _order_fault(parts[1], target[1]) if len(target) > 1 else None
    if room == target_room == "backends":
        return _sibling_fault(parts, target)
    if room == "app" and target_room == "app.wiring":
        return "imports the wiring, which stands above it"
    known = (
        {room, *allowed}
        | ({"app.wiring"} if "app" in allowed else set())
        | ({"app"} if room == "app.wiring" else set())
    )
    if target_room in known:
        return None
    return f"imports {'.'.join(target)}, which {room} may not know"


def _order_fault(here: str, there: str) -> str | None:
    if there == here or CORE_ORDER.index(there) < CORE_ORDER.index(here):
        return None
    return f"imports core.{there}, which stands to the right of core.{here}"


def _sibling_fault(parts: tuple[str, ...], target: tuple[str, ...]) -> str | None:
    if len(target) < 2 or parts[1] == target[1] or target[1] in SHARED_BACKENDS:
        return None
    return f"imports the back end {target[1]}; back ends know core alone"


def _is_stdlib(top: str) -> bool:
    import sys

    return top in sys.stdlib_module_names


def modules() -> Iterator[tuple[str, tuple[str, ...], Path]]:
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield room_of(parts), parts, path
    yield "install", ("install",), ROOT / "install.py"
    for path in sorted((ROOT / "scripts").glob("*.py")):
        yield "scripts", ("scripts", path.stem), path


def test_everybody_imports_only_whom_they_may() -> None:
    found = [
        fault
        for room, parts, path in modules()
        for fault in faults(room, parts, path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


def test_modules_keep_their_size() -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for _, _, path in modules()}
    big = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path, lines in sizes.items()
        if lines > MOST_LINES
    ]
    assert not big, "A second job is hiding in each of these:\n" + "\n".join(big)


def test_there_are_at_least_as_many_lines_of_tests_as_of_code() -> None:
    code = sum(len(path.read_text("utf-8").splitlines()) for _, _, path in modules())
    tests = sum(
        len(path.read_text("utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py")
    )
    assert tests >= code, f"{tests} lines of tests, {code} of code"


def test_nothing_happens_at_import_but_definitions() -> None:
    """No call stands alone at the top of a module: no folder made, no thread, no request, no
    registration.
    """
    found = []
    for room, parts, path in modules():
        for node in ast.parse(path.read_text("utf-8")).body:
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Call)
                and room not in {"install", "scripts"}
            ):
                found.append(f"{'/'.join(parts)}:{node.lineno}")
            if isinstance(node, ast.With | ast.For | ast.While):
                found.append(f"{'/'.join(parts)}:{node.lineno}")
    assert not found, found


@pytest.mark.parametrize(
    ("parts", "source", "why"),
    [
        (("core", "card"), "from stylus_ext.core.plan import Plan", "to the right"),
        (("core", "prompt", "words"), "from stylus_ext.core.tags import write", "to the right"),
        (("core", "card"), "import stylus_ext.backends.store", "may not know"),
        (("core", "masks"), "import scipy.sparse", "standard library and numpy"),
        (("core", "masks"), "def f():\n    import torch", "standard library and numpy"),
        (
            ("backends", "store", "codec"),
            "from stylus_ext.backends.refiners import card",
            "back ends know core",
        ),
        (("backends", "store", "codec"), "from stylus_ext.app import wiring", "may not know"),
        (("app", "plan_prompt"), "from stylus_ext.backends.store import codec", "may not know"),
        (("app", "plan_prompt"), "from stylus_ext.app.wiring import open_stylus", "stands above"),
        (("engine", "server"), "from stylus_ext.backends.store import codec", "may not know"),
        (("engine", "server"), "import gradio", "WebUI's process"),
        (("environment", "build"), "from stylus_ext.core.errors import Note", "may not know"),
        (("environment", "build"), "import httpx", "standard library alone"),
        (("host", "script"), "from stylus_ext.app import plan_prompt", "may not know"),
        (("app", "plan_prompt"), "from . import wiring", "relatively"),
        (("attic", "junk"), "x = 1", "no room"),
    ],
)
def test_a_planted_fault_is_found(parts: tuple[str, ...], source: str, why: str) -> None:
    found = list(faults(room_of(parts), parts, source))
    assert found
    assert why in found[0]


@pytest.mark.parametrize(
    ("parts", "source"),
    [
        (
            ("core", "plan"),
            "from stylus_ext.core.card import AdapterKey\nimport numpy as np\nimport json",
        ),
        (("backends", "chat"), "from stylus_ext.backends.http import Client"),
        (("backends", "store", "codec"), "from stylus_ext.backends.store.schema import X"),
        (
            ("app", "wiring"),
            (
                "from stylus_ext.backends.store import codec\nfrom stylus_ext.app.plan_prompt"
                " import PlanPrompt"
            ),
        ),
        (("engine", "server"), "from stylus_ext.app.wiring import open_stylus"),
        (
            ("cli",),
            (
                "from stylus_ext.environment import rendezvous\nfrom stylus_ext.app.wiring import"
                " open_stylus"
            ),
        ),
        (
            ("host", "script"),
            "import gradio\nimport modules.scripts\nfrom stylus_ext.core.settings import Settings",
        ),
    ],
)
def test_what_is_allowed_passes(parts: tuple[str, ...], source: str) -> None:
    assert list(faults(room_of(parts), parts, source)) == []
