// @ts-check
/* Setup part of the tab: first steps, updates, downloads, keys and status, one below the other. */
"use strict";

{
  /** The sections in their order; each has a file of its own. */
  const SETUP = ["overview", "jobs", "storage", "keys", "status"];

  window.stylus ??= { files: [] };
  window.stylus.files.push({
    name: "setup",
    needs: ["core", "sections", ...SETUP],
    start({ addTexts, text, el, fill, sections }) {
      addTexts({ setup: "Setup", setupSections: "Sections of Setup" });

      /** @param {HTMLElement} place */
      function draw(place) {
        const parts = SETUP.map((name) => {
          const body = el("div");
          const section = el(
            "section",
            {
              id: `stylus_part_${name}`,
              class: "stylus-setup-part",
              tabindex: "-1",
              aria: { labelledby: `stylus_title_${name}` },
            },
            el("h3", { id: `stylus_title_${name}` }, text(sections[name]?.label ?? name)),
            body,
          );
          return { name, body, section };
        });
        const links = parts.map(({ name, section }) =>
          el(
            "button",
            {
              type: "button",
              class: "stylus-link-button",
              id: `stylus_go_${name}`,
              on: {
                click: () => {
                  section.scrollIntoView({ block: "start" });
                  section.focus({ preventScroll: true });
                },
              },
            },
            text(sections[name]?.label ?? name),
          ),
        );
        fill(
          place,
          el(
            "div",
            { class: "stylus-setup-page" },
            el(
              "nav",
              { class: "stylus-setup-links", aria: { label: text("setupSections") } },
              links,
            ),
            el(
              "div",
              { class: "stylus-setup-parts" },
              parts.map(({ section }) => section),
            ),
          ),
        );
        const shownAgain = parts.map(({ name, body }) => sections[name]?.draw(body));
        return () => shownAgain.forEach((act) => act?.());
      }

      sections.setup = { label: "setup", draw };
    },
  });
}
