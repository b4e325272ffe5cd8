// @ts-check
/* LoRAs of the last pictures: keep a picture's set, or mark a LoRA as wrong for the prompt. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "last_pictures",
  needs: ["core", "plan_view"],
  start(stylus) {
    const { addTexts, text, el, fill } = stylus;

    addTexts({
      used: "LoRAs of the last pictures",
      usedPicture: "Picture {number} (seed {seed}): {names}",
      leftOut: "left out: {names}",
      useSet: "Use this set",
      useSetHint: "Lock what picture {number} was made with",
      wrong: "Wrong here",
      wrongHint: "Remember that {name} was wrong for prompts like this",
      forget: "Undo",
      forgetHint: "Take back that {name} was wrong for this prompt",
      remembered: "Remembered: {name} was wrong for this prompt.",
    });

    /**
     * @param {PlanPanel} panel
     * @param {number} image
     * @param {UsedPicture["tags"][number]} tag
     */
    function drawTag(panel, image, { key, name, card }) {
      async function markWrong() {
        if (!(await panel.ask("wrong", { image, key }))) return;
        const undo = panel.button(
          text("forget"),
          text("forgetHint", { name }),
          `forget ${image} ${key}`,
          () => panel.ask("wrong", { image, key, wrong: false }),
        );
        fill(panel.line, text("remembered", { name }), " ", undo);
      }

      return el(
        "span",
        { class: "stylus-buttons", data: { key } },
        el("span", { dir: "auto" }, name),
        panel.button(
          text("wrong"),
          text("wrongHint", { name }),
          `wrong ${image} ${key}`,
          markWrong,
        ),
        stylus.drawStates(panel, key, name, card?.state),
      );
    }

    /**
     * @param {PlanPanel} panel
     * @param {UsedPicture} picture
     * @param {number} image
     */
    function drawPicture(panel, { seed, off, tags }, image) {
      const number = image + 1;
      const names = tags.map((tag) => `${tag.name || tag.stem} ${tag.weight}`).join(", ");
      const catalogued = tags.filter((tag) => tag.key);
      return el(
        "li",
        {},
        el(
          "span",
          { dir: "auto" },
          text("usedPicture", { number, seed, names: names || text("none") }),
        ),
        off.length > 0 &&
          el("span", { dir: "auto" }, "; ", text("leftOut", { names: off.join(", ") })),
        " ",
        catalogued.length > 0 &&
          panel.button(text("useSet"), text("useSetHint", { number }), `set ${image}`, () =>
            panel.ask("use_set", { image }),
          ),
        catalogued.map((tag) => drawTag(panel, image, tag)),
      );
    }

    /** @param {PlanPanel} panel @param {UsedPicture[]} pictures */
    function drawLastPictures(panel, pictures) {
      return el(
        "section",
        { aria: { label: text("used") } },
        el("h4", {}, text("used")),
        el(
          "ol",
          {},
          pictures.map((picture, image) => drawPicture(panel, picture, image)),
        ),
      );
    }

    return { drawLastPictures };
  },
});
