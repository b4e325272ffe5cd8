// @ts-check
/* What pictures made with an adapter showed of it, and the button to measure it. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "probes",
  needs: ["core", "requests", "job_list"],
  start(stylus) {
    const { addTexts, text, el, button, call, attempt, say } = stylus;

    addTexts({
      measure: "Measure",
      measureHint:
        "Makes small pictures with it at several weights while the WebUI is idle, and compares them. Nothing leaves this machine.",
      measuring: "Measuring started. Jobs shows its progress.",
      measuredNow: "Measured.",
      notMeasured: "Not measured: {why}",
      measured: "Measured with pictures",
      strengthOf: "Strength {strength}, consistency {consistency}",
      strengthHint:
        "Strength: 1 changes a picture as much as another prompt. Consistency: 1 changes all pictures alike.",
      breaksAt: "Breaks pictures from weight {weight} on",
      advisedWeight: "Advised weight: {weight}",
      trouble_broken: "Breaks every picture. The file may be damaged.",
      trouble_failed: "The WebUI makes no picture with it. The file may be damaged.",
      trouble_no_effect: "Changes no picture. It may be made for another base model.",
      measuredWith: "{checkpoint}, {made}",
      mark_broken: "broken",
      mark_failed: "broken",
      mark_no_effect: "no effect",
    });

    /** @param {Probe | null | undefined} probe @returns {Child[]} */
    function drawProbe(probe) {
      if (!probe) return [];
      const { strength, consistency, breaks_at, weight, trouble, checkpoint, made } = probe;
      const figures = text("strengthOf", {
        strength: strength.toFixed(2),
        consistency: consistency.toFixed(2),
      });
      return [
        el("h4", {}, text("measured")),
        el(
          "p",
          { id: "stylus_probe" },
          trouble
            ? el("strong", {}, text(`trouble_${trouble}`))
            : el("span", { title: text("strengthHint") }, figures),
          !trouble && breaks_at !== null && ` · ${text("breaksAt", { weight: breaks_at })}`,
          weight !== null && ` · ${text("advisedWeight", { weight })}`,
          " ",
          el("span", { class: "stylus-hint" }, text("measuredWith", { checkpoint, made })),
        ),
      ];
    }

    /** @param {string | undefined} trouble */
    const troubleMark = (trouble) => (trouble ? text(`mark_${trouble}`) : "");

    /**
     * `changed` gets the entry as it is after measuring, while it is still shown.
     * @param {EntryDetails} entry
     * @param {HTMLElement} line
     * @param {(entry: EntryDetails) => void} changed
     */
    function measureButton(entry, line, changed) {
      const made = button(text("measure"), measure, {
        id: "stylus_measure",
        title: text("measureHint"),
        hidden: !entry.stem || (entry.type ?? "lora") !== "lora",
      });

      async function measure() {
        made.disabled = true;
        const payload = { keys: [entry.key] };
        const started = await attempt(line, () => call("start", { name: "probe", payload }));
        if (started) say(line, "measuring");
        const job =
          started && (await attempt(line, () => stylus.followJob(started, () => line.isConnected)));
        made.disabled = false;
        if (!job || !line.isConnected) return;
        if (job.state !== "done") {
          say(line, "notMeasured", { why: job.error || text(job.state) });
          return;
        }
        const answer = await attempt(line, () => call("show", { key: entry.key }));
        if (answer && line.isConnected) changed({ ...answer.entry, before: entry.before });
      }

      return made;
    }

    return { drawProbe, troubleMark, measureButton };
  },
});
