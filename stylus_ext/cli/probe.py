"""`probe`: measure what LoRAs do to pictures of a checkpoint."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stylus_ext.cli.flags import Help, absolute_paths, add_flags, add_folders, add_number
from stylus_ext.cli.session import ProgressLine, session
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import UNKNOWN, listed_family
from stylus_ext.core.probe import BROKEN, FAILED, NO_EFFECT
from stylus_ext.core.probing import ProbeSettings, usual_side
from stylus_ext.core.settings import Settings
from stylus_ext.environment.machine import data_folder
from stylus_ext.evaluation.pictures.metrics.features import EfficientNetFeatures
from stylus_ext.evaluation.pictures.webui import LOGIN_VARIABLE, WebUi
from stylus_ext.evaluation.probes.run import Ask, Prober, ProbeReport

SettingsFor = Callable[[Path, Namespace], Settings]

_STEPS, _CFG, _SAMPLER = 12, 6.0, "Euler"
_MULTIPLE = 8
_TROUBLES = {
    BROKEN: "breaks every picture: its file may be damaged",
    FAILED: "the WebUI makes no picture with it: its file may be damaged",
    NO_EFFECT: "changes no picture: it may be made for another base model",
}


def add(
    commands: Any, add_common: Callable[[ArgumentParser], None], settings_for: SettingsFor
) -> None:
    command = commands.add_parser(
        "probe",
        usage="python install.py probe --webui URL [--lora NAME ...] [--FLAG ...]",
        help="measure what your LoRAs do to pictures of a checkpoint, by a running WebUI",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Makes pictures with each LoRA at several weights by a running WebUI while it is idle,"
            " and measures its\nstrength, its consistency and the weight from which pictures break."
            " Run it again to resume."
        ),
    )
    add_flags(
        command,
        json="print JSON and nothing else on standard output",
        again="measure again what was measured with the same settings",
    )
    command.add_argument(
        "--webui", metavar="URL", help="a running WebUI that was started with --api"
    )
    command.add_argument(
        "--lora",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="measure only these: file names or keys",
    )
    command.add_argument(
        "--family",
        metavar="NAME",
        help="base model family of the checkpoint (default: what Stylus in the WebUI says)",
    )
    add_folders(command, "--lora-dir", "a folder of LoRAs to read first; may be repeated")
    command.add_argument("--size", type=int, metavar="PIXELS", help="side of the pictures")
    add_number(command, "--steps", "steps of the pictures", _STEPS)
    add_number(command, "--cfg", "CFG scale", _CFG)
    command.add_argument(
        "--sampler", default=_SAMPLER, metavar="NAME", help=f"sampler (default: {_SAMPLER})"
    )
    add_common(command)
    command.set_defaults(run=lambda arguments: _run(arguments, settings_for))


def _run(arguments: Namespace, settings_for: SettingsFor) -> int:
    if not arguments.webui:
        raise InvalidInput("Name the running WebUI with --webui, such as http://127.0.0.1:7860.")
    folder = data_folder(arguments.data_dir)
    line = ProgressLine()
    # One try, since a LoRA may make every picture fail.
    webui = WebUi(arguments.webui, tries=1, login=os.environ.get(LOGIN_VARIABLE, ""))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            webui.check()
            ask = _asking(folder, arguments, settings_for)
            if arguments.lora_dir:
                ask("index", {"lora_dirs": absolute_paths(arguments.lora_dir), "hash": False})
            family = _family(arguments.family, webui)
            settings = _probe_settings(arguments, webui.checkpoint(), family)
            prober = Prober(webui, ask, folder, EfficientNetFeatures(), line)
            report = prober.run(settings, family, arguments.lora or None, again=arguments.again)
    finally:
        line.clear()
        webui.close()
    text = json.dumps(asdict(report), indent=2) if arguments.json else "\n".join(lines(report))
    sys.stdout.write(text + "\n")
    return 0


def _asking(folder: Path, arguments: Namespace, settings_for: SettingsFor) -> Ask:
    """Performs operations one by one, so that a WebUI's engine can have the folder meanwhile."""
    settings = settings_for(folder, arguments)

    def ask(name: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        with session(folder, settings, "Stylus probe", arguments.wait) as here:
            return here.call(name, payload)

    return ask


def _family(named: str | None, webui: WebUi) -> str:
    family = listed_family(named) if named else webui.family()
    if not family or family == UNKNOWN:
        raise InvalidInput(
            f"{webui.where} does not say which base model its checkpoint has. Name it with"
            " --family, such as sd1 or sdxl."
        )
    return family


def _probe_settings(arguments: Namespace, checkpoint: str, family: str) -> ProbeSettings:
    side = arguments.size or usual_side(family)
    if side < _MULTIPLE or side % _MULTIPLE:
        raise InvalidInput(f"--size must be a multiple of {_MULTIPLE}.")
    if arguments.steps < 1:
        raise InvalidInput("--steps is too small.")
    return ProbeSettings(
        checkpoint, side, side, arguments.steps, float(arguments.cfg), arguments.sampler
    )


def lines(report: ProbeReport) -> Iterator[str]:
    found = {**report.known, **report.measured}
    if found:
        yield f"{'strength':>8} {'consistency':>11} {'breaks at':>9} {'weight':>6}  LoRA"
    for name, probe in sorted(found.items(), key=lambda item: -item[1]["strength"]):
        trouble = f" ({_TROUBLES[probe['trouble']]})" if probe["trouble"] else ""
        breaks_at, weight = _number(probe["breaks_at"]), _number(probe["weight"])
        yield (
            f"{probe['strength']:>8.2f} {probe['consistency']:>11.2f} {breaks_at:>9} {weight:>6}"
            f"  {name}{trouble}"
        )
    for name in report.not_listed:
        yield f"Not measured, since the WebUI does not list it: {name}"
    yield (
        f"Measured now: {len(report.measured):,}; known before: {len(report.known):,}; of another"
        f" base model: {report.left_out:,}."
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
