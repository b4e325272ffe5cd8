// @ts-check
/* The user's consent to pictures of what is not on disk, which the engine fetches from Civitai. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "picture_consent",
  needs: ["core", "requests", "sections"],
  start({ addTexts, text, el, button, call, attempt }) {
    addTexts({
      showFromCivitai: "Show pictures from Civitai (asks civitai.com)",
      consentHint:
        "Small pictures of LoRAs that are not on disk come from civitai.com or huggingface.co, without a key. Your choice is remembered.",
      hideFromCivitai: "No more pictures from Civitai",
    });

    /**
     * Asks once, in place of empty tiles; afterwards offers to take the consent back.
     * @param {HTMLElement} line
     * @param {() => void} changed
     */
    function pictureConsent(line, changed) {
      const give = button(text("showFromCivitai"), () => send(true), {
        id: "stylus_consent",
        class: "stylus-button stylus-primary",
        aria: { describedby: "stylus_consent_hint" },
      });
      const hint = el(
        "span",
        { class: "stylus-hint", id: "stylus_consent_hint" },
        text("consentHint"),
      );
      const withdraw = button(text("hideFromCivitai"), () => send(false), {
        id: "stylus_no_consent",
      });
      const place = el("div", { class: "stylus-row", hidden: true }, give, hint, withdraw);

      /** @param {Answers["card_pictures"]} answer */
      function draw({ on, by_settings }) {
        give.hidden = hint.hidden = on;
        withdraw.hidden = !on;
        place.hidden = on && by_settings;
      }

      /** @param {boolean} allow */
      async function send(allow) {
        const answer = await attempt(line, () => call("card_pictures", { allow }));
        if (!answer) return;
        draw(answer);
        (allow ? withdraw : give).focus();
        changed();
      }

      return {
        place,
        /** @param {boolean} isShown */
        async show(isShown) {
          place.hidden = true;
          const answer = isShown && (await call("card_pictures").catch(() => null));
          if (answer) draw(answer);
        },
      };
    }

    return { pictureConsent };
  },
});
