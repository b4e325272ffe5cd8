"""Make the pictures of probes by a running WebUI while it is idle, and measure them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.probing import ProbePlace, ProbeSettings
from stylus_ext.engine.probes import ProbePictures
from stylus_ext.evaluation.pictures.maker import ReceivedPicture
from stylus_ext.evaluation.pictures.webui import NoPicture
from stylus_ext.evaluation.probes.pictures import FeatureSpace, measure_lora, shown_place

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Performs an operation of the engine."""

REST_S, QUIET_S, BUSY_S = 0.2, 2.0, 1.0


class IdleWebUi(Protocol):
    """Makes pictures, and says whether others are being made."""

    def is_busy(self) -> bool: ...

    def loras(self) -> list[str] | None: ...

    def checkpoint(self) -> str: ...

    def generate(self, fields: Mapping[str, Any]) -> ReceivedPicture: ...


@dataclass
class ProbeReport:
    """What became of the LoRAs; `measured` and `known` are probes by name."""

    measured: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    not_listed: list[str] = field(default_factory=list)
    """Those that the WebUI does not list."""
    left_out: int = 0
    """Those of other families."""
    pictures: int = 0


@dataclass(frozen=True)
class Prober:
    """Measures LoRAs one after another; what is finished stays when it is stopped.

    After other pictures it waits until the WebUI was idle for `quiet_s`; between its own pictures
    it rests, so that a waiting picture comes first.
    """

    webui: IdleWebUi
    ask: Ask
    data_folder: Path
    space: FeatureSpace
    progress: Progress
    rest_s: float = REST_S
    quiet_s: float = QUIET_S
    busy_s: float = BUSY_S

    def run(
        self,
        settings: ProbeSettings,
        family: str,
        keys: Sequence[str] | None = None,
        *,
        again: bool = False,
    ) -> ProbeReport:
        """Measure these LoRAs or all of the family; `again` also what is known already."""
        if missing := self.space.missing():
            raise InvalidInput(missing)
        request = {"family": family, "keys": keys, "settings": settings.fingerprint}
        found = self.ask("probes", request)
        listed = self.webui.loras()
        report = ProbeReport(left_out=found["left_out"])
        wanted = []
        for row in found["entries"]:
            if row["measured"] and not again:
                report.known[row["name"]] = row["probe"]
            elif listed is not None and row["stem"] not in listed:
                report.not_listed.append(row["name"])
            else:
                wanted.append(row)
        pictures = ProbePictures.of(self.data_folder, settings.fingerprint)
        for number, row in enumerate(wanted):
            self.progress.report("Measuring LoRAs", number, len(wanted))
            report.pictures += self._make(pictures, settings, row)
            report.measured[row["name"]] = self._measure(pictures, settings, row)
        self.progress.report("Measuring LoRAs", len(wanted), len(wanted))
        return report

    def _make(
        self, pictures: ProbePictures, settings: ProbeSettings, row: Mapping[str, Any]
    ) -> int:
        """Make the pictures that are missing; returns their number."""
        lora = row["file"]
        places = [*settings.bases(), *settings.places()]
        missing = [place for place in places if not pictures.has(place, lora)]
        for number, place in enumerate(missing):
            step = f"Making pictures with {row['name']}"
            self.progress.report(step, number, len(missing))
            self._wait()
            try:
                data = self.webui.generate(settings.request(place, row["stem"])).data
            except NoPicture:
                if not place.weight:
                    raise
                self._check(settings, place)
                data = None
            if self.webui.checkpoint() != settings.checkpoint:
                raise InvalidInput(
                    f"The checkpoint was changed. Choose {settings.checkpoint} again to go on."
                )
            pictures.keep(place, lora, data)
        return len(missing)

    def _check(self, settings: ProbeSettings, place: ProbePlace) -> None:
        """Make the same picture without the LoRA; it raises if that is not possible either."""
        self._wait()
        self.webui.generate(settings.request(ProbePlace(0, place.prompt, place.seed), ""))

    def _wait(self) -> None:
        """Wait until nothing of the user's is made or waits."""
        time.sleep(self.rest_s)
        while self.webui.is_busy():
            quiet_since = time.monotonic()
            while time.monotonic() - quiet_since < self.quiet_s:
                self.progress.report("Waiting for other pictures", 0)
                time.sleep(min(self.busy_s, self.quiet_s))
                if self.webui.is_busy():
                    quiet_since = time.monotonic()

    def _measure(
        self, pictures: ProbePictures, settings: ProbeSettings, row: Mapping[str, Any]
    ) -> Any:
        found = measure_lora(pictures, settings, row["file"], self.space, self.progress)
        shown = shown_place(settings, found)
        preview = b"" if shown is None else pictures.file(shown, row["file"]).read_bytes()
        measured = ("strength", "consistency", "breaks_at", "weight", "trouble")
        kept = self.ask(
            "keep_probe",
            {
                "key": row["key"],
                **{name: value for name, value in asdict(found).items() if name in measured},
                "checkpoint": settings.checkpoint,
                "features": settings.features,
                "settings": settings.fingerprint,
                "preview": base64.b64encode(preview).decode(),
            },
        )
        pictures.forget(row["file"])
        return kept["probe"]
