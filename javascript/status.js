// @ts-check
/* Status section: the engine, its parts, and what leaves this machine. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "status",
  needs: ["core", "requests", "sections"],
  start(stylus) {
    const { addTexts, text, el, fill, button, call, attempt } = stylus;

    addTexts({
      status: "Status and privacy",
      again: "Refresh",
      stylusVersion: "Stylus",
      engine: "Engine",
      address: "Address",
      process: "Process",
      dataFolder: "Data folder",
      entries: "Catalogue",
      entriesOf: "{entries} LoRAs, {on_disk} of them on disk",
      inStep: "Vectors",
      inStepYes: "up to date",
      inStepNo: "some are missing",
      encoder: "Encoder",
      vectors: "Vector store",
      composers: "Composers",
      fetching: "Downloads",
      fetchingOn: "on",
      fetchingOff: "off",
      loraFolders: "LoRA folders",
      leaves: "Privacy: what leaves this machine",
      leavesNothing: "Nothing.",
      onRequest: "What is sent when you ask for it",
      notes: "Notes",
      settingProblems: "Settings that cannot be used",
      shared: "a shared engine",
    });

    /** States of an engine that change by themselves. */
    const UNDER_WAY = ["starting", "setting_up"];
    const UNDER_WAY_MS = 1000;

    /**
     * Names of labels with their values; empty ones are left out.
     * @param {EngineStatus} status
     */
    function facts({ version, engine, lora_folders, engine_status }) {
      const state = engine.shared ? `${engine.state}, ${text("shared")}` : engine.state;
      const rows = [
        ["stylusVersion", version],
        ["engine", state],
        ["address", engine.url],
        ["process", String(engine.pid || "")],
        ["loraFolders", lora_folders.join("\n")],
      ];
      if (engine_status) {
        const { catalogue, capabilities } = engine_status;
        const counts = {
          entries: catalogue.entries.toLocaleString(),
          on_disk: catalogue.on_disk.toLocaleString(),
        };
        rows.push(
          ["dataFolder", engine_status.data_folder],
          ["entries", text("entriesOf", counts)],
          ["inStep", text(catalogue.in_step ? "inStepYes" : "inStepNo")],
          ["encoder", engine_status.encoder],
          ["vectors", engine_status.vectors],
          ["composers", capabilities.composers.join(", ")],
          ["fetching", text(capabilities.downloads ? "fetchingOn" : "fetchingOff")],
        );
      }
      return rows.filter(([, value]) => value !== "");
    }

    /**
     * A headed list; nothing where it is empty and no text stands for that.
     * @param {string} label
     * @param {string[]} lines
     * @param {string} [none]
     * @returns {Child[]}
     */
    function drawList(label, lines, none) {
      if (!lines.length && !none) return [];
      const items = lines.map((line) => el("li", {}, line));
      const body = lines.length ? el("ul", {}, items) : el("p", {}, text(String(none)));
      return [el("h4", {}, text(label)), body];
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const line = stylus.statusLine({ id: "stylus_status_line" });
      const list = el("dl", { class: "stylus-facts", id: "stylus_status" });
      const sent = el("div", { id: "stylus_leaves" });
      const refresh = button(
        text("again"),
        () => refresh.dispatchEvent(new Event("stylus-refresh", { bubbles: true })),
        { id: "stylus_look_again" },
      );
      fill(place, el("div", { class: "stylus-row" }, refresh), line, list, sent);
      let timer = 0;

      async function show() {
        clearTimeout(timer);
        const status = await attempt(line, () => call("status"));
        if (!status) return;
        const { engine, trouble, engine_status, setting_problems } = status;
        if (UNDER_WAY.includes(engine.state)) timer = setTimeout(show, UNDER_WAY_MS);
        stylus.sayWords(line, engine.sentence, trouble && ` ${trouble}`);
        fill(
          list,
          facts(status).map(([label, value]) => [
            el("dt", {}, text(String(label))),
            el("dd", {}, value),
          ]),
        );
        fill(
          sent,
          drawList("settingProblems", setting_problems),
          engine_status && [
            drawList("leaves", engine_status.leaves_the_machine, "leavesNothing"),
            drawList("onRequest", engine_status.leaves_on_request),
            drawList(
              "notes",
              engine_status.notes.map((note) => note.text),
            ),
          ],
        );
      }

      show();
      return show;
    }

    stylus.sections.status = { label: "status", draw };
  },
});
