// @ts-check
/* A row of small cards: the adapters that are most like one. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "similar",
  needs: ["core", "requests", "pictures"],
  start({ addTexts, text, el, fill, call, pictures }) {
    addTexts({ similar: "Similar LoRAs" });

    /**
     * Fills itself when the engine has answered; stays empty where there is nothing similar.
     * @param {string} key
     * @param {(key: string) => void} open
     */
    function drawSimilar(key, open) {
      const place = el("div", { id: "stylus_similar", hidden: true });

      /** @param {Entry} entry */
      const card = (entry) =>
        el(
          "li",
          {},
          el(
            "button",
            {
              type: "button",
              class: "stylus-small-card",
              data: { key: entry.key },
              on: { click: () => open(entry.key) },
            },
            pictures.frame(entry),
            el("span", { class: "stylus-name" }, entry.name),
            el("span", { class: "stylus-subline" }, entry.family_name || entry.family),
          ),
        );

      async function load() {
        const answer = await call("similar", { key }).catch(() => null);
        if (!answer?.entries.length) return;
        place.hidden = false;
        fill(
          place,
          el("h4", {}, text("similar")),
          el("ul", { class: "stylus-strip" }, answer.entries.map(card)),
        );
      }

      load();
      return place;
    }

    return { drawSimilar };
  },
});
