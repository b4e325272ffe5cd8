// @ts-check
/* Section of Setup: the user's LoRAs in numbers. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "overview",
  needs: ["core", "requests", "sections", "job_list"],
  start(stylus) {
    const { addTexts, text, countText, el, fill, call, attempt } = stylus;

    addTexts({
      overview: "Your LoRAs",
      byFamily: "By base model",
      familyName: "Base model",
      onDiskCount: "On disk",
      inCatalogue: "In the catalogue",
      allIdentified: "All your files are identified.",
      unidentified: "{number} files are not identified.",
      unidentifiedOne: "1 file is not identified.",
      noMetadata: "{number} LoRAs on disk have no metadata.",
      noMetadataOne: "1 LoRA on disk has no metadata.",
      duplicates: "{number} files are duplicates.",
      duplicatesOne: "1 file is a duplicate.",
    });

    /** @param {Overview["families"]} families */
    function drawFamilies(families) {
      const heads = ["familyName", "onDiskCount", "inCatalogue"];
      const table = el(
        "table",
        { class: "stylus-table", id: "stylus_families" },
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
          families.map(({ name, on_disk, entries }) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, name),
              el("td", {}, on_disk.toLocaleString()),
              el("td", {}, entries.toLocaleString()),
            ),
          ),
        ),
      );
      return el("details", {}, el("summary", {}, text("byFamily")), table);
    }

    /** @param {Overview} overview */
    function drawCounts({ unnamed, bare, duplicates }) {
      const counts = [
        unnamed ? countText("unidentified", unnamed) : text("allIdentified"),
        bare ? countText("noMetadata", bare) : "",
        duplicates ? countText("duplicates", duplicates) : "",
      ].filter(Boolean);
      return el(
        "ul",
        {},
        counts.map((count) => el("li", {}, count)),
      );
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const line = stylus.statusLine({ id: "stylus_overview_line" });
      const overview = el("div", { id: "stylus_overview" });
      fill(place, line, overview);
      stylus.onJobEnd(show);

      async function show() {
        const answer = await attempt(line, () => call("overview"));
        if (answer) fill(overview, drawCounts(answer), drawFamilies(answer.families));
      }

      show();
      return show;
    }

    stylus.sections.overview = { label: "overview", draw };
  },
});
