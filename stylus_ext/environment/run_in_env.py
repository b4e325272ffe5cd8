"""Run a module in the private environment; as a script, this is the child's first file.

The child's `sys.path`: the environment's folders, the extension, then the interpreter's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PATH_VARIABLE = "STYLUS_ENGINE_PATH"
# Set when not even torch comes from the interpreter: then none of its packages is looked at.
ALONE_VARIABLE = "STYLUS_ENGINE_ALONE"


def command(module: str, *arguments: str) -> list[str]:
    """Return the command for `python -m module arguments` in this environment."""
    return [sys.executable, "-s", str(Path(__file__).resolve()), "-m", module, *arguments]


def main_command(module: str, *arguments: str) -> list[str]:
    """Return the command that calls the module's `main(arguments)` in this environment."""
    return [sys.executable, "-s", str(Path(__file__).resolve()), "-c", module, *arguments]


def variables(path: list[str], base: Mapping[str, str], gpu: bool = False) -> dict[str, str]:
    """Return the child's variables: no foreign packages, no byte code, no GPU by default."""
    kept = {name: value for name, value in base.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    added = {
        PATH_VARIABLE: os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "ANONYMIZED_TELEMETRY": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    # The picture needs the GPU.
    return kept | added | ({} if gpu else {"CUDA_VISIBLE_DEVICES": ""})


def search_path(listed: str, present: list[str], root: str, alone: bool = False) -> list[str]:
    """Return the stated folders, the extension's root and the rest, without doubles."""
    front = [folder for folder in listed.split(os.pathsep) if folder]
    if root not in front:
        front.append(root)
    foreign = ("site-packages", "dist-packages") if alone else ()
    return front + [
        folder for folder in present if folder not in front and Path(folder).name not in foreign
    ]


def _enter() -> list[object]:
    """Set the path, and lock the environment's folders for this process's life."""
    here = Path(__file__).resolve()
    root = str(here.parents[2])
    present = [folder for folder in sys.path if folder and Path(folder).resolve() != here.parent]
    alone = os.environ.get(ALONE_VARIABLE) == "1"
    sys.path[:] = search_path(os.environ.get(PATH_VARIABLE, ""), present, root, alone)
    from stylus_ext.core.errors import SetupProblem
    from stylus_ext.environment.files import hold_folder

    what = " ".join(["Stylus", *sys.argv[2:4]])
    try:
        return [
            hold_folder(Path(folder), what)
            for folder in sys.path
            if Path(folder).parent.name == ".engine"
        ]
    except SetupProblem as problem:
        sys.exit(str(problem))


def _run() -> None:
    import importlib
    import runpy

    held = _enter()
    how, module, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    sys.argv[:] = [module, *arguments]
    if how == "-m":
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    code = importlib.import_module(module).main(arguments)
    del held
    sys.exit(code)


if __name__ == "__main__":
    try:
        _run()
    except KeyboardInterrupt:
        # The exit code that shells expect after Ctrl+C; a traceback would not help.
        sys.exit(130)
