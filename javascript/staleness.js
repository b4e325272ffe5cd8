// @ts-check
/* Whether a preview still matches the page: prompt, settings, styles and checkpoint. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "staleness",
  needs: [],
  start() {
    /** gradio changes some controls without an event, a moment after a click. */
    const LATER_MS = [0, 150, 600];

    /** The WebUI's own boxes. @type {Record<string, string>} */
    const BOXES = { prompt: "prompt", negative: "neg_prompt" };

    /** @param {string} id @param {string} selector @returns {any} */
    const within = (id, selector) => document.querySelector(`#${id} ${selector}`);

    /**
     * A control's value as the WebUI's side names it; what was given where the page has no control.
     * @param {string} tab
     * @param {string} name
     * @param {MadeFor[string]} given
     */
    function controlValue(tab, name, given) {
      const id = `stylus_${tab}_${name}`;
      if (typeof given === "boolean") return within(id, "input[type=checkbox]")?.checked ?? given;
      if (typeof given === "number") {
        const value = within(id, "input[type=number]")?.value || given;
        return Number(value);
      }
      const box = BOXES[name];
      if (box) return within(`${tab}_${box}`, "textarea")?.value ?? given;
      return within(id, "input")?.value || given;
    }

    /** What only the page can see: the selected styles and the checkpoint. @param {string} tab */
    function surroundings(tab) {
      const tokens = document.querySelectorAll(`#${tab}_styles .token`);
      const styles = [...tokens].map((token) => token.textContent?.trim());
      return {
        styles: styles.join("\n"),
        checkpoint: within("setting_sd_model_checkpoint", "input")?.value ?? "",
      };
    }

    /**
     * What differs from what a preview was made for: "prompt", "setting", "model", or nothing.
     * @param {string} tab
     * @param {MadeFor} madeFor
     * @param {Surroundings} before
     */
    function difference(tab, madeFor, before) {
      const now = surroundings(tab);
      const changed = Object.entries(madeFor)
        .filter(([name, given]) => controlValue(tab, name, given) !== given)
        .map(([name]) => name);
      if (changed.some((name) => ["prompt", "negative"].includes(name))) return "prompt";
      if (now.styles !== before.styles) return "prompt";
      if (changed.includes("family") || now.checkpoint !== before.checkpoint) return "model";
      return changed.length ? "setting" : "";
    }

    /** Calls `act` after everything by which a user may change a control. @param {() => void} act */
    function onControlChange(act) {
      for (const event of ["input", "change"]) document.addEventListener(event, act, true);
      for (const event of ["click", "focusout", "keyup"]) {
        document.addEventListener(
          event,
          () => {
            for (const wait of LATER_MS) setTimeout(act, wait);
          },
          true,
        );
      }
    }

    return { surroundings, difference, onControlChange };
  },
});
