"""What is known of the engine now, for all threads: the keeper of the engine writes, whoever asks
reads or waits.
"""

from __future__ import annotations

import logging
import threading

from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.host import engine_report
from stylus_ext.host.engine_report import EngineReport, EngineState

logger = logging.getLogger(__name__)


class Board:
    """`epoch` counts the links, so that a caller whose link broke can wait for another; `failures`
    the vain starts in a row.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.now: EngineReport = engine_report.stopped()
        self.link: EngineLink | None = None
        self.epoch = 0
        self.failures = 0
        self.look = threading.Event()

    def ready(self, url: str, token: str, pid: int, version: str) -> None:
        with self.changed:
            self.epoch += 1
            self.failures = 0
            self.publish(engine_report.ready(url, pid, version), EngineLink(url, token))

    def failed(self, sentence: str) -> None:
        with self.changed:
            self.failures += 1
            self.publish(engine_report.failed(sentence))

    def publish(self, now: EngineReport, link: EngineLink | None = None) -> None:
        with self.changed:
            self.now, self.link = now, link
            self.changed.notify_all()
        (logger.warning if now.state is EngineState.FAILED else logger.info)("%s", now.sentence)
