// @ts-check
/* What a finished job did, as sentences. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "job_results",
  needs: ["core"],
  start({ addTexts, text, countText }) {
    addTexts({
      resultAdded: "{number} new LoRAs",
      resultAddedOne: "1 new LoRA",
      resultUpdated: "{number} updated",
      resultGone: "{number} removed",
      resultLearned: "Learned about {number} LoRAs",
      resultLearnedOne: "Learned about 1 LoRA",
      resultNamed: "{number} files identified",
      resultNamedOne: "1 file identified",
      resultUnknown: "{number} unknown to Civitai",
      resultSaved: "{number} cards saved",
      resultSavedOne: "1 card saved",
      resultUnchanged: "{number} already known",
      resultDescribed: "{number} descriptions written",
      resultDescribedOne: "1 description written",
      resultWouldDescribe: "{number} would be described",
      resultWouldDiscard: "{number} would be deleted",
      resultUnreadable: "{number} pictures cannot be read",
      resultUnreadableOne: "1 picture cannot be read",
      resultFailed: "{number} failed",
      resultFetched: "{number} LoRAs downloaded",
      resultFetchedOne: "1 LoRA downloaded",
      resultDiscarded: "{number} files deleted",
      resultDiscardedOne: "1 file deleted",
      resultCompared: "{number} prompts compared",
      resultComparedOne: "1 prompt compared",
      resultMeasured: "{number} LoRAs measured",
      resultMeasuredOne: "1 LoRA measured",
      resultTroubles: "{number} broken or without effect",
      resultNothing: "Nothing changed",
      estimated: "about",
      spent: "spent",
      cost: "{name}: {tokens_in} tokens read, {tokens_out} written",
      costPaid: "{name}: {tokens_in} tokens read, {tokens_out} written, ${dollars}",
      costUnknown: "{name}: {tokens_in} tokens read, {tokens_out} written, at an unknown price",
      left_out: "Left out: {reason} ({number})",
    });

    /**
     * What a language model takes for the work, or took.
     * @param {"estimated" | "spent"} name
     * @param {Cost} cost
     */
    function describeCost(name, { tokens_in, tokens_out, cost }) {
      const tokens = {
        name: text(name),
        tokens_in: tokens_in.toLocaleString(),
        tokens_out: tokens_out.toLocaleString(),
      };
      if (cost === null) return text("costUnknown", tokens);
      if (cost === 0) return text("cost", tokens);
      return text("costPaid", { ...tokens, dollars: cost.toFixed(cost < 0.1 ? 4 : 2) });
    }

    /** @param {any} list */
    const size = (list) => (Array.isArray(list) ? list.length : Number(list) || 0);

    /**
     * The counts that each job tells, by the names of their texts; zeros are left out.
     * @type {Record<string, (result: any) => [string, number][]>}
     */
    const COUNTS = {
      index: ({ added = 0, written = 0, gone = 0 }) => [
        ["resultAdded", added],
        ["resultUpdated", Math.max(0, written - added)],
        ["resultGone", gone],
      ],
      learn: ({ learned }) => [["resultLearned", size(learned)]],
      identify: ({ found, unknown }) => [
        ["resultNamed", size(found)],
        ["resultUnknown", size(unknown)],
      ],
      sync: ({ written, unchanged }) => [
        ["resultSaved", size(written)],
        ["resultUnchanged", size(unchanged)],
      ],
      refine: ({ dry_run, wanted, refined, failed }) => [
        [dry_run ? "resultWouldDescribe" : "resultDescribed", size(dry_run ? wanted : refined)],
        ["resultFailed", size(failed)],
      ],
      caption: ({ described, unreadable, failed }) => [
        ["resultDescribed", size(described)],
        ["resultUnreadable", size(unreadable)],
        ["resultFailed", size(failed)],
      ],
      fetch: ({ fetched, failed }) => [
        ["resultFetched", size(fetched)],
        ["resultFailed", size(failed)],
      ],
      discard: ({ dry_run, discarded }) => [
        [dry_run ? "resultWouldDiscard" : "resultDiscarded", size(discarded)],
      ],
      probe: ({ measured, troubles }) => [
        ["resultMeasured", size(measured)],
        ["resultTroubles", size(troubles)],
      ],
      rehearse: ({ rows }) => [["resultCompared", size(rows)]],
      import: ({ written }) => [["resultSaved", size(written)]],
    };

    /**
     * What a job did, in a few words; empty where it did not finish.
     * @param {Job} job
     * @returns {string[]}
     */
    function jobResult({ name, state, result }) {
      const counts = COUNTS[name];
      if (state !== "done" || !result || !counts) return [];
      const parts = counts(result).filter(([, number]) => number > 0);
      if (!parts.length) return [text("resultNothing")];
      return [parts.map(([label, number]) => countText(label, number)).join(", ")];
    }

    /**
     * Everything else that a job says: notes, failures, reasons, cost.
     * @param {Job} job
     * @returns {string[]}
     */
    function jobNotes({ result }) {
      if (!result) return [];
      const { notes = [], failed, reasons, skipped, spent, estimate } = result;
      const failures = Array.isArray(failed) ? failed : [];
      return [
        ...notes.map((/** @type {Note} */ note) => note.text),
        ...failures.map((failure) => failure.text || failure.message || failure.key),
        ...Object.entries({ ...reasons, ...skipped }).map(([reason, number]) =>
          text("left_out", { reason, number }),
        ),
        ...costs("estimated", estimate),
        ...costs("spent", spent),
      ].filter(Boolean);
    }

    /**
     * @param {"estimated" | "spent"} name
     * @param {Cost} [cost]
     */
    function costs(name, cost) {
      return cost && cost.tokens_in + cost.tokens_out > 0 ? [describeCost(name, cost)] : [];
    }

    return { jobResult, jobNotes, describeCost };
  },
});
