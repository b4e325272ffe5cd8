from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest

from stylus_ext.core.errors import StoreProblem
from stylus_ext.engine import serve as module
from stylus_ext.engine.serve import LOG_FILE, logged_to


def test_the_log_has_our_steps_and_the_warnings_of_libraries(tmp_path: Path) -> None:
    with logged_to(tmp_path) as path:
        logging.getLogger("stylus_ext.selection").info("one step \ud800")
        logging.getLogger("httpx").info("a request to a url")
        logging.getLogger("httpx").warning("a real problem")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("a library warns", stacklevel=1)
    logging.getLogger("stylus_ext.selection").warning("after the end")
    text = path.read_text("utf-8")
    assert "INFO stylus_ext.selection: one step \\ud800" in text
    assert "a real problem" in text
    assert "a library warns" in text
    assert "a request to a url" not in text
    assert "after the end" not in text


def test_log_files_are_private_and_limited_in_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_LOG", 1000)
    with logged_to(tmp_path):
        for number in range(200):
            logging.getLogger("stylus_ext.test").info("step %d", number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        LOG_FILE,
        *(f"{LOG_FILE}.{number}" for number in range(1, module.OLD_LOGS + 1)),
    ]
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_size <= 1100
    assert "step 199" in files[0].read_text("utf-8")


def test_standard_error_gets_no_more_than_before(tmp_path: Path) -> None:
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.WARNING)
    try:
        with logged_to(tmp_path):
            logging.getLogger("stylus_ext.test").info("a step")
            logging.getLogger("stylus_ext.test").warning("a warning")
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
    assert heard == ["a warning"]
    assert ear.level == logging.NOTSET


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).mkdir()
    with pytest.raises(StoreProblem, match=r"engine\.log"), logged_to(tmp_path):
        pass
