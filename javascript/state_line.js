// @ts-check
/* Keeps the panel's state line fresh: as long as it is marked, the page asks for it again, also
 * where gradio has no queue and answers each event once. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "state_line",
  needs: ["core"],
  start({ onPageChange }) {
    const FOLLOW_MS = 700;
    /** Where no answer came. */
    const LOST_MS = 4000;

    /** @param {string} tab */
    function makeFollower(tab) {
      /** The number in the mark; each answer has another. */
      let number = "";
      let timer = 0;

      /** @param {number} wait_ms */
      function lookAgain(wait_ms) {
        timer = setTimeout(() => {
          document.getElementById(`stylus_${tab}_look`)?.click();
          lookAgain(LOST_MS);
        }, wait_ms);
      }

      return () => {
        const mark = document.querySelector(`#stylus_${tab}_state .stylus-following`);
        const now = (mark instanceof HTMLElement && mark.dataset.at) || "";
        if (now === number) return;
        number = now;
        clearTimeout(timer);
        if (number) lookAgain(FOLLOW_MS);
      };
    }

    for (const follow of ["txt2img", "img2img"].map(makeFollower)) onPageChange(follow);
  },
});
