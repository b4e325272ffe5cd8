// @ts-check
/* Setup part of the tab: first steps, updates, downloads, keys and status, one below the other.
 * Opening it starts no engine. */
"use strict";

{
  /** The sections in their order; each has a file of its own. */
  const SETUP = ["first_steps", "overview", "jobs", "storage", "keys", "status"];
  /** Sections with nothing to show while the engine is not running. */
  const NEEDS_ENGINE = ["first_steps", "overview", "storage", "keys"];

  window.stylus ??= { files: [] };
  window.stylus.files.push({
    name: "setup",
    needs: ["core", "requests", "sections", ...SETUP],
    start({ addTexts, text, el, fill, button, call, attempt, sections, statusLine }) {
      addTexts({
        setup: "Setup",
        setupSections: "Sections of Setup",
        wake: "Start the engine",
        engineRests: "Shown while the engine is running.",
      });

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
        const line = statusLine({ id: "stylus_setup_line" });
        const start = button(text("wake"), () => show("wake"), {
          id: "stylus_wake",
          class: "stylus-button stylus-primary",
        });
        const resting = el("div", { class: "stylus-row", id: "stylus_resting" }, line, start);
        resting.hidden = true;
        fill(
          place,
          resting,
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
        /** What shows a drawn section again, by name. @type {Map<string, (() => void) | void>} */
        const drawn = new Map();

        /** @param {string} name */
        function drawPart(name) {
          const part = parts.find((one) => one.name === name);
          if (!part) return;
          if (drawn.has(name)) {
            drawn.get(name)?.();
          } else {
            drawn.set(name, sections[name]?.draw(part.body));
          }
        }

        /**
         * Draws the sections, or shows them again; an engine that is not running stays so.
         * @param {"status" | "wake"} name
         */
        async function show(name) {
          const status = await attempt(line, () => call(name));
          const isResting = status?.engine.state === "stopped";
          resting.hidden = Boolean(status) && !isResting;
          start.hidden = !isResting;
          if (status) fill(line, isResting ? status.engine.sentence : "");
          for (const { name: part, body } of parts) {
            if (!NEEDS_ENGINE.includes(part) || (status && !isResting)) {
              drawPart(part);
            } else if (!drawn.has(part)) {
              fill(body, el("p", { class: "stylus-hint" }, text("engineRests")));
            }
          }
        }

        place.addEventListener("stylus-refresh", () => show("status"));
        show("status");
        return () => {
          show("status");
        };
      }

      sections.setup = { label: "setup", draw };
    },
  });
}
