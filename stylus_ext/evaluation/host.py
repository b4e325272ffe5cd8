"""What Stylus costs the WebUI itself: at its start, in a generation without it, and in one with it
beside the engine's own time.

In: an empty folder and the command of this environment. Out: milliseconds, measured in fresh plain
Pythons that hold the real script.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation import invented, webui

ROOT = Path(__file__).resolve().parents[2]
STARTS = 7
_LORAS = 200
_TRACED = 40
_ENGINE = "stylus_ext.cli.main"
_PATIENCE_S = 300.0
_UNHURRIED = {"stylus_cold_s": 300.0, "stylus_warm_s": 60.0, "stylus_selection_strictness": 0.0}

Command = Callable[..., Sequence[str]]
"""How `main` of a module is called in this environment, in another process."""


def measure(folder: Path, plans: int, command: Command, progress: Progress) -> dict[str, Any]:
    order = _order(folder)
    progress.report("starting the WebUI's side", 0, STARTS)
    first = stand_in(folder, order)
    starts = [stand_in(folder, {**order, "off": True}) for _ in range(STARTS)]
    found: dict[str, Any] = {
        "startup_ms": _least(starts, "startup_ms"),
        "startup_cpu_ms": _least(starts, "startup_cpu_ms"),
        "first_startup_ms": round(first["startup_ms"], 1),
        "components": starts[0]["components"],
        "also_imported": starts[0]["also_imported"],
        "off_ms": _least(starts, "off_ms", 4),
        "off_p99_ms": _least(starts, "off_p99_ms", 4),
    }
    progress.report("planning with an engine", 0, plans)
    data = folder / "data"
    data.mkdir()
    with engine_beside(data, command):
        options = {**_UNHURRIED, "stylus_data_folder": str(data)}
        on = stand_in(
            folder, {**order, "options": options, "prompts": list(invented.prompts(plans, seed=3))}
        )
    return (
        found
        | {name: round(on[name], 1) for name in ("on_warm_ms", "on_warm_p95_ms", "on_first_ms")}
        | {"plans": plans, "changed": on["changed"]}
    )


def trace_files(folder: Path, command: Command, progress: Progress) -> dict[str, list[str]]:
    """The files in which a function is called for one warm generation, on each side."""
    order = _order(folder)
    data = folder / "data"
    data.mkdir()
    progress.report("tracing one generation", 0)
    with engine_beside(data, command, "stylus_ext.evaluation.trace", _ENGINE):
        options = {**_UNHURRIED, "stylus_data_folder": str(data)}
        prompts = list(invented.prompts(_TRACED, seed=3))
        traced = {**order, "options": options, "prompts": prompts, "trace": str(data)}
        found: dict[str, list[str]] = stand_in(folder, traced)["files"]
    return found


def _order(folder: Path) -> dict[str, Any]:
    loras = folder / "loras"
    loras.mkdir()
    for card in invented.cards(_LORAS):
        write_lora(loras / f"{card.name}.safetensors", card.name)
    return {"root": str(ROOT), "data": str(folder), "loras": str(loras)}


def stand_in(folder: Path, order: Mapping[str, Any]) -> dict[str, Any]:
    """One start of the reduced WebUI. Compiled modules are kept beside, as a WebUI keeps them, and
    not in this copy of the extension.
    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    }
    ran = subprocess.run(
        [sys.executable, "-s", str(Path(webui.__file__).resolve())],
        input=json.dumps(order),
        text=True,
        encoding="utf-8",
        capture_output=True,
        env={**variables, "PYTHONPYCACHEPREFIX": str(folder / "compiled")},
        check=False,
    )
    if ran.returncode:
        last = next(
            (line for line in reversed(ran.stderr.splitlines()) if line.strip()), "it said nothing"
        )
        raise Unavailable(f"The reduced WebUI ended early: {last}")
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def write_lora(path: Path, name: str) -> None:
    """A small true LoRA for Stable Diffusion 1.5, since the engine reads what lies there."""
    module, shapes = (
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k",
        {"lora_down": (1, 768), "lora_up": (640, 1)},
    )
    tensors: dict[str, Any] = {
        "__metadata__": {"ss_output_name": name, "ss_base_model_version": "sd_v1"}
    }
    end = 0
    for part, (rows, columns) in shapes.items():
        start, end = end, end + 2 * rows * columns
        tensors[f"{module}.{part}.weight"] = {
            "dtype": "F16",
            "shape": [rows, columns],
            "data_offsets": [start, end],
        }
    header = json.dumps(tensors).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(end))


@contextmanager
def engine_beside(data: Path, command: Command, *modules: str) -> Iterator[None]:
    """As the WebUI starts it; it ends with its standard input."""
    with (data / "said.log").open("wb") as log:
        process = subprocess.Popen(
            command(*(modules or (_ENGINE,)), "serve", "--bound", "--data-dir", str(data)),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + _PATIENCE_S
        while not (data / "engine.json").exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable(
                    "The engine did not start:"
                    f" {(data / 'said.log').read_text('utf-8', 'replace')[-500:]}"
                )
            time.sleep(0.05)
        yield
    finally:
        process.communicate()


def _least(starts: Sequence[Mapping[str, Any]], name: str, digits: int = 1) -> float:
    """What the code costs: the rest of a noisy machine's time is others'. Of a loop, the median of
    all starts is as good.
    """
    values = [float(start[name]) for start in starts]
    return round(median(values) if name.startswith("off") else min(values), digits)


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    budgets = {"startup_ms": "<= 50", "off_ms": "<= 1"}
    for name, value in found.items():
        shown = ", ".join(value) or "nothing" if isinstance(value, list) else str(value)
        yield f"{name:26} {shown:>10}  {budgets.get(name, '')}".rstrip()


def trace_lines(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for side, most in (("engine", 40), ("host", 15)):
        files = found[side]
        yield f"{side + ' files':26} {len(files):>10}  <= {most}"
        yield from (f"  {file}" for file in files)
