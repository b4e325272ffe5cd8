"""The panel in the real gradio, in a real browser. This folder mirrors no room: it tests what all
of them make together.

- `environments.py` builds one private environment for each gradio (3.41.2 of A1111 and reForge,
  4.40.0 with the packages of Forge, and with those of Forge Neo) from the locks `gradio-3`,
  `gradio-4` and `gradio-neo`, with the product's own builder, under `.engine/`; the first run
  builds them. `STYLUS_EVERY_GRADIO=1` runs every file with the last one too.
- `server.py` runs inside such an environment: `webui.py` makes a page shaped like the WebUI's
  around the real script and
  panel (the modules of the host are those of `tests/host/double`), and a real engine plans over
    real LoRA files.
- `chromium.py` finds a Chromium (`STYLUS_CHROMIUM` names one) and opens the page in it; what leaves
  loopback is recorded.

Without a Chromium, an index to build from, or a Python that these gradios know, the tests are
skipped and say why; `STYLUS_BROWSER=required` makes that a failure. `STYLUS_SCREENSHOTS=DIR` keeps
pictures of what was seen.
"""
