// @ts-check
/* What the sections of the Stylus tab share: their registry, status lines and error messages. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "sections",
  needs: ["core"],
  start({ el, fill, text, countText }) {
    /** Filled by each section's file; `tab.js` knows the order. @type {Record<string, TabSection>} */
    const sections = {};

    /**
     * Shows a text in a status line; `data-message` names it, whatever the language and the
     * number.
     * @param {HTMLElement} line
     * @param {string} name
     * @param {TextValues} [values]
     */
    function say(line, name, values = {}) {
      line.dataset.message = name;
      const { number, ...others } = values;
      fill(line, typeof number === "number" ? countText(name, number, others) : text(name, values));
    }

    /**
     * Shows words of the engine in a status line.
     * @param {HTMLElement} line
     * @param {Child[]} words
     */
    function sayWords(line, ...words) {
      delete line.dataset.message;
      fill(line, words);
    }

    /**
     * The result of `work`; where it fails, shows the error in `line` and returns undefined.
     * @template T
     * @param {HTMLElement} line
     * @param {() => Promise<T>} work
     * @returns {Promise<T | undefined>}
     */
    async function attempt(line, work) {
      try {
        const result = await work();
        line.classList.remove("stylus-wrong");
        return result;
      } catch (/** @type {any} */ error) {
        if (error.name !== "AbortError") {
          line.classList.add("stylus-wrong");
          line.dataset.message = error.code || "failed";
          fill(line, error.message);
        }
        return undefined;
      }
    }

    /** @param {ElementProps} props */
    function statusLine(props = {}) {
      return el("p", { role: "status", class: "stylus-line", aria: { live: "polite" }, ...props });
    }

    return { sections, say, sayWords, attempt, statusLine };
  },
});
