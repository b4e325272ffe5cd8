// @ts-check
/* Pictures of adapters: a frame of fixed size, whose picture is fetched when it becomes visible. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "pictures",
  needs: ["core", "requests"],
  start({ el, callFile }) {
    /** Few at a time, so that slow pictures do not hold up other requests. */
    const MOST_AT_ONCE = 2;

    /** Object URLs to release, by frame. @type {WeakMap<Element, string>} */
    const urls = new WeakMap();
    /** @type {HTMLElement[]} */
    const queue = [];
    let loading = 0;

    const observer = new IntersectionObserver((changes) => {
      for (const { isIntersecting, target } of changes) {
        if (!isIntersecting || !(target instanceof HTMLElement)) continue;
        observer.unobserve(target);
        load(target);
      }
    });

    /** @param {HTMLElement} frame */
    async function load(frame) {
      queue.push(frame);
      if (loading >= MOST_AT_ONCE) return;
      loading += 1;
      let next;
      while ((next = queue.shift())) await loadOne(next);
      loading -= 1;
    }

    /** @param {HTMLElement} frame */
    async function loadOne(frame) {
      if (!frame.isConnected) return;
      const { stem, key } = frame.dataset;
      const blob = await callFile("picture", { stem, key }).catch(() => null);
      if (!blob || !frame.isConnected) return;
      const url = URL.createObjectURL(blob);
      urls.set(frame, url);
      const remove = () => frame.replaceChildren();
      frame.append(el("img", { src: url, alt: "", on: { error: remove } }));
    }

    const pictures = {
      /**
       * A frame for one adapter: its picture, else the first letter of its name. The style sheet
       * blurs pictures that are not safe for work.
       * @param {PictureCard} card
       */
      frame(card) {
        if (!card.picture) {
          const letter = Array.from(card.name || "").find((one) => one.trim());
          return el(
            "span",
            { class: "stylus-picture stylus-letter", "aria-hidden": "true" },
            letter,
          );
        }
        const frame = el("span", {
          class: card.nsfw ? "stylus-picture stylus-blurred" : "stylus-picture",
          "aria-hidden": "true",
          data: { stem: card.stem || "", key: card.key },
        });
        observer.observe(frame);
        return frame;
      },

      /**
       * Releases what the frames below a place hold.
       * @param {HTMLElement} place
       */
      release(place) {
        for (const frame of place.querySelectorAll(".stylus-picture")) {
          observer.unobserve(frame);
          const url = urls.get(frame);
          if (url) URL.revokeObjectURL(url);
        }
      },
    };

    return { pictures };
  },
});
