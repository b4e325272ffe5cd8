"""The vectors of texts that were asked for lately: a prompt is planned again and again while its
author works on it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np

from stylus_ext.core.ports import Matrix

_MOST = 2048
_QUERY = 64
"""More texts than this at once are a catalogue being indexed, which would only push the prompts
out.
"""


class Recent:
    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[str, Matrix] = OrderedDict()

    def embed(self, texts: Sequence[str], make: Callable[[Sequence[str]], Matrix]) -> Matrix:
        """Vectors of the texts in their order; `make` is asked for those that are not remembered,
        each once.
        """
        if not texts or len(texts) > _QUERY:
            return make(texts)
        with self._lock:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        wanted = [text for text in dict.fromkeys(texts) if text not in known]
        if wanted:
            known.update(zip(wanted, make(wanted), strict=True))
        with self._lock:
            for text in texts:
                self._kept[text] = known[text]
                self._kept.move_to_end(text)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return np.stack([known[text] for text in texts])
