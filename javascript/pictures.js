// @ts-check
/* Pictures of adapters: a frame of fixed size, whose picture is fetched when it becomes visible. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "pictures",
  needs: ["core", "requests", "placeholders"],
  start({ el, callFile, drawPlaceholder }) {
    /** Few at a time, so that slow pictures do not hold up other requests. */
    const MOST_AT_ONCE = 2;

    /** What to ask for, by frame. @type {WeakMap<Element, {name: string, payload: object}>} */
    const wanted = new WeakMap();
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
      const request = wanted.get(frame);
      if (!frame.isConnected || !request) return;
      const blob = await callFile(request.name, request.payload).catch(() => null);
      if (!frame.isConnected) return;
      const placeholder = () => frame.replaceChildren(drawPlaceholder(frame.dataset.kind));
      if (!blob) {
        placeholder();
        return;
      }
      const url = URL.createObjectURL(blob);
      urls.set(frame, url);
      frame.append(el("img", { src: url, alt: "", on: { error: placeholder } }));
    }

    /**
     * @param {HTMLElement} frame
     * @param {string} name
     * @param {object} payload
     */
    function later(frame, name, payload) {
      wanted.set(frame, { name, payload });
      observer.observe(frame);
      return frame;
    }

    const pictures = {
      /**
       * A frame for one adapter: its picture, else a drawing for its kind. The style sheet
       * blurs pictures that are not safe for work.
       * @param {PictureCard} card
       */
      frame(card) {
        if (!card.picture) {
          const drawing = drawPlaceholder(card.kind);
          return el("span", { class: "stylus-picture", "aria-hidden": "true" }, drawing);
        }
        const frame = el("span", {
          class: card.nsfw ? "stylus-picture stylus-blurred" : "stylus-picture",
          "aria-hidden": "true",
          data: { stem: card.stem || "", key: card.key, kind: card.kind ?? "" },
        });
        return later(frame, "picture", { stem: card.stem || "", key: card.key });
      },

      /**
       * A frame for one of the user's own pictures.
       * @param {string} path
       */
      ownFrame(path) {
        const frame = el("span", { class: "stylus-picture", "aria-hidden": "true" });
        return later(frame, "own_picture", { path });
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
