"""Makes pictures of probes in the WebUI's process while it is idle; the engine measures them."""

from __future__ import annotations

import base64
import io
import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import Cancelled, InvalidInput, Unavailable
from stylus_ext.core.probing import ProbePlace, ProbeSettings
from stylus_ext.host.idle_work import FINISHED, Step, Steps

logger = logging.getLogger(__name__)

Ask = Callable[[str, Mapping[str, Any]], "dict[str, Any]"]
"""Performs an operation of the engine, to its end."""
_JOB = "stylus_probe"
_POLL_S = 0.5


@dataclass(slots=True)
class ProbeWork:
    """Measures LoRAs one after another. Each picture is kept by the engine when it is made."""

    ask: Ask
    settings: ProbeSettings
    loras: Sequence[Mapping[str, Any]]
    make: Callable[[Mapping[str, Any]], bytes]

    @property
    def pictures(self) -> int:
        """Pictures in all, without those that all LoRAs share."""
        return len(self.loras) * len(list(self.settings.places()))

    def steps(self) -> Steps:
        measured, troubles, changed = 0, list[str](), list[str]()
        for lora in self.loras:
            about = {"key": lora["key"], "settings": asdict(self.settings)}
            try:
                yield from self._pictures(lora, about)
                probe = self.ask("measure", about)["probe"]
            except InvalidInput as problem:  # such as a file that was replaced meanwhile
                logger.warning("%s was not measured: %s", lora["name"], problem)
                changed.append(lora["name"])
                continue
            measured += 1
            if probe["trouble"]:
                troubles.append(lora["name"])
        return {"measured": measured, "troubles": troubles, "not_measured": changed}

    def _pictures(
        self, lora: Mapping[str, Any], about: Mapping[str, Any]
    ) -> Generator[Step, Any, None]:
        missing = self.ask("probe_pictures", about)["missing"]
        own = [place for place in missing if place["weight"]]
        known = len(list(self.settings.places())) - len(own)
        text = f"Making pictures with {lora['name']}"
        yield Step(bool, text, counts=known, holds_queue=False)
        for place in missing:
            request = self.settings.request(ProbePlace(**place), lora["stem"])
            counts = 1 if place["weight"] else 0
            try:
                data = yield Step(partial(self.make, request), text, counts=counts)
            except Exception as problem:
                logger.warning("no picture with %s: %s", lora["name"], problem)
                if not place["weight"]:
                    raise _no_picture() from problem
                yield from self._check(place, text)
                data = b""
            self.ask(
                "probe_picture",
                {**about, **place, "data": base64.b64encode(data).decode("ascii")},
            )

    def _check(self, place: Mapping[str, int], text: str) -> Generator[Step, Any, None]:
        """Make the same picture without the LoRA, to know which of the two is at fault."""
        base = ProbePlace(0, place["prompt"], place["seed"])
        try:
            yield Step(partial(self.make, self.settings.request(base, "")), text, counts=0)
        except Exception as problem:
            raise _no_picture() from problem


def _no_picture() -> Unavailable:
    return Unavailable("The WebUI could not make a picture without a LoRA. See the WebUI's log.")


@contextmanager
def _kept_prompt() -> Iterator[None]:
    """Keep the file from which the WebUI restores the user's last prompt."""
    from modules import paths

    file = Path(paths.data_path) / "params.txt"
    before = file.read_bytes() if file.is_file() else None
    try:
        yield
    finally:
        if before is not None:
            file.write_bytes(before)
        else:
            file.unlink(missing_ok=True)


def make_picture(request: Mapping[str, Any]) -> bytes:
    """Make one picture as the WebUI's API does, without scripts; nothing is saved. PNG."""
    from modules import shared
    from modules.processing import StableDiffusionProcessingTxt2Img, process_images

    made = StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        **request,
        batch_size=1,
        n_iter=1,
        do_not_save_samples=True,
        do_not_save_grid=True,
    )
    with closing(made) as p, _kept_prompt():
        shared.state.begin(job=_JOB)
        try:
            images = process_images(p).images
            if shared.state.interrupted or shared.state.skipped or not images:
                raise Cancelled("A picture was interrupted, so measuring stopped.")
        finally:
            shared.state.end()
    file = io.BytesIO()
    images[0].save(file, "PNG")
    return file.getvalue()


def finished_job(
    job: Mapping[str, Any],
    poll: Callable[[str], Mapping[str, Any]],
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Wait for a job of the engine; its failure is an error."""
    while job["state"] not in FINISHED:
        sleep(_POLL_S)
        job = poll(str(job["id"]))
    if job["state"] != "done":
        raise Unavailable(str(job["error"]))
    return dict(job["result"])
