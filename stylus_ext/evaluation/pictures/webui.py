"""A running WebUI, asked for pictures over its API (`/sdapi/v1`)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import PurePath
from typing import Any

from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.evaluation.pictures.maker import ReceivedPicture
from stylus_ext.evaluation.pictures.memory import WebUiMemory
from stylus_ext.net import Http, HttpRefusal, TimeLimits, login_key, origin_of, safe_url

_STYLUS = "Stylus"
_API = "/sdapi/v1"
_LONGEST_S = 3600.0
_MEMORY_S = 10.0
_LARGEST = 512 * 1024 * 1024
_WITHOUT_API = 404
_FAILED = 500
_LOCKED = (401, 403)

LOGIN_VARIABLE = "STYLUS_WEBUI_LOGIN"
"""Environment variable of the login."""


class LoginNeeded(InvalidInput):
    """The WebUI asks for a name and a password, or for others."""


class NoPicture(Unavailable):
    """The WebUI failed to make one picture; it may make others."""


class WebUi:
    """`generate` makes one picture. Stylus in that WebUI is switched off for it."""

    def __init__(self, url: str, tries: int = 3, login: str = "") -> None:
        """`login` is name:password for a WebUI that was started with --api-auth."""
        key = login_key(url, login) if login else None
        self._url = url.rstrip("/")
        self.where = safe_url(origin_of(self._url))
        limits = TimeLimits(
            stall_s=_LONGEST_S, total_s=_LONGEST_S, tries=tries, largest_json=_LARGEST
        )
        self._http = Http(key=key, limits=limits)
        soon = TimeLimits(stall_s=_MEMORY_S, total_s=_MEMORY_S, tries=1)
        self._memory_http = Http(key=key, limits=soon)
        self._memory = WebUiMemory(
            lambda: self._memory_http.json(f"{self._url}{_API}/memory", body=None)
        )
        self._with_stylus = False

    def close(self) -> None:
        self._http.close()
        self._memory_http.close()

    def check(self) -> None:
        """Refuse what is no WebUI with an API."""
        options = self._ask("options")
        if not isinstance(options, Mapping) or "sd_model_checkpoint" not in options:
            raise InvalidInput(f"{self.where} is not a WebUI: it has no checkpoint.")
        scripts = self._ask("scripts")
        names = scripts.get("txt2img", ()) if isinstance(scripts, Mapping) else ()
        self._with_stylus = any(str(name).lower() == _STYLUS.lower() for name in names)

    def checkpoint(self) -> str:
        """The title of the checkpoint that is chosen."""
        options = self._ask("options")
        return str(options["sd_model_checkpoint"]) if isinstance(options, Mapping) else ""

    def family(self) -> str:
        """The base model family of its checkpoint, if Stylus in that WebUI knows it."""
        try:
            status = self._http.json(f"{self._url}/stylus/v1/status")
        except StylusError:
            return ""
        found = status.get("family") if isinstance(status, Mapping) else None
        return found if isinstance(found, str) else ""

    def is_busy(self) -> bool:
        """Whether a picture is being made or waits."""
        progress = self._ask("progress?skip_current_image=true")
        state = progress.get("state") if isinstance(progress, Mapping) else None
        return isinstance(state, Mapping) and bool(state.get("job") or state.get("job_count"))

    def loras(self) -> list[str] | None:
        """The names of its LoRAs; None if this WebUI does not list them."""
        try:
            found = self._ask("loras")
        except InvalidInput:
            return None
        if not isinstance(found, Sequence) or isinstance(found, str):
            return None
        return [_stem(each) for each in found if isinstance(each, Mapping) and each.get("name")]

    def generate(self, fields: Mapping[str, Any]) -> ReceivedPicture:
        """Make one picture; with `init_images` from another picture."""
        body = {
            "batch_size": 1,
            "n_iter": 1,
            "send_images": True,
            "save_images": False,
            "do_not_save_grid": True,
            "do_not_save_samples": True,
            **fields,
        }
        if self._with_stylus:
            body["alwayson_scripts"] = {_STYLUS: {"args": [{"enabled": False}]}}
        with self._memory.watched() as memory:
            started = time.monotonic()
            answer = self._ask("img2img" if "init_images" in fields else "txt2img", body)
            seconds = time.monotonic() - started
        return replace(_received(answer, seconds, self.where), memory_mb=memory.mb)

    def _ask(self, name: str, body: object = None) -> object:
        try:
            return self._http.json(f"{self._url}{_API}/{name}", body=body)
        except HttpRefusal as refusal:
            raise self._explained(refusal, name) from refusal

    def _explained(self, refusal: HttpRefusal, name: str) -> StylusError:
        if refusal.status == _WITHOUT_API:
            return InvalidInput(
                f"{self.where} has no {_API}/{name}. Start the WebUI with --api, or correct"
                " --webui."
            )
        if refusal.status in _LOCKED:
            return LoginNeeded(
                f"{self.where} asks for a login. Set {LOGIN_VARIABLE} to its name:password."
            )
        problem = NoPicture if refusal.status == _FAILED else Unavailable
        return problem(
            f"{refusal} The WebUI could not make the picture; see its log, then run this again."
        )


def _stem(lora: Mapping[str, Any]) -> str:
    path = str(lora.get("path") or "")
    # The WebUI may run on another system, whose paths have backslashes.
    return PurePath(path.replace("\\", "/")).stem if path else str(lora["name"])


def _received(answer: object, seconds: float, where: str) -> ReceivedPicture:
    images = answer.get("images") if isinstance(answer, Mapping) else None
    if not isinstance(images, list) or not images or not isinstance(images[0], str):
        raise Unavailable(f"{where} sent no picture. See its log, then run this again.")
    try:
        data = base64.b64decode(images[0].rpartition(",")[2], validate=True)
        kind = _format_of(data)
    except (binascii.Error, ValueError, OSError, SyntaxError) as error:
        raise Unavailable(f"{where} sent a broken picture. Run this again.") from error
    if kind != "PNG":
        raise InvalidInput(
            f"{where} sends pictures that are not PNG. Set its file format for images to png."
        )
    facts = _facts(answer)
    seed = facts.get("seed")
    infotexts = facts.get("infotexts")
    return ReceivedPicture(
        data,
        round(seconds, 4),
        seed if isinstance(seed, int) else -1,
        str(facts.get("sd_model_name") or ""),
        str(infotexts[0]) if isinstance(infotexts, list) and infotexts else "",
    )


def _format_of(data: bytes) -> str | None:
    """The file format of a picture, all of whose pixels are read."""
    from PIL import Image

    with Image.open(BytesIO(data)) as picture:
        picture.load()
        kind: str | None = picture.format
        return kind


def _facts(answer: object) -> Mapping[str, Any]:
    info = answer.get("info") if isinstance(answer, Mapping) else None
    try:
        found = json.loads(info) if isinstance(info, str) else info
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}
