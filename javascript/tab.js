// @ts-check
/* The Stylus tab: its sections, one visible at a time, as tabs with arrow keys. */
"use strict";

{
  /** The sections in the order of their tabs; each has a file of its own. */
  const SECTIONS = ["catalogue", "recipes", "setup"];

  window.stylus ??= { files: [] };
  window.stylus.files.push({
    name: "tab",
    needs: ["core", "sections", "job_drawer", ...SECTIONS],
    start({ addTexts, text, el, fill, mount, whenVisible, sections, drawJobDrawer }) {
      addTexts({ sections: "Sections of Stylus" });

      /** @param {string} name */
      function makePanel(name) {
        return el("section", {
          role: "tabpanel",
          id: `stylus_part_${name}`,
          class: "stylus-part",
          hidden: true,
          tabindex: "-1",
          aria: { labelledby: `stylus_head_${name}` },
        });
      }

      /**
       * @param {string} name
       * @param {number} index
       * @param {Listeners} on
       */
      function makeHead(name, index, on) {
        return el(
          "button",
          {
            type: "button",
            role: "tab",
            id: `stylus_head_${name}`,
            class: "stylus-head",
            tabindex: index ? "-1" : "0",
            aria: { selected: "false", controls: `stylus_part_${name}` },
            on,
          },
          text(sections[name]?.label ?? name),
        );
      }

      /** @param {HTMLElement} place */
      function drawTab(place) {
        const tabs = SECTIONS.map((name, index) => ({
          section: sections[name],
          panel: makePanel(name),
          head: makeHead(name, index, {
            click: () => show(index),
            keydown: (event) => moveFocus(event, index),
          }),
          drawn: false,
          /** @type {(() => void) | void} */
          shownAgain: undefined,
        }));

        /** @param {number} index */
        function show(index) {
          tabs.forEach(({ head, panel }, at) => {
            head.setAttribute("aria-selected", String(at === index));
            head.tabIndex = at === index ? 0 : -1;
            panel.hidden = at !== index;
          });
          const chosen = tabs[index];
          if (!chosen) return;
          if (chosen.drawn) {
            chosen.shownAgain?.();
          } else {
            chosen.drawn = true;
            chosen.shownAgain = chosen.section?.draw(chosen.panel);
          }
        }

        /**
         * @param {KeyboardEvent} event
         * @param {number} index
         */
        function moveFocus(event, index) {
          const steps = new Map([
            ["ArrowRight", index + 1],
            ["ArrowLeft", index - 1],
            ["Home", 0],
            ["End", tabs.length - 1],
          ]);
          const step = steps.get(event.key);
          if (step === undefined) return;
          event.preventDefault();
          const next = (step + tabs.length) % tabs.length;
          show(next);
          tabs[next]?.head.focus();
        }

        const jobs = drawJobDrawer();
        const list = el(
          "div",
          { role: "tablist", class: "stylus-parts", aria: { label: text("sections") } },
          tabs.map(({ head }) => head),
        );
        fill(
          place,
          el("div", { class: "stylus-top" }, list, jobs.nodes),
          tabs.map(({ panel }) => panel),
        );
        whenVisible(place, () => {
          show(0);
          jobs.watch();
        });
      }

      mount("tab", drawTab);
    },
  });
}
