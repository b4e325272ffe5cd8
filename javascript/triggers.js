// @ts-check
/* Trigger words as chips: a click copies them, the small button beside adds them to the prompt. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "triggers",
  needs: ["core", "sections"],
  start({ addTexts, text, el, button, say, statusLine, write }) {
    addTexts({
      triggerWords: "Trigger words",
      copyTriggers: "Copy",
      insertTriggers: "Add to the prompt: {words}",
      triggerCopied: "Copied: {words}",
      notCopied: "The browser did not allow copying. Select the words and copy them.",
      triggerAdded: "Added to the {tab} prompt: {words}",
      triggerThere: "The {tab} prompt already has: {words}",
    });

    /** The tab whose prompt was edited last. */
    let promptTab = "txt2img";
    document.addEventListener("focusin", ({ target }) => {
      for (const tab of ["txt2img", "img2img"]) {
        if (target instanceof Element && target.closest(`#${tab}_prompt`)) promptTab = tab;
      }
    });

    /**
     * Adds a group of trigger words to the end of the prompt, once.
     * @param {HTMLElement} line
     * @param {string} words
     */
    function addToPrompt(line, words) {
      const box = document.querySelector(`#${promptTab}_prompt textarea`);
      if (!(box instanceof HTMLTextAreaElement)) return;
      const prompt = box.value.trimEnd().replace(/,$/, "");
      const there = prompt.includes(words);
      if (!there) write(box, prompt ? `${prompt}, ${words}` : words);
      say(line, there ? "triggerThere" : "triggerAdded", { tab: promptTab, words });
    }

    /**
     * Copies by selecting: pages that are not on this machine or https have no clipboard.
     * @param {HTMLElement} place
     * @param {string} words
     */
    function copySelected(place, words) {
      const focused = document.activeElement;
      const box = el("textarea", { class: "stylus-hidden-text", value: words, tabindex: "-1" });
      place.append(box);
      box.select();
      const copied = document.execCommand("copy");
      box.remove();
      if (focused instanceof HTMLElement) focused.focus();
      return copied;
    }

    /**
     * @param {HTMLElement} line
     * @param {string} words
     */
    async function copy(line, words) {
      const written = await navigator.clipboard?.writeText(words).then(
        () => true,
        () => false,
      );
      const copied = written || copySelected(line, words);
      say(line, copied ? "triggerCopied" : "notCopied", { words });
    }

    /** @param {string[]} triggers @returns {Child[]} */
    function drawTriggers(triggers) {
      if (!triggers.length) return [];
      const line = statusLine({ id: "stylus_trigger_line" });
      /** @param {string} words */
      const pair = (words) =>
        el(
          "span",
          { class: "stylus-trigger-pair" },
          button(words, () => copy(line, words), {
            class: "stylus-chip stylus-trigger",
            title: text("copyTriggers"),
          }),
          button("+", () => addToPrompt(line, words), {
            class: "stylus-chip stylus-insert",
            title: text("insertTriggers", { words }),
            aria: { label: text("insertTriggers", { words }) },
          }),
        );
      const label = text("triggerWords");
      return [
        el(
          "div",
          { class: "stylus-chips", id: "stylus_triggers", role: "group", aria: { label } },
          triggers.map(pair),
        ),
        line,
      ];
    }

    return { drawTriggers };
  },
});
