// @ts-check
/* Editor of one adapter in the catalogue: its facts, the user's edits, download and description. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "adapter",
  needs: [
    "core",
    "requests",
    "pictures",
    "sections",
    "job_list",
    "own_marks",
    "triggers",
    "use_history",
    "probes",
    "similar",
    "adapter_types",
  ],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, select, call, attempt, say } = stylus;

    addTexts({
      details: "Details of {name}",
      close: "Close",
      save: "Save",
      undoEdit: "Undo",
      forgetEdits: "Discard my edits",
      text: "Description",
      triggersHint: "one group per line",
      weight: "Weight",
      weightHint: "empty: the card's weight",
      saved: "Saved.",
      unchanged: "Nothing was changed.",
      undone: "The last change was undone.",
      forgotten: "Your edits were discarded.",
      version: "Version",
      creator: "By",
      baseModel: "Made for",
      tag: "Tag",
      size: "Size",
      describedBy: "Described by",
      source: "From",
      licence: "Licence",
      tags: "Tags",
      files: "Files",
      examples: "Example prompts",
      negative: "Negative prompt",
      downloads: "Downloads",
      atSource: "Open its page",
      key: "Key",
      fetchIt: "Download ({size})",
      begun: "Download started. Jobs shows its progress.",
      describeIt: "Describe better",
      describeHint: "Sends its card and pictures to the chat server of the settings.",
      asking: "Asking the chat server ...",
      describedAnew: "Saved the new description.",
      notDescribed: "No new description: {why}",
      stateHint: "always: for every prompt; never: for no prompt",
    });

    /** Kinds that can be chosen even where the catalogue has none of them. */
    const KINDS = [
      "style",
      "character",
      "person",
      "clothing",
      "pose",
      "action",
      "background",
      "building",
      "vehicle",
      "animal",
      "object",
      "concept",
      "unknown",
    ];

    /** Edits that Undo leaves alone. */
    const OWN_MARKS = ["favourite", "note", "tags"];

    /** @typedef {ReturnType<typeof makeInputs>} Inputs */

    /** @param {EntryDetails} entry @param {string[]} kinds */
    function makeInputs(entry, kinds) {
      const inputs = {
        text: el("textarea", {
          rows: "5",
          class: "stylus-input",
          id: "stylus_edit_text",
          value: entry.text,
        }),
        triggers: el("textarea", {
          rows: "3",
          class: "stylus-input",
          id: "stylus_edit_triggers",
          value: entry.triggers.join("\n"),
        }),
        weight: el("input", {
          type: "number",
          step: "0.05",
          min: "-5",
          max: "5",
          class: "stylus-input",
          id: "stylus_edit_weight",
          value: entry.weight ?? "",
        }),
        kind: select(
          [...new Set([...KINDS, ...kinds, entry.kind])].map((kind) => [kind, kind]),
          entry.kind,
        ),
        state: select(
          ["auto", "always", "never"].map((state) => [state, text(`state_${state}`)]),
          entry.state,
        ),
      };
      inputs.kind.id = "stylus_edit_kind";
      inputs.state.id = "stylus_edit_state";
      return inputs;
    }

    /** @param {Inputs} inputs @returns {Record<string, unknown>} */
    function readInputs(inputs) {
      const triggers = inputs.triggers.value.split("\n").map((group) => group.trim());
      return {
        text: inputs.text.value,
        triggers: triggers.filter(Boolean),
        weight: inputs.weight.value === "" ? null : Number(inputs.weight.value),
        kind: inputs.kind.value,
        state: inputs.state.value,
      };
    }

    /**
     * Facts of an entry, by the names of their labels; empty ones are left out.
     * @param {EntryDetails} entry
     */
    function facts(entry) {
      /** @type {[string, unknown][]} */
      const all = [
        ["type", stylus.typeName(entry)],
        ["version", entry.version],
        ["creator", entry.creator],
        ["family", entry.family],
        ["baseModel", entry.base_model],
        ["tag", stylus.writtenAs(entry)],
        ["size", stylus.formatSize(entry.size)],
        ["source", entry.source],
        ["describedBy", entry.described_by],
        ["downloads", entry.downloads],
        ["tags", entry.tags.join(", ")],
        ["negative", entry.negative_text],
        ["licence", entry.licence],
        ["files", entry.files.map(({ path }) => path).join("\n")],
        ["key", entry.key],
      ];
      const stated = all.filter(
        ([, value]) => ![undefined, null, ""].includes(/** @type {any} */ (value)),
      );
      return el(
        "dl",
        { class: "stylus-facts" },
        stated.map(([name, value]) => [el("dt", {}, text(name)), el("dd", {}, String(value))]),
      );
    }

    /**
     * @param {HTMLElement} place
     * @param {EntryDetails} entry
     * @param {AdapterEvents} events
     */
    function drawAdapter(place, entry, events) {
      const head = el("h3", { tabindex: "-1", class: "stylus-title" }, entry.name);
      const line = stylus.statusLine({ id: "stylus_detail_line" });
      const star = stylus.starButton(entry, line, events.changed);
      const own = stylus.ownFields(entry);
      const inputs = makeInputs(entry, events.kinds);
      const shown = readInputs(inputs);
      const primary = "stylus-button stylus-primary";
      const undo = button(text("undoEdit"), () => restore(entry.before, "undone"), {
        id: "stylus_undo",
        hidden: !entry.before,
      });
      const download = button(
        text("fetchIt", { size: stylus.formatSize(entry.size) }),
        startDownload,
        {
          id: "stylus_fetch",
          hidden: true,
        },
      );
      const describe = button(text("describeIt"), describeAgain, {
        id: "stylus_describe",
        title: text("describeHint"),
        hidden: true,
      });

      const measure = stylus.measureButton(entry, line, (now) => redraw(now, "measuredNow"));

      async function close() {
        await own.saved();
        place.hidden = true;
        fill(place);
        events.closed();
      }

      /** Shows the buttons for what the engine can do with this entry. */
      async function showAbilities() {
        const answer = await call("status").catch(() => null);
        const can = answer?.engine_status?.capabilities;
        if (!can) return;
        const refines = can.operations.includes("refine") && can.composers.includes("chat");
        download.hidden = !can.downloads || Boolean(entry.stem) || !entry.remote;
        describe.hidden = !refines || entry.edits.text !== null;
      }

      /** @param {string} name */
      function start(name) {
        return attempt(line, () => call("start", { name, payload: { keys: [entry.key] } }));
      }

      async function startDownload() {
        if (await start("fetch")) say(line, "begun");
      }

      /** Shows the result only while this entry is still the one shown. */
      async function describeAgain() {
        describe.disabled = true;
        say(line, "asking");
        const started = await start("refine");
        const job =
          started && (await attempt(line, () => stylus.followJob(started, () => line.isConnected)));
        describe.disabled = false;
        if (!job || !line.isConnected) return;
        const result = job.result || {};
        if (!result.refined) {
          const reason = Object.keys(result.reasons || {})[0];
          say(line, "notDescribed", {
            why: job.error || result.stopped || reason || text(job.state),
          });
          return;
        }
        const answer = await attempt(line, () => call("show", { key: entry.key }));
        if (answer && line.isConnected) {
          redraw({ ...answer.entry, before: entry.before }, "describedAnew");
        }
      }

      /** @param {EntryDetails} changed @param {string} message */
      function redraw(changed, message) {
        drawAdapter(place, changed, events);
        const newLine = place.querySelector("#stylus_detail_line");
        if (newLine instanceof HTMLElement) say(newLine, message);
        events.changed();
      }

      /** Sends what was changed; an emptied weight takes the user's weight back. */
      async function save() {
        const now = readInputs(inputs);
        const changes = Object.fromEntries(
          Object.entries(now).filter(
            ([name, value]) =>
              value !== null && JSON.stringify(value) !== JSON.stringify(shown[name]),
          ),
        );
        const emptied = now.weight === null && !inputs.weight.validity.badInput;
        if (emptied && entry.edits.weight !== null) {
          await restore({ ...entry.edits, weight: null }, "saved", changes);
        } else if (Object.keys(changes).length) {
          await send({ key: entry.key, ...changes }, "saved");
        } else {
          say(line, "unchanged");
        }
      }

      /**
       * Sets the user's edits to earlier ones, field by field.
       * @param {Edits | null | undefined} edits
       * @param {string} message
       * @param {object} changes
       */
      function restore(edits, message, changes = {}) {
        const kept = Object.entries(edits || {}).filter(
          ([name, value]) => value !== null && !OWN_MARKS.includes(name),
        );
        return send(
          { key: entry.key, undo: true, ...Object.fromEntries(kept), ...changes },
          message,
        );
      }

      /** @param {object} payload @param {string} message */
      async function send(payload, message) {
        await own.saved();
        const answer = await attempt(line, () => call("edit", payload));
        if (!answer) return;
        redraw({ ...answer.entry, picture: entry.picture, before: entry.edits }, message);
      }

      place.hidden = false;
      place.setAttribute("aria-label", text("details", { name: entry.name }));
      fill(
        place,
        el(
          "div",
          { class: "stylus-row" },
          head,
          star,
          button(text("close"), close, { id: "stylus_close" }),
        ),
        entry.picture && stylus.pictures.frame(entry),
        stylus.drawTriggers(entry.triggers),
        own.nodes,
        stylus.drawUses(entry.uses),
        stylus.drawProbe(entry.probe),
        stylus.drawSimilar(entry.key, async (key) => {
          await own.saved();
          events.open(key);
        }),
        field(text("state"), inputs.state, text("stateHint")),
        field(text("text"), inputs.text),
        field(text("triggerWords"), inputs.triggers, text("triggersHint")),
        field(text("weight"), inputs.weight, text("weightHint")),
        field(text("kind"), inputs.kind),
        el(
          "div",
          { class: "stylus-row" },
          button(text("save"), save, { id: "stylus_save", class: primary }),
          undo,
          button(text("forgetEdits"), () => restore(null, "forgotten"), { id: "stylus_forget" }),
          download,
          describe,
          measure,
        ),
        line,
        facts(entry),
        entry.link && stylus.link(entry.link, text("atSource")),
        entry.examples.length > 0 &&
          el(
            "details",
            {},
            el("summary", {}, text("examples")),
            el(
              "ul",
              {},
              entry.examples.map(({ prompt }) => el("li", {}, prompt)),
            ),
          ),
      );
      head.focus();
      showAbilities();
    }

    return { drawAdapter };
  },
});
