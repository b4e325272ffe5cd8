// @ts-check
/* One line below the gallery: what the selected picture was made with, and a menu for it. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "last_pictures",
  needs: ["core", "menus", "choices"],
  start(stylus) {
    const { addTexts, text, el, fill } = stylus;

    addTexts({
      madeWith: "Made with: {names}",
      madeWithout: "Made without LoRAs",
      madeDifferently: "Made with different LoRAs; select a picture to see its own.",
      leftOut: "(this batch left out {names})",
      madeActions: "Actions for this picture's LoRAs",
      useSet: "Lock this set",
      useSetHint: "Use this picture's LoRAs for the next generations",
    });

    /** The picture that the gallery shows large, or the only one; -1 for none or for several. @param {Element | null} gallery */
    function selectedImage(gallery) {
      if (!gallery) return -1;
      const small = [...gallery.querySelectorAll(".thumbnails .thumbnail-item")];
      if (small.length) return small.findIndex((one) => one.classList.contains("selected"));
      return gallery.querySelectorAll("img").length === 1 ? 0 : -1;
    }

    /** @param {UsedPicture} picture */
    function describeTags({ tags }) {
      return tags.map((tag) => `${tag.name || tag.stem} ${tag.weight}`).join(", ");
    }

    /** The line of one tab; `update` draws it again. @param {PlanPanel} panel @param {string} tab */
    function pictureLine(panel, tab) {
      const place = el("div", { class: "stylus-used stylus-mount" });
      const made = el("div", { class: "stylus-made" });
      const question = el("div", {});
      const line = el("p", { class: "stylus-line", role: "status" });
      fill(place, made, question, line);
      const choicePlace = { question: () => question, line: () => line };
      /** @type {UsedPicture[]} */
      let pictures = [];
      /** Where the pictures begin: the grid comes before them. */
      let first = 0;
      let drawn = "";
      /** @type {Element | null} */
      let watched = null;
      const observer = new MutationObserver(() => draw());

      /** @param {UsedPicture} picture @param {number} image */
      function drawMenu({ tags }, image) {
        const catalogued = tags.filter((tag) => tag.key);
        if (!catalogued.length) return null;
        return stylus.menuButton(text("madeActions"), "made menu", () => [
          {
            items: [
              {
                label: text("useSet"),
                hint: text("useSetHint"),
                act: () => panel.ask("use_set", { image }),
              },
            ],
          },
          ...catalogued.map(({ key, name, card }) => ({
            name,
            items: [
              ...stylus.lastingChoices(panel, choicePlace, {
                key,
                name,
                image,
                state: card?.state,
              }),
              ...stylus.pageItems(card),
            ],
          })),
        ]);
      }

      function draw() {
        const gallery = document.getElementById(`${tab}_gallery`);
        if (gallery !== watched) {
          observer.disconnect();
          if (gallery) {
            const attributes = { attributes: true, attributeFilter: ["class"] };
            observer.observe(gallery, { childList: true, subtree: true, ...attributes });
          }
          watched = gallery;
        }
        const isShown = Boolean(gallery?.querySelector("img")) && pictures.length > 0;
        const selected = selectedImage(gallery);
        const same = new Set(pictures.map(describeTags)).size === 1;
        const image = selected < first && same ? 0 : selected - first;
        const picture = isShown ? pictures[image] : undefined;
        const state = JSON.stringify([isShown, selected, picture, pictures.length]);
        if (state === drawn) return;
        drawn = state;
        fill(question);
        if (!isShown || image >= pictures.length) {
          fill(made);
        } else if (!picture) {
          fill(made, el("span", {}, text("madeDifferently")));
        } else {
          const names = describeTags(picture);
          fill(
            made,
            el("span", { dir: "auto" }, names ? text("madeWith", { names }) : text("madeWithout")),
            picture.off.length > 0 &&
              el(
                "span",
                { class: "stylus-subdued", dir: "auto" },
                text("leftOut", { names: picture.off.join(", ") }),
              ),
            drawMenu(picture, image),
          );
        }
      }

      return {
        place,
        draw,
        /** @param {UsedPicture[]} used */
        show(used) {
          pictures = used;
          draw();
        },
        /** Takes where the pictures begin from what the WebUI says of a generation. @param {string} info */
        begin(info) {
          try {
            first = Number(JSON.parse(info).index_of_first_image) || 0;
          } catch {
            first = 0;
          }
          fill(line);
        },
      };
    }

    return { pictureLine };
  },
});
