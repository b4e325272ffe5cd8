"""By which the WebUI knows its own page again: gradio's event hands a random token out, the page's
requests bring it back.

gradio lets in only who is logged in; so whoever has such a token stands where the page's own events
stand. Kept in memory alone.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

LASTS_S = 12 * 3600.0
MOST = 500


class PageTokens:
    """One for each open page. One that nobody used for long expires; of too many the longest unused
    goes.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, lasts_s: float = LASTS_S, most: int = MOST
    ) -> None:
        self._now, self._lasts_s, self._most = now, lasts_s, most
        self._used: OrderedDict[str, float] = OrderedDict()
        self._guard = threading.Lock()

    def issue(self) -> str:
        token = secrets.token_urlsafe(32)
        with self._guard:
            self._drop_old()
            self._used[token] = self._now()
            while len(self._used) > self._most:
                self._used.popitem(last=False)
        return token

    def knows(self, token: str) -> bool:
        with self._guard:
            self._drop_old()
            found = ""
            for known in self._used:
                if hmac.compare_digest(known.encode(), token.encode("utf-8", "replace")):
                    found = known
            if found:
                self._used[found] = self._now()
                self._used.move_to_end(found)
            return bool(found)

    def _drop_old(self) -> None:
        until = self._now() - self._lasts_s
        while self._used and next(iter(self._used.values())) < until:
            self._used.popitem(last=False)


PAGES = PageTokens()
"""Of this WebUI process, also after its UI was reloaded."""
