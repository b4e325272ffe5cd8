"""The output folder: the run's settings, its plans, and one line for every picture made.

`run.json` holds what all pictures share, `plans.jsonl` the texts of each arm and prompt,
`manifest.jsonl` the pictures. A picture is on disk before its line is, so a killed run loses at
most the picture that was being made.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.files import write_file

RUN, PLANS, MANIFEST, PICTURES = "run.json", "plans.jsonl", "manifest.jsonl", "pictures"

DEFAULT_CFG = 7.0

Place = tuple[str, int, int, float]
"""Arm, number of the prompt, number of the picture, and CFG scale."""


@dataclass(frozen=True, slots=True)
class ArmTexts:
    """The final texts of one prompt in one arm, one for each picture.

    `tasks` are those of the plan: `{"task": part of the prompt, "style": names of its picks}`.
    """

    arm: str
    prompt: int
    texts: tuple[str, ...]
    negatives: tuple[str, ...]
    adapters: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    tasks: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ArmPicture:
    """One picture and its facts; `prompt` and `number` are places, `file` is below the folder.

    `cfg` is the CFG scale. `memory_mb` is the most GPU memory; None where it is unknown.
    """

    arm: str
    prompt: int
    number: int
    seed: int
    text: str
    negative: str
    file: str
    sha256: str
    seconds: float
    planning_seconds: float
    checkpoint: str = ""
    infotext: str = ""
    cfg: float = 0.0
    memory_mb: float | None = None

    @property
    def place(self) -> Place:
        return self.arm, self.prompt, self.number, self.cfg


class PictureFolder:
    """The folder of one run. `settings` are those of `run.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {}

    def open(self, settings: Mapping[str, Any]) -> None:
        """Begin a run, or resume the same one."""
        wanted = json.loads(json.dumps(settings))
        file = self.folder / RUN
        if file.exists():
            found = self.read_settings()
            changed = sorted(name for name in wanted if wanted[name] != found.get(name))
            if changed and not (self.plans() or self.pictures()):
                self._begin(wanted)
            elif changed:
                raise InvalidInput(
                    f"{self.folder} has a run with other settings ({', '.join(changed)}). Name"
                    " another folder with --out."
                )
        else:
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise InvalidInput(
                    f"{self.folder} is not empty and has no run. Name another folder with --out."
                )
            self._begin(wanted)
        (self.folder / PICTURES).mkdir(exist_ok=True)

    def _begin(self, settings: dict[str, Any]) -> None:
        try:
            (self.folder / PICTURES).mkdir(parents=True, exist_ok=True)
            write_file(self.folder / RUN, json.dumps(settings, indent=1), durable=True)
        except OSError as error:
            reason = error.strerror or error
            raise InvalidInput(
                f"{self.folder} cannot be written: {reason}. Name another folder with --out."
            ) from error
        self.settings = settings

    def read_settings(self) -> dict[str, Any]:
        file = self.folder / RUN
        try:
            self.settings = _current_form(dict(json.loads(file.read_text("utf-8"))))
        except FileNotFoundError as error:
            raise InvalidInput(f"{self.folder} has no run of `evaluate`.") from error
        except (OSError, ValueError, TypeError) as error:
            raise InvalidInput(f"{file} cannot be used: {reason_of(error)}.") from error
        return self.settings

    def plans(self) -> dict[tuple[str, int], ArmTexts]:
        names = {item.name for item in fields(ArmTexts)}
        found = (
            ArmTexts(**{name: _tupled(value) for name, value in line.items() if name in names})
            for line in read_lines(self.folder / PLANS)
        )
        return {(each.arm, each.prompt): each for each in found}

    def add_plan(self, plan: ArmTexts) -> None:
        append_line(self.folder / PLANS, asdict(plan))

    def pictures(self) -> list[ArmPicture]:
        """The pictures whose files are there, the latest of each place."""
        names = {item.name for item in fields(ArmPicture)}
        found = {}
        for line in read_lines(self.folder / MANIFEST):
            if "cfg" not in line:  # written before a run could have several scales
                line["cfg"] = (self.settings or self.read_settings())["cfg"][0]
            made = ArmPicture(**{name: value for name, value in line.items() if name in names})
            if (self.folder / made.file).is_file():
                found[made.place] = made
        return list(found.values())

    def write_picture(self, place: Place, data: bytes) -> str:
        """Write the picture's file and return its name below the folder."""
        arm, prompt, number, cfg = place
        arm_number = self.settings["arms"].index(arm)
        name = f"{PICTURES}/{prompt:05d}-{number:02d}-arm{arm_number}-cfg{cfg:g}.png"
        write_file(self.folder / name, data, durable=True)
        return name

    def add_picture(self, made: ArmPicture) -> None:
        append_line(self.folder / MANIFEST, asdict(made))


def _current_form(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings in today's form: older runs have one CFG scale, among the fields."""
    if "cfg" in settings:
        return settings
    fields = dict(settings.get("fields", {}))
    scale = float(fields.pop("cfg_scale", DEFAULT_CFG))
    return {**settings, "fields": fields, "cfg": [scale]}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def append_line(file: Path, value: Mapping[str, Any]) -> None:
    """Add one line, on disk before this returns; a torn line before it is ended."""
    with file.open("a+b") as opened:
        if opened.tell() > 0:
            opened.seek(-1, os.SEEK_END)
            if opened.read(1) != b"\n":
                opened.write(b"\n")
        opened.write(json.dumps(value).encode() + b"\n")
        opened.flush()
        os.fsync(opened.fileno())


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; torn lines are skipped."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
