"""What a model answered, by what it was asked, so that the same question gets the same answer:
after a restart too, and for nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from stylus_ext.backends.chat.question import Question
from stylus_ext.backends.statements.bounded_json import NotJson, parsed

logger = logging.getLogger(__name__)

MOST = 256
_LARGEST = 4 * 1024 * 1024


class Answers:
    """The last ones, in a file that only its user can read; without one, for as long as the engine
    lives.
    """

    def __init__(self, path: Path | None = None, most: int = MOST) -> None:
        self._path = path
        self._most = most
        self._guard = Lock()
        self._known: OrderedDict[str, Mapping[str, Any]] | None = None

    def get(self, key: str) -> Mapping[str, Any] | None:
        with self._guard:
            known = self._loaded()
            if key in known:
                known.move_to_end(key)
            return known.get(key)

    def put(self, key: str, answer: Mapping[str, Any]) -> None:
        with self._guard:
            known = self._loaded()
            known[key] = answer
            while len(known) > self._most:
                known.popitem(last=False)
            self._keep(known)

    def _loaded(self) -> OrderedDict[str, Mapping[str, Any]]:
        if self._known is None:
            self._known = OrderedDict(self._read())
        return self._known

    def _read(self) -> dict[str, Mapping[str, Any]]:
        if self._path is None:
            return {}
        try:
            if self._path.stat().st_size > _LARGEST:
                return {}
            rows = parsed(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, NotJson) as error:
            logger.warning("%s cannot be read, and is begun anew: %s", self._path, error)
            return {}
        if not isinstance(rows, dict):
            return {}
        return {str(key): answer for key, answer in rows.items() if isinstance(answer, dict)}

    def _keep(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """What cannot be written is asked for again some day; that stops nobody's plan."""
        if self._path is None:
            return
        try:
            handle, part = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(known, file)
            Path(part).replace(self._path)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error)


def key_of(name: str, temperature: float, question: Question) -> str:
    """Prompt, candidates and rules stand in the question's text; the seed counts where the
    temperature lets it.
    """
    seed = question.seed if temperature > 0 else None
    told = json.dumps(
        [name, temperature, seed, question.system, question.user, question.schema_name]
    )
    return hashlib.sha256(told.encode("ascii")).hexdigest()
