// @ts-check
/* Storage section: downloaded files, the space they take, and the deletion of unused ones. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "storage",
  needs: ["core", "requests", "sections", "job_list"],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, call, attempt, say, formatSize } = stylus;

    addTexts({
      storage: "Storage",
      storageUsed: "{used} of {quota} used by downloads; {left} left.",
      storageOff: "Downloads are off. Switch them on in the WebUI's settings.",
      noneFetched: "No downloads yet.",
      fileName: "LoRA",
      fileSize: "Size",
      fetchedAt: "Downloaded",
      usedAt: "Last used",
      filePath: "File",
      unusedDays: "Unused for days",
      whatWouldGo: "Show what would be deleted",
      cleanUp: "Clean up",
      wouldGo: "These would be deleted: {names} ({size}).",
      nothingGoes: "Nothing would be deleted.",
      gone: "{number} files were deleted, {size}.",
      goneOne: "1 file was deleted, {size}.",
      cleanHint:
        "Deletes files that Stylus downloaded, unused for so many days and not marked as always.",
    });

    const DEFAULT_DAYS = 30;

    /** @param {number} seconds since 1970 */
    function formatDay(seconds) {
      return new Date(seconds * 1000).toLocaleDateString();
    }

    /** @param {DownloadedFile[]} files */
    function drawFiles(files) {
      if (!files.length) return el("p", {}, text("noneFetched"));
      const heads = ["fileName", "fileSize", "fetchedAt", "usedAt", "filePath"];
      return el(
        "table",
        { class: "stylus-table" },
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
          files.map((file) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, file.name || file.key),
              el("td", {}, formatSize(file.size)),
              el("td", {}, formatDay(file.fetched)),
              el("td", {}, formatDay(file.used)),
              el("td", {}, file.path),
            ),
          ),
        ),
      );
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const line = stylus.statusLine({ id: "stylus_storage_line" });
      const sum = el("p", { id: "stylus_storage_sum" });
      const table = el("div", { id: "stylus_storage", class: "stylus-wide" });
      const days = el("input", {
        type: "number",
        class: "stylus-input",
        id: "stylus_storage_days",
        min: "1",
        max: "3650",
        value: String(DEFAULT_DAYS),
        on: { input: () => allowDeletion(false) },
      });
      const remove = button(text("cleanUp"), () => discard(false), {
        id: "stylus_storage_clean",
        disabled: true,
      });

      /** @param {boolean} allowed */
      function allowDeletion(allowed) {
        remove.disabled = !allowed;
      }

      async function show() {
        const storage = await attempt(line, () => call("storage"));
        if (!storage) return;
        const { on, used, quota, left, files } = storage;
        const sizes = {
          used: formatSize(used) || "0 B",
          quota: formatSize(quota),
          left: formatSize(left) || "0 B",
        };
        fill(sum, on ? text("storageUsed", sizes) : text("storageOff"));
        fill(table, drawFiles(files));
      }

      /**
       * Deletes unused files. Deletion is allowed only after a dry run for the same number of days.
       * @param {boolean} dry_run
       */
      async function discard(dry_run) {
        allowDeletion(false);
        const payload = { days: Number(days.value) || DEFAULT_DAYS, dry_run };
        const job = await attempt(line, async () =>
          stylus.followJob(await call("start", { name: "discard", payload })),
        );
        if (!job) return;
        if (!job.result) {
          stylus.sayWords(line, job.error);
          return;
        }
        /** @type {{path: string, size: number}[]} */
        const discarded = job.result.discarded;
        const size = formatSize(discarded.reduce((total, file) => total + file.size, 0));
        if (!discarded.length) {
          say(line, "nothingGoes");
        } else if (dry_run) {
          const names = discarded.map(({ path }) => path.split(/[\\/]/).pop()).join(", ");
          say(line, "wouldGo", { names, size });
          allowDeletion(true);
        } else {
          say(line, "gone", { number: discarded.length, size });
        }
        show();
      }

      fill(
        place,
        sum,
        table,
        el(
          "fieldset",
          { class: "stylus-offer" },
          el("legend", {}, text("cleanUp")),
          el("p", { class: "stylus-hint" }, text("cleanHint")),
          field(text("unusedDays"), days),
          el(
            "div",
            { class: "stylus-row" },
            button(text("whatWouldGo"), () => discard(true), { id: "stylus_storage_try" }),
            remove,
          ),
        ),
        line,
      );
      show();
      return show;
    }

    stylus.sections.storage = { label: "storage", draw };
  },
});
