// @ts-check
/* Dry run of the panel: what would be chosen now for the prompts of the last pictures. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "dry_run",
  needs: ["core", "requests", "job_list", "plan_view"],
  start(stylus) {
    const { addTexts, text, countText, el, fill, call } = stylus;

    addTexts({
      dryRun: "Dry run",
      rehearse: "Try my last prompts",
      rehearseHint:
        "What would be chosen for the last 50 prompts of your pictures; makes no picture",
      rehearsing: "Planning {done} of {total} ...",
      rehearsed: "{number} prompts: LoRAs chosen for {chosen}, the same as before for {same}.",
      rehearsedOne: "1 prompt: LoRAs chosen for {chosen}, the same as before for {same}.",
      rehearsedPrompt: "Prompt",
      rehearsedOff: "(not in the first batch)",
      rehearsedUsed: "Used before",
      rehearsedNow: "Chosen now",
    });

    /** @param {(DryRunRow["used"][number] & { off?: boolean })[]} adapters */
    function describeAdapters(adapters) {
      const names = adapters.map(({ name, weight, off }) =>
        `${name} ${weight ?? ""} ${off ? text("rehearsedOff") : ""}`.trim(),
      );
      return names.join(", ") || text("noLoras");
    }

    /** @param {DryRunRow[]} rows */
    function drawRows(rows) {
      const heads = ["rehearsedPrompt", "rehearsedUsed", "rehearsedNow"];
      return el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            heads.map((name) => el("th", { scope: "col" }, text(name))),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map(({ prompt, picture, same, used, picks }) =>
            el(
              "tr",
              { class: same ? "stylus-same" : "" },
              el("td", { dir: "auto", title: picture }, prompt),
              el("td", { dir: "auto" }, describeAdapters(used)),
              el(
                "td",
                {
                  dir: "auto",
                  title: picks.map(({ name, reason }) => `${name}: ${reason}`).join("\n"),
                },
                describeAdapters(picks),
              ),
            ),
          ),
        ),
      );
    }

    /** @param {PlanPanel} panel */
    function drawDryRun(panel) {
      const line = el("p", { role: "status", class: "stylus-rehearsed" });
      const table = el("div", { class: "stylus-scroll" });

      /** @param {Job} job */
      function showProgress({ done, total }) {
        fill(line, text("rehearsing", { done, total: total ?? "?" }));
      }

      /** @param {Job} job */
      function showResult({ result, error }) {
        /** @type {DryRunRow[]} */
        const rows = result?.rows ?? [];
        const sentence = () =>
          countText("rehearsed", rows.length, { chosen: result.chosen, same: result.same });
        fill(line, result ? sentence() : error);
        fill(table, rows.length > 0 && drawRows(rows));
      }

      async function run() {
        button.disabled = true;
        try {
          const job = await stylus.followJob(await call("rehearse"), showProgress);
          if (job) showResult(job);
        } catch (/** @type {any} */ error) {
          fill(line, error.message);
        } finally {
          button.disabled = false;
        }
      }

      const button = panel.button(text("rehearse"), text("rehearseHint"), "rehearse", run);
      return el(
        "details",
        { class: "stylus-rehearsal" },
        el("summary", {}, text("dryRun")),
        button,
        line,
        table,
      );
    }

    return { drawDryRun };
  },
});
