// @ts-check
/* Section of Setup: the first steps of a new user, and the user's LoRAs by base model. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "overview",
  needs: ["core", "requests", "sections", "job_list"],
  start(stylus) {
    const { addTexts, text, el, fill, button, call, attempt } = stylus;

    addTexts({
      overview: "Your LoRAs",
      byFamily: "By base model",
      familyName: "Base model",
      onDiskCount: "On disk",
      inCatalogue: "In the catalogue",
      nothingHere: "None of your LoRAs is in the catalogue yet. Read them first.",
      allIdentified: "All your files are identified.",
      unidentified: "{number} files are not identified",
      noMetadata: "{number} LoRAs on disk have no metadata",
      duplicates: "{number} files are duplicates",
      identifyAsk: "Identify {number} by hash",
      identifyConsent:
        "This sends the SHA256 of {number} files, and of the tensors of those unknown, to Civitai. Nothing else is sent. Continue?",
      learnAsk: "Learn from my pictures",
      readAsk: "Read my LoRAs",
      yes: "Yes, send them",
      no: "No",
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
        unnamed ? text("unidentified", { number: unnamed }) : text("allIdentified"),
        text("noMetadata", { number: bare }),
        text("duplicates", { number: duplicates }),
      ];
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

      /**
       * @param {string} name
       * @param {JobPayload} [payload]
       */
      const start = (name, payload) => stylus.startJob(line, name, payload);

      /**
       * Asks before anything is sent to Civitai.
       * @param {number} number
       */
      function makeConsent(number) {
        const hide = () => {
          consent.hidden = true;
        };
        const agree = () => {
          hide();
          start("identify");
        };
        const consent = el(
          "div",
          {
            class: "stylus-row",
            role: "alertdialog",
            hidden: true,
            id: "stylus_consent",
            "aria-label": text("identifyAsk", { number }),
          },
          text("identifyConsent", { number }),
          button(text("yes"), agree, { id: "stylus_consent_yes" }),
          button(text("no"), hide),
        );
        return consent;
      }

      async function show() {
        const answer = await attempt(line, () => call("overview"));
        if (!answer) return;
        const { families, unnamed: number } = answer;
        const consent = makeConsent(number);
        const ask = () => {
          consent.hidden = false;
          consent.querySelector("button")?.focus();
        };
        fill(
          overview,
          !families.some(({ on_disk }) => on_disk > 0) && el("p", {}, text("nothingHere")),
          drawCounts(answer),
          el(
            "div",
            { class: "stylus-row" },
            button(text("readAsk"), () => start("index"), { id: "stylus_first_read" }),
            button(text("identifyAsk", { number }), ask, {
              id: "stylus_first_identify",
              disabled: number === 0,
            }),
            button(text("learnAsk"), () => start("index", { learn: true }), {
              id: "stylus_first_learn",
            }),
          ),
          consent,
          drawFamilies(families),
        );
      }

      show();
      return show;
    }

    stylus.sections.overview = { label: "overview", draw };
  },
});
