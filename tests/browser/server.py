"""Runs inside a gradio's environment: a file with orders goes in; a page at an address, and one
without Stylus, come out.

Orders: `folder`, `loras` (a folder), `flags` of the host, and `engine`: variables of the tests' own
environment, in which the real engine runs; without them the real set-up is asked, over the
environment of the copy that this program is part of, with the `torch` that its builder will find.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import gradio as gr

from tests.browser.own_files import add_own_files
from tests.browser.webui import WebUI


def main(words: list[str]) -> int:
    orders = json.loads(Path(words[0]).read_text("utf-8"))
    began = time.perf_counter()
    host = WebUI(Path(orders["folder"]), _put)
    for name, value in orders.get("flags", {}).items():
        setattr(host.cmd_opts, name, value)
    _take_loras(host, Path(orders["loras"]))
    vars(sys.modules["networks"])["list_available_networks"] = lambda: _take_loras(
        host, Path(orders["loras"])
    )
    host.opts.data |= orders.get("options", {})
    if orders.get("tagger"):
        _add_tagger(host, Path(orders["folder"]) / "models")
    host.start()
    process = _engine(Path(orders["folder"]) / "stylus", orders)
    spent = round(1000 * (time.perf_counter() - began), 1)
    said = {
        "url": _serve(host.blocks, host),
        "bare": _serve(host.bare, None),
        "gradio": gr.__version__,
        "built_in_ms": host.built_in_ms,
        "started_in_ms": spent,
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the tests are done, or gone
    process.stop()
    return 0


def _put(name: str, value: Any) -> None:
    if name.split(".", maxsplit=1)[0] != "gradio":  # the double's own; here it is the real one
        sys.modules[name] = value


class SlowTagger:
    """As `modules.deepbooru.model`; every picture shows the same."""

    model = None

    def load(self) -> None:
        self.model = self.model or object()

    start = load

    def stop(self) -> None: ...

    def tag_multi(self, image: Any, force_disable_ranks: bool = False) -> str:
        time.sleep(0.5)
        return "red fox, snow"


def _add_tagger(host: WebUI, models: Path) -> None:
    module = host._module("modules.deepbooru", model=SlowTagger())
    host._module("modules.paths_internal", models_path=str(models))
    _put("modules.deepbooru", module)


def _take_loras(host: WebUI, folder: Path) -> None:
    host.cmd_opts.lora_dir = str(folder)
    files = {path.stem: str(path) for path in folder.glob("*.safetensors")}
    for table in (host.loras.available_networks, host.loras.available_network_aliases):
        table.clear()
        table.update(files)


def _engine(folder: Path, orders: dict[str, Any]) -> Any:
    """The desk that the script will find, over an engine's process as the product has it."""
    from stylus_ext.host import compat
    from stylus_ext.host import planner as planners
    from stylus_ext.host.checkpoint import Remembered
    from stylus_ext.host.engine.client import EngineClient
    from stylus_ext.host.engine.setup_state import EngineReport
    from stylus_ext.host.engine.supervisor import EngineProcess
    from stylus_ext.host.planner import Planner, PlannerRegistry
    from tests.host.engines import HereSetup

    class Watched(EngineProcess):
        """Counts who asks how it is."""

        looked = 0

        def report(self) -> EngineReport:
            self.looked += 1
            return super().report()

    setup = (
        HereSetup(extra=orders["engine"]) if "engine" in orders else _real_setup(*orders["torch"])
    )
    process = Watched(folder, setup=setup)
    planner = Planner(
        process, EngineClient(process), Remembered(folder), compat.interrupted, compat.show_progress
    )
    planners.registry = PlannerRegistry(lambda: planner)
    return process


def _real_setup(version: str, reused: bool) -> Any:
    """This program sees no other packages than gradio's, so it has to be told of a torch."""
    from stylus_ext.environment.layout import default_home, default_locks, plan_environment
    from stylus_ext.environment.machine import Torch
    from stylus_ext.host.engine.setup_state import Setup

    return Setup(plan_environment(default_home(), default_locks(), torch=Torch(version, reused)))


def _serve(blocks: Any, host: WebUI | None) -> str:
    if host is None or not getattr(host.cmd_opts, "no_gradio_queue", False):
        # As the hosts do: a number of threads in gradio 3; in gradio 4 a rate of updates.
        blocks.queue(64)
    port = _free_port()
    app, _, _ = blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        show_api=False,
    )
    if host is not None:
        app.add_api_route("/told", lambda: _told(host), methods=["GET"])
        app.add_api_route(
            "/flag/{name}/{value}",
            lambda name, value: _set_flag(host, name, value),
            methods=["POST"],
        )
        app.router.routes[:0] = [
            app.router.routes.pop(),
            app.router.routes.pop(),
        ]  # before gradio's, which take every path
        add_own_files(app)
        for callback in host.callbacks["on_app_started"]:
            callback(blocks, app)
    return f"http://127.0.0.1:{port}/"


def _told(host: WebUI) -> dict[str, Any]:
    """What happened on this side, for the tests to look at."""
    from stylus_ext.host.planner import current_planner

    engine: Any = current_planner().engine
    looked, report = engine.looked, engine.report()
    return {
        "calls": host.calls,
        "infotexts": host.infotexts,
        "errors": host.errors,
        "engine": report.state.value,
        "pid": report.pid,
        "looked": looked,
    }


def _set_flag(host: WebUI, name: str, value: str) -> None:
    """As if the host had been started so; the guard asks each time."""
    setattr(host.cmd_opts, name, value == "on")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
