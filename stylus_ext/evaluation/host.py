"""Measure what Stylus costs the WebUI: its start, and generations with and without it.

Each start is a fresh Python with a reduced WebUI and the real script.
"""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation import invented, webui
from stylus_ext.evaluation.measuring import Command, figure_lines

ROOT = Path(__file__).resolve().parents[2]
STARTS = 7
_LORAS = 200
_TRACED = 40
_ENGINE = "stylus_ext.cli.main"
_START_TIMEOUT_S = 300.0
_LONG_TIMEOUTS = {"stylus_cold_s": 300.0, "stylus_warm_s": 60.0, "stylus_selection_strictness": 0.0}


def measure(folder: Path, plans: int, command: Command, progress: Progress) -> dict[str, Any]:
    order = _order(folder)
    progress.report("starting the WebUI's side", 0, STARTS)
    first = run_reduced_webui(folder, order)
    starts = [run_reduced_webui(folder, {**order, "off": True}) for _ in range(STARTS)]
    progress.report("planning with an engine", 0, plans)
    prompts = list(invented.prompts(plans, seed=3))
    with running_engine(_data_folder(folder), command):
        on = run_reduced_webui(folder, {**order, **_engine_options(folder), "prompts": prompts})
    return {
        "startup_ms": _typical(starts, "startup_ms"),
        "startup_cpu_ms": _typical(starts, "startup_cpu_ms"),
        "first_startup_ms": round(first["startup_ms"], 1),
        "components": starts[0]["components"],
        "also_imported": starts[0]["also_imported"],
        "off_ms": _typical(starts, "off_ms", 4),
        "off_p99_ms": _typical(starts, "off_p99_ms", 4),
        **{name: round(on[name], 1) for name in ("on_warm_ms", "on_warm_p95_ms", "on_first_ms")},
        "plans": plans,
        "changed": on["changed"],
    }


def trace_files(folder: Path, command: Command, progress: Progress) -> dict[str, list[str]]:
    """Return the files with a function called in one warm generation, for each side."""
    order, data = _order(folder), _data_folder(folder)
    progress.report("tracing one generation", 0)
    with running_engine(data, command, "stylus_ext.evaluation.trace", _ENGINE):
        prompts = list(invented.prompts(_TRACED, seed=3))
        traced = {**order, **_engine_options(folder), "prompts": prompts, "trace": str(data)}
        found: dict[str, list[str]] = run_reduced_webui(folder, traced)["files"]
    return found


def _data_folder(folder: Path) -> Path:
    data = folder / "data"
    data.mkdir()
    return data


def _engine_options(folder: Path) -> dict[str, Any]:
    return {"options": {**_LONG_TIMEOUTS, "stylus_data_folder": str(folder / "data")}}


def _order(folder: Path) -> dict[str, Any]:
    loras = folder / "loras"
    loras.mkdir()
    for card in invented.cards(_LORAS):
        write_lora(loras / f"{card.name}.safetensors", card.name)
    return {"root": str(ROOT), "data": str(folder), "loras": str(loras)}


def run_reduced_webui(folder: Path, order: Mapping[str, Any]) -> dict[str, Any]:
    """Start the reduced WebUI once; byte code is kept beside, as in a WebUI."""
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
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Unavailable(f"The reduced WebUI ended early: {last}")
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def write_lora(path: Path, name: str) -> None:
    """Write a small valid LoRA for Stable Diffusion 1.5."""
    module = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors: dict[str, Any] = {
        "__metadata__": {"ss_output_name": name, "ss_base_model_version": "sd_v1"}
    }
    end = 0
    for part, shape in (("lora_down", [1, 768]), ("lora_up", [640, 1])):
        start, end = end, end + 2 * math.prod(shape)
        tensors[f"{module}.{part}.weight"] = {
            "dtype": "F16",
            "shape": shape,
            "data_offsets": [start, end],
        }
    header = json.dumps(tensors).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(end))


@contextmanager
def running_engine(data: Path, command: Command, *modules: str) -> Iterator[None]:
    """Run an engine as the WebUI does; it ends with its standard input."""
    with (data / "engine.out").open("wb") as log:
        process = subprocess.Popen(
            command(*(modules or (_ENGINE,)), "serve", "--bound", "--data-dir", str(data)),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + _START_TIMEOUT_S
        while not (data / "engine.json").exists():
            if process.poll() is not None or time.monotonic() > until:
                log_text = (data / "engine.out").read_text("utf-8", "replace")
                raise Unavailable(f"The engine did not start: {log_text[-500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.communicate()


def _typical(starts: Sequence[Mapping[str, Any]], name: str, digits: int = 1) -> float:
    """Return the minimum, which is least noisy; for loops the median."""
    values = [float(start[name]) for start in starts]
    return round(median(values) if name.startswith("off") else min(values), digits)


lines = figure_lines({"startup_ms": "<= 50", "off_ms": "<= 1"})


def trace_lines(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for side, most in (("engine", 40), ("host", 15)):
        files = found[side]
        yield f"{side + ' files':26} {len(files):>10}  <= {most}"
        yield from (f"  {file}" for file in files)
