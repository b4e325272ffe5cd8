"""Architecture checks: allowed imports, import cycles, module size, unique class names."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "stylus_ext"
MOST_LINES = 400
SAME_LINES = 6

GROUND = {"core"}
MAY_IMPORT: Mapping[str, set[str]] = {
    "core": set(),
    "environment": {"core.errors", "core.files"},
    "net": GROUND,
    "llm": {"net", *GROUND},
    "styleinject": GROUND,
    "catalogue": {"llm", "net", *GROUND},
    "selection": {"llm", "net", *GROUND},
    "downloads": {"catalogue", "net", *GROUND},
    "engine": {"selection", "catalogue", "downloads", "llm", "net", "environment", *GROUND},
    "evaluation": {
        "styleinject",
        "engine",
        "selection",
        "catalogue",
        "downloads",
        "llm",
        "net",
        "environment",
        *GROUND,
    },
    "mcp_server": {"engine", "llm", "environment", *GROUND},
    "cli": {
        "mcp_server",
        "evaluation",
        "engine",
        "selection",
        "catalogue",
        "downloads",
        "llm",
        "net",
        "environment",
        *GROUND,
    },
    "host": {"environment", "styleinject", *GROUND},
    "data": set(),
    "scripts": {"host"},
    "install": {"environment"},
    "tools": {"environment"},
}
HOST_ONLY = {"modules", "gradio", "launch"}
STDLIB_ONLY = {"environment", "install"}


@dataclass(frozen=True)
class Import:
    module: str
    line: int


@dataclass(frozen=True)
class Module:
    """A product module: its package, its dotted path below the root package, and its source."""

    package: str
    path: tuple[str, ...]
    source: str

    @property
    def name(self) -> str:
        parts = self.path[:-1] if self.path[-1] == "__init__" else self.path
        return ".".join((PACKAGE, *parts))


def imports(source: str) -> Iterator[Import]:
    """Every import in a module, function-level imports included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield Import(".", node.lineno)
            else:
                yield from (
                    Import(f"{node.module}.{alias.name}", node.lineno) for alias in node.names
                )


def import_faults(module: Module) -> Iterator[str]:
    allowed = MAY_IMPORT.get(module.package)
    if allowed is None:
        yield f"unknown package {module.package!r}"
        return
    for found in imports(module.source):
        if why := _fault(module.package, allowed, found.module):
            yield f"{'/'.join(module.path)}:{found.line} {why}"


def _fault(package: str, allowed: set[str], target: str) -> str | None:  # noqa: PLR0911
    top, *rest = target.split(".")
    if top == "":
        return "relative import"
    if top == PACKAGE:
        if not rest or rest[0] in {package, "__version__"} or rest[0] in allowed:
            return None
        if ".".join(rest[:2]) in allowed:
            return None
        return f"{package} may not import {'.'.join(rest[:2])}"
    if top in HOST_ONLY and package not in {"host", "scripts"}:
        return f"{top} exists in the WebUI's process only"
    if package in STDLIB_ONLY and top not in sys.stdlib_module_names:
        return f"{top} is not in the standard library"
    if package == "core" and top != "numpy" and top not in sys.stdlib_module_names:
        return f"core may use the standard library and numpy, not {top}"
    return None


def modules() -> list[Module]:
    found = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            found.append(Module(parts[0], parts, path.read_text("utf-8")))
    for path in (ROOT / "install.py", *sorted((ROOT / "scripts").glob("*.py"))):
        package = "install" if path.stem == "install" else "scripts"
        found.append(Module(package, (package, path.stem), path.read_text("utf-8")))
    return found


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one node."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(start: str, edges: Mapping[str, set[str]], out: list[str]) -> None:
        stack = [(start, iter(sorted(edges.get(start, ()))))]
        seen.add(start)
        while stack:
            node, children = stack[-1]
            child = next((one for one in children if one not in seen), None)
            if child is None:
                stack.pop()
                out.append(node)
            else:
                seen.add(child)
                stack.append((child, iter(sorted(edges.get(child, ())))))

    for node in sorted(graph):
        if node not in seen:
            visit(node, graph, order)
    reverse: dict[str, set[str]] = defaultdict(set)
    for node, targets in graph.items():
        for target in targets:
            reverse[target].add(node)
    seen.clear()
    groups: list[list[str]] = []
    for node in reversed(order):
        if node not in seen:
            group: list[str] = []
            visit(node, reverse, group)
            groups.append(sorted(group))
    return [group for group in groups if len(group) > 1]


def module_graph(found: list[Module]) -> dict[str, set[str]]:
    """Module-level and function-level imports; `if TYPE_CHECKING` imports are left out."""
    names = {module.name for module in found}
    graph: dict[str, set[str]] = {}
    for module in found:
        targets = set()
        for one in imports(_without_type_checking(module.source)):
            parent = one.module.rpartition(".")[0]
            target = one.module if one.module in names else parent
            if target in names and target != module.name:
                targets.add(target)
        graph[module.name] = targets
    return graph


def _without_type_checking(source: str) -> str:
    tree = ast.parse(source)
    tree.body = [
        node
        for node in tree.body
        if not (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        )
    ]
    return ast.unparse(tree)


def package_graph(found: list[Module]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = defaultdict(set)
    for module in found:
        for one in imports(module.source):
            top, *rest = one.module.split(".")
            if top == PACKAGE and rest and rest[0] != module.package:
                graph[module.package].add(rest[0])
    graph["environment"].discard("core")  # it uses a few modules of core
    return graph


def class_owners(found: list[Module]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = defaultdict(list)
    for module in found:
        for node in ast.walk(ast.parse(module.source)):
            if isinstance(node, ast.ClassDef):
                owners[node.name].append(module.name)
    return owners


def twin_functions(found: list[Module]) -> list[list[str]]:
    """Functions whose bodies are the same code, six lines or longer."""
    bodies: dict[str, list[str]] = defaultdict(list)
    for module in found:
        for node in ast.walk(ast.parse(module.source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                code = "\n".join(ast.unparse(part) for part in _code(node))
                if len(code.splitlines()) >= SAME_LINES:
                    bodies[code].append(f"{module.name}:{node.name}")
    return [places for places in bodies.values() if len(places) > 1]


def double_stops(module: Module) -> Iterator[str]:
    for handler in ast.walk(ast.parse(module.source)):
        if not isinstance(handler, ast.ExceptHandler) or handler.name is None:
            continue
        if handler.type is not None and ast.unparse(handler.type) == "OSError":
            continue
        for text in (node for node in ast.walk(handler) if isinstance(node, ast.JoinedStr)):
            for part, after in zip(text.values, text.values[1:], strict=False):
                value = ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""
                ends = isinstance(after, ast.Constant) and str(after.value).startswith(".")
                names_error = re.search(rf"\b{handler.name}\b(?!\.)", value)
                if ends and names_error and not value.startswith("reason_of("):
                    yield f"{module.name}:{text.lineno} {value}"


def _code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    first = node.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1:] if has_docstring else node.body


def test_packages_import_only_what_they_may() -> None:
    found = [fault for module in modules() for fault in import_faults(module)]
    assert not found, "\n".join(found)


def test_there_is_no_import_cycle() -> None:
    found = modules()
    assert cycles(package_graph(found)) == []
    assert cycles(module_graph(found)) == []


def test_modules_keep_their_size() -> None:
    big = [
        f"{module.name}: {lines} lines"
        for module in modules()
        if (lines := len(module.source.splitlines())) > MOST_LINES
    ]
    assert not big, "\n".join(big)


def test_a_class_name_has_one_definition() -> None:
    found = {name: owners for name, owners in class_owners(modules()).items() if len(owners) > 1}
    assert not found, found


def test_no_function_is_written_twice() -> None:
    assert twin_functions(modules()) == []


def test_no_message_has_two_full_stops() -> None:
    """The text of an error before a full stop goes through `reason_of`, but that of an OSError."""
    found = [fault for module in modules() for fault in double_stops(module)]
    assert not found, found


def test_a_planted_double_full_stop_is_found() -> None:
    source = "try:\n    f()\nexcept ValueError as error:\n    raise X(f'Bad: {%s}. Go.') from error"
    assert list(double_stops(planted("core/one", source % "error")))
    assert not list(double_stops(planted("core/one", source % "reason_of(error)")))


def test_importing_a_module_only_defines_things() -> None:
    """No call stands alone at the top of a module."""
    found = []
    for module in modules():
        for node in ast.parse(module.source).body:
            call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if call and module.package not in {"install", "scripts"}:
                found.append(f"{module.name}:{node.lineno}")
            if isinstance(node, ast.With | ast.For | ast.While):
                found.append(f"{module.name}:{node.lineno}")
    assert not found, found


def planted(path: str, source: str) -> Module:
    parts = tuple(path.split("/"))
    return Module(parts[0], parts, source)


@pytest.mark.parametrize(
    ("path", "source", "why"),
    [
        ("core/card", "from stylus_ext.catalogue import store", "may not import"),
        ("core/masks", "import scipy.sparse", "standard library and numpy"),
        ("core/masks", "def f():\n    import torch", "standard library and numpy"),
        ("net/client", "from stylus_ext.llm.client import Chat", "may not import"),
        ("catalogue/refresh", "from stylus_ext.selection.plan import PlanPrompt", "may not import"),
        ("selection/plan", "from stylus_ext.catalogue.store import codec", "may not import"),
        ("downloads/part", "from stylus_ext.selection import plan", "may not import"),
        ("engine/server", "import gradio", "WebUI's process"),
        ("environment/build", "from stylus_ext.core.card import AdapterKey", "may not import"),
        ("environment/build", "import httpx", "standard library"),
        ("host/script", "from stylus_ext.selection import plan", "may not import"),
        ("styleinject/files", "from stylus_ext.net import Client", "may not import"),
        ("styleinject/files", "from modules import shared", "WebUI's process"),
        ("host/script", "def f():\n    from stylus_ext.engine import jobs", "may not import"),
        ("engine/jobs", "from . import server", "relative"),
        ("attic/junk", "x = 1", "unknown package"),
    ],
)
def test_a_planted_import_is_found(path: str, source: str, why: str) -> None:
    assert [fault for fault in import_faults(planted(path, source)) if why in fault]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "core/plan",
            "from stylus_ext.core.card import AdapterKey\nimport numpy as np\nimport json",
        ),
        ("llm/client", "from stylus_ext.net import Client"),
        ("engine/server", "from stylus_ext.catalogue.store.sqlite import SqliteStore"),
        ("environment/build", "from stylus_ext.core.errors import StylusError"),
        ("host/script", "import gradio\nfrom stylus_ext.core.settings import Settings"),
    ],
)
def test_an_allowed_import_passes(path: str, source: str) -> None:
    assert list(import_faults(planted(path, source))) == []


def test_a_planted_cycle_is_found() -> None:
    one = planted("core/one", "from stylus_ext.core import two")
    two = planted("core/two", "def f():\n    from stylus_ext.core.one import x")
    assert cycles(module_graph([one, two])) == [["stylus_ext.core.one", "stylus_ext.core.two"]]
    host = planted("host/a", "from stylus_ext.core import one")
    back = planted("core/b", "from stylus_ext.host import a")
    assert cycles(package_graph([host, back])) == [["core", "host"]]


def test_a_planted_twin_is_found() -> None:
    body = "\n".join(f"    x{number} = {number}" for number in range(SAME_LINES))
    one, two = planted("core/one", f"def f():\n{body}"), planted("core/two", f"def g():\n{body}")
    assert twin_functions([one, two]) == [["stylus_ext.core.one:f", "stylus_ext.core.two:g"]]


def test_a_planted_class_name_is_found() -> None:
    one, two = planted("core/one", "class A: ..."), planted("net/two", "class A: ...")
    assert class_owners([one, two])["A"] == ["stylus_ext.core.one", "stylus_ext.net.two"]


def test_there_are_at_least_as_many_lines_of_tests_as_of_code() -> None:
    code = sum(len(module.source.splitlines()) for module in modules())
    tests = sum(
        len(path.read_text("utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py")
    )
    assert tests >= code, f"{tests} lines of tests, {code} of code"
