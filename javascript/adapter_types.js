// @ts-check
/* Types of adapters: their names, and how each is written into a prompt. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "adapter_types",
  needs: ["core"],
  start({ addTexts, text }) {
    addTexts({
      type: "Type",
      type_lora: "LoRA",
      type_embedding: "embedding",
      type_negative: "negative embedding",
      type_hypernetwork: "hypernetwork",
      type_styleinject: "StyleInject",
    });

    /**
     * The name of the type; empty for LoRAs, which most adapters are.
     * @param {TypedCard | null | undefined} card
     */
    function typeName(card) {
      if (!card?.type || card.type === "lora") return "";
      return text(card.negative ? "type_negative" : `type_${card.type}`);
    }

    /** @type {Record<string, string>} */
    const tags = { hypernetwork: "hypernet", styleinject: "styleinject" };

    /** @param {EntryDetails} entry */
    function writtenAs({ type, stem, weight }) {
      if (!stem) return "";
      if (type === "embedding") return [null, 1].includes(weight) ? stem : `(${stem}:${weight})`;
      return `<${tags[type ?? ""] ?? "lora"}:${stem}:${weight ?? 1}>`;
    }

    return { typeName, writtenAs };
  },
});
