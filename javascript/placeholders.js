// @ts-check
/* Drawings that stand for an adapter without a picture, by its kind. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "placeholders",
  needs: [],
  start() {
    const SVG = "http://www.w3.org/2000/svg";
    const HEAD = "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8";
    const HILLS = "M2 19l6-9 4 5 3-4 7 8zM17 5a2 2 0 1 0 0 .01";

    /** Lines on a field of 24 by 24. @type {Record<string, string>} */
    const PATHS = {
      style: "M4 20c3 0 4-1 4-3a2 2 0 0 1 4 0c0 3-4 4-8 3zM11 14L20 4M12.500 15.500L20 4",
      character: `${HEAD}M4 21c0-4 3.500-6 8-6s8 2 8 6M9 5l3-3 3 3`,
      person: `${HEAD}M4 21c0-4 3.500-6 8-6s8 2 8 6`,
      clothing: "M8 4L3 7l2 4 2-1v10h10V10l2 1 2-4-5-3c-1 2-7 2-8 0z",
      pose: "M12 3a2 2 0 1 0 0 .01M12 7v7M12 9L6 6M12 9l6-3M12 14l-4 7M12 14l4 7",
      action: "M14 3a2 2 0 1 0 0 .01M13 8l-3 6 4 3v5M10 14l-5 4M13 8l5 3M13 8L8 9",
      background: HILLS,
      building: "M5 21V8l7-5 7 5v13zM9 21v-5h6v5M9 10h.01M15 10h.01M12 10h.01",
      vehicle: "M3 16v-4l3-5h12l3 5v4zM3 12h18M7 19a2 2 0 1 0 0-.01M17 19a2 2 0 1 0 0-.01",
      animal:
        "M12 12c-3 0-5 3-5 5s2 3 5 3 5-1 5-3-2-5-5-5zM5 9.500h.01M9.500 6h.01M14.500 6h.01M19 9.500h.01",
      object: "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9",
      concept: "M12 3l2 7 7 2-7 2-2 7-2-7-7-2 7-2z",
    };

    /** @param {string} [kind] */
    function drawPlaceholder(kind = "") {
      const drawing = document.createElementNS(SVG, "svg");
      drawing.setAttribute("viewBox", "0 0 24 24");
      drawing.setAttribute("class", "stylus-drawing");
      const lines = document.createElementNS(SVG, "path");
      lines.setAttribute("d", String(PATHS[kind] ?? PATHS.concept));
      drawing.append(lines);
      return drawing;
    }

    return { drawPlaceholder };
  },
});
