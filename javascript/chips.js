// @ts-check
/* Filter chips: groups of buttons with counts, of which one per group can be pressed. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "chips",
  needs: ["core"],
  start({ addTexts, text, el, fill, button }) {
    addTexts({ moreChips: "{number} more", fewerChips: "Fewer" });

    /** So many chips of a group are shown until the user asks for more. */
    const SHOWN = 6;

    /**
     * A group of chips; `changed` is called after a click.
     * @param {string} name of the filter
     * @param {string} label
     * @param {() => void} changed
     * @returns {ChipGroup}
     */
    function chipGroup(name, label, changed) {
      const place = el("div", { class: "stylus-chips", role: "group", aria: { label } });
      let chosen = "";
      let expanded = false;
      /** @type {Chip[]} */
      let known = [];

      /** Made once per value, so that a click is not lost while the counts change. */
      const buttons = new Map();
      const more = button(
        "",
        () => {
          expanded = !expanded;
          redraw();
        },
        { class: "stylus-chip" },
      );

      /** @param {Chip} chip @returns {HTMLButtonElement} */
      function draw({ value, title, count }) {
        const chip =
          buttons.get(value) ??
          el("button", {
            type: "button",
            class: "stylus-chip",
            data: { filter: name, value },
            on: { click: () => choose(value === chosen ? "" : value) },
          });
        buttons.set(value, chip);
        chip.setAttribute("aria-pressed", String(value === chosen));
        const number = count.toLocaleString();
        if (chip.textContent !== title + number) {
          fill(
            chip,
            el("span", { class: "stylus-chip-name" }, title),
            el("span", { class: "stylus-chip-count" }, number),
          );
        }
        return chip;
      }

      /** @param {string} value */
      function choose(value) {
        chosen = value;
        redraw();
        changed();
      }

      function redraw() {
        const wanted = known.filter(({ value, count }) => count > 0 || value === chosen);
        const shown = wanted.filter(({ value }, at) => expanded || at < SHOWN || value === chosen);
        const hidden = wanted.length - shown.length;
        const wording = expanded ? text("fewerChips") : text("moreChips", { number: hidden });
        fill(more, wording);
        more.setAttribute("aria-expanded", String(expanded));
        const nodes = shown.map(draw);
        if (hidden > 0 || (expanded && wanted.length > SHOWN)) nodes.push(more);
        place.hidden = wanted.length === 0;
        if (nodes.every((node, at) => place.children[at] === node)) {
          while (place.children.length > nodes.length) place.lastElementChild?.remove();
          return;
        }
        const focused = document.activeElement;
        fill(place, nodes);
        if (focused instanceof HTMLElement && place.contains(focused)) focused.focus();
      }

      return {
        place,
        value: () => chosen,
        /** @param {Chip[]} chips */
        show(chips) {
          known = chips;
          redraw();
        },
      };
    }

    return { chipGroup };
  },
});
