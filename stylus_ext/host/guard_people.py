"""Whom the WebUI lets in: its flags and a request go in, whether this is one of its users comes
out.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.host.guard_request import Asked

_COOKIE = "access-token"


@dataclass(frozen=True, slots=True)
class People:
    """The users of --api-auth, --gradio-auth and --gradio-auth-path."""

    flags: object

    @property
    def wanted(self) -> bool:
        return any(
            getattr(self.flags, name, None)
            for name in ("api_auth", "gradio_auth", "gradio_auth_path")
        )

    @property
    def log_in(self) -> bool:
        """Whether the page itself is behind gradio's login."""
        return any(getattr(self.flags, name, None) for name in ("gradio_auth", "gradio_auth_path"))

    def logged_in(self, who: Asked) -> bool:
        """By gradio's login: its cookie, or the user whom gradio itself names in an event."""
        if not self.log_in:
            return False
        given = [value for name, value in who.cookies.items() if name.startswith(_COOKIE)]
        return bool(who.user) or any(who.tokens.get(value) for value in given)

    def has_password(self, who: Asked) -> bool:
        """By HTTP's basic scheme, as the WebUI's own API has it."""
        scheme, _, coded = who.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(coded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        matches = [hmac.compare_digest(given, pair.encode()) for pair in self._pairs()]
        return any(matches)

    def _pairs(self) -> list[str]:
        stated = [
            str(getattr(self.flags, name, None) or "") for name in ("api_auth", "gradio_auth")
        ]
        path = getattr(self.flags, "gradio_auth_path", None)
        if path:
            with contextlib.suppress(
                OSError, UnicodeDecodeError
            ):  # the WebUI itself does not start with such a file
                stated += Path(path).read_text(encoding="utf-8").splitlines()
        pairs = [one.strip() for line in stated for one in line.split(",")]
        return [one for one in pairs if ":" in one]
