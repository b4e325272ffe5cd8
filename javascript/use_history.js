// @ts-check
/* How often an adapter was used, with which weights, and in which of the user's pictures. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "use_history",
  needs: ["core", "pictures"],
  start({ addTexts, text, countText, el, pictures }) {
    addTexts({
      alwaysUsedAt: "Used in {number} pictures, always at {weight}",
      alwaysUsedAtOne: "Used in 1 picture, at {weight}",
      mostlyUsedAt: "Used in {number} pictures, mostly at {weight}",
      mostlyUsedAtOne: "Used in 1 picture, mostly at {weight}",
      allWeights: "Weights: {list}",
      ownPictures: "Used in",
      ownPicture: "{name}, weight {weight}",
    });

    /** @param {UseHistory} uses */
    function sentence({ pictures: number, weights }) {
      const weight = weights[0]?.weight ?? 1;
      return countText(weights.length === 1 ? "alwaysUsedAt" : "mostlyUsedAt", number, { weight });
    }

    /** @param {UseHistory["weights"]} weights */
    function weightList(weights) {
      const inOrder = [...weights].sort((one, other) => one.weight - other.weight);
      const list = inOrder.map(({ weight, pictures: number }) => `${weight} (${number})`);
      return text("allWeights", { list: list.join(", ") });
    }

    /** @param {UseHistory["newest"][number]} use */
    function picture({ path, made, weight }) {
      const label = text("ownPicture", { name: path.split(/[\\/]/).pop() ?? "", weight });
      return el(
        "li",
        { title: `${label} (${new Date(made * 1000).toLocaleDateString()})` },
        pictures.ownFrame(path),
        el("span", { class: "stylus-unseen" }, label),
      );
    }

    /** @param {UseHistory | undefined} uses @returns {Child[]} */
    function drawUses(uses) {
      if (!uses?.pictures) return [];
      return [
        el(
          "p",
          { id: "stylus_uses", title: weightList(uses.weights) },
          sentence(uses),
          uses.weights.length > 1 &&
            el("span", { class: "stylus-hint" }, ` ${weightList(uses.weights)}`),
        ),
        uses.newest.length > 0 && el("h4", {}, text("ownPictures")),
        uses.newest.length > 0 &&
          el(
            "ul",
            {
              class: "stylus-strip",
              id: "stylus_used_in",
              tabindex: "0",
              aria: { label: text("ownPictures") },
            },
            uses.newest.map(picture),
          ),
      ];
    }

    return { drawUses };
  },
});
