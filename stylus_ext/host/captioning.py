"""Describes LoRAs from their pictures by the host's interrogators, while the WebUI is idle."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import Unavailable
from stylus_ext.host.idle_work import Step, Steps
from stylus_ext.host.interrogators import HostInterrogator, attempt

logger = logging.getLogger(__name__)

Ask = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Performs an operation of the engine."""
_LONGEST_CAPTION = 5000
_MOST_TARGETS = 10_000
"""As many as the engine lists."""
_LONGEST_EDGE = 1024
_MOST_FAILURES = 3


@dataclass(slots=True)
class Captioning:
    """The work of one click; each caption is stored in the engine when it is made."""

    ask: Ask
    interrogators: Sequence[HostInterrogator]
    described: int = 0
    captioned: int = 0
    unreadable: int = 0
    failed: int = 0
    _loaded: set[str] = field(default_factory=set)
    _unusable: dict[str, str] = field(default_factory=dict)
    _failures_in_a_row: int = 0

    def targets(self, most: int) -> dict[str, Any]:
        names = [interrogator.name for interrogator in self.interrogators]
        return self.ask("caption_targets", {"interrogators": names, "most": most})

    def steps(self) -> Steps:
        """Ends after a round that has nothing new."""
        tried: set[str] = set()
        while True:
            found = self.targets(most=min(_MOST_TARGETS, 200 + len(tried)))["targets"]
            new = [target for target in found if target["key"] not in tried]
            if not new:
                break
            for target in new:
                tried.add(target["key"])
                for picture in target["pictures"]:
                    yield from self._picture(target, picture)
                if self.ask("caption", {"key": target["key"]})["described"]:
                    self.described += 1
        for interrogator in self.interrogators:
            if interrogator.name in self._loaded:
                yield Step(interrogator.release, counts=0)
        return {
            "described": self.described,
            "captioned": self.captioned,
            "unreadable": self.unreadable,
            "failed": self.failed,
            "notes": [
                {"code": "no_interrogator", "text": text} for text in self._unusable.values()
            ],
        }

    def _picture(
        self, target: Mapping[str, Any], picture: Mapping[str, Any]
    ) -> Generator[Step, Any, None]:
        where = {"key": target["key"], "path": picture["path"]}
        text = f"Looking at pictures of {target['name']}"
        image, sha256 = _read(Path(picture["path"]))
        if image is None:
            self.unreadable += 1
            self.ask("caption", {**where, "captions": {}})
            yield Step(_nothing, text, holds_queue=False)
            return
        where["sha256"] = sha256
        known = self.ask("caption", where)["known"]
        for interrogator in self.interrogators:
            if interrogator.name not in picture["lacks"] or interrogator.name in known:
                continue
            yield from self._load(interrogator)
            if interrogator.name in self._unusable:
                continue
            act = partial(interrogator.caption, image)
            try:
                caption = yield Step(partial(attempt, interrogator, act, "used"), text, counts=0)
            except Unavailable as error:
                logger.warning("%s: %s", picture["path"], error, exc_info=True)
                self.failed += 1
                self._failures_in_a_row += 1
                if self._failures_in_a_row >= _MOST_FAILURES:
                    raise
                continue
            self._failures_in_a_row = 0
            captions = {interrogator.name: _cleaned(caption)}
            self.ask("caption", {**where, "captions": captions})
            self.captioned += 1
        yield Step(_nothing, text, holds_queue=False)

    def _load(self, interrogator: HostInterrogator) -> Generator[Step, Any, None]:
        """Download without the queue, then load; both as the host does at first use.

        The others go on where this fails; with none left the work ends.
        """
        name = interrogator.name
        if name in self._loaded or name in self._unusable:
            return
        title, weights = interrogator.title, interrogator.weights
        try:
            if not weights.is_on_disk():
                text = f"Downloading {title} (about {weights.mb} MB from {weights.site})"
                fetch = partial(attempt, interrogator, weights.fetch, "downloaded")
                yield Step(fetch, text, counts=0, holds_queue=False)
            load = partial(attempt, interrogator, interrogator.load, "loaded")
            yield Step(load, f"Loading {title}", counts=0)
        except Unavailable as error:
            logger.warning("%s", error, exc_info=True)
            self._unusable[name] = str(error)
            if len(self._unusable) == len(self.interrogators):
                raise Unavailable(" ".join(self._unusable.values())) from error
        else:
            self._loaded.add(name)


def _nothing() -> None:
    """A step that only counts."""


def _read(path: Path) -> tuple[Any | None, str]:
    """The picture, not larger than interrogators need, and the SHA256 of its file."""
    from PIL import Image

    try:
        data = path.read_bytes()
        image = Image.open(io.BytesIO(data))
        image.thumbnail((_LONGEST_EDGE, _LONGEST_EDGE))
        return image.convert("RGB"), hashlib.sha256(data).hexdigest()
    except Exception as error:  # noqa: BLE001  # Pillow raises many kinds for broken files
        logger.info("%s is not read: %s", path, error)
        return None, ""


def _cleaned(caption: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in caption)[:_LONGEST_CAPTION]
