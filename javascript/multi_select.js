// @ts-check
/* Selecting several cards of the gallery, and what can be done with all of them. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "multi_select",
  needs: ["core", "requests", "sections"],
  start({ addTexts, text, el, fill, button, call, attempt, say }) {
    addTexts({
      selectMany: "Select",
      stopSelecting: "Done",
      selected: "{number} selected",
      selectedActions: "For the selected LoRAs",
      addFavourites: "Add to favourites",
      removeFavourites: "Remove from favourites",
      setState: "Set to {state}",
      markedMany: "{number} LoRAs changed.",
      markedOne: "1 LoRA changed.",
    });

    /** The engine changes at most so many at once. */
    const MOST = 1000;

    /**
     * @param {HTMLElement} line
     * @param {() => void} changed
     * @returns {MultiSelect}
     */
    function multiSelect(line, changed) {
      let active = false;
      /** @type {Set<string>} */
      const keys = new Set();
      const count = el("span", { role: "status", class: "stylus-selected" });
      const actions = [
        button(text("addFavourites"), () => mark({ favourite: true }), {
          id: "stylus_add_favourites",
        }),
        button(text("removeFavourites"), () => mark({ favourite: false }), {
          id: "stylus_remove_favourites",
        }),
        ...["auto", "always", "never"].map((state) =>
          button(text("setState", { state: text(`state_${state}`) }), () => mark({ state }), {
            id: `stylus_set_${state}`,
          }),
        ),
      ];
      const bar = el(
        "div",
        {
          class: "stylus-row",
          id: "stylus_selection",
          role: "group",
          aria: { label: text("selectedActions") },
          hidden: true,
        },
        count,
        actions,
      );
      const toggle = button(text("selectMany"), () => setActive(!active), {
        id: "stylus_select",
        aria: { pressed: "false" },
      });

      /** @param {boolean} wanted */
      function setActive(wanted) {
        active = wanted;
        keys.clear();
        toggle.setAttribute("aria-pressed", String(active));
        fill(toggle, text(active ? "stopSelecting" : "selectMany"));
        bar.hidden = !active;
        show();
        changed();
      }

      function show() {
        fill(count, text("selected", { number: keys.size }));
        for (const action of actions) action.disabled = keys.size === 0;
      }

      /** @param {object} changes */
      async function mark(changes) {
        const payload = { keys: [...keys], ...changes };
        const answer = await attempt(line, () => call("mark_all", payload));
        if (!answer) return;
        setActive(false);
        toggle.focus();
        const number = answer.changed;
        say(line, number === 1 ? "markedOne" : "markedMany", { number });
      }

      return {
        toggle,
        bar,
        isActive: () => active,
        has: (key) => keys.has(key),
        flip(key) {
          if (!keys.delete(key) && keys.size < MOST) keys.add(key);
          show();
          return keys.has(key);
        },
      };
    }

    return { multiSelect };
  },
});
