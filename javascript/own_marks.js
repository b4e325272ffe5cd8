// @ts-check
/* What the user notes of one adapter: a star, a short text, and tags. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "own_marks",
  needs: ["core", "requests", "sections"],
  start({ addTexts, text, el, button, field, call, attempt, say, statusLine }) {
    addTexts({
      favourite: "Favourite",
      favouriteOf: "Favourite: {name}",
      ownNote: "My note",
      ownNoteHint: "Saved when you leave the field. The search finds it.",
      noteSaved: "Note saved.",
      ownTags: "My tags",
      ownTagsHint: "Separated by commas. The search finds them; they do not change what is picked.",
      ownTagsSaved: "Tags saved.",
    });

    /**
     * A star that is pressed for favourites; `changed` is called when it is saved.
     * @param {Entry} entry
     * @param {HTMLElement} line
     * @param {() => void} changed
     */
    function starButton(entry, line, changed) {
      const name = text("favouriteOf", { name: entry.name });
      const star = button("\u2605", toggle, {
        class: "stylus-star",
        title: text("favourite"),
        aria: { label: name, pressed: Boolean(entry.favourite) },
      });

      async function toggle() {
        const favourite = !entry.favourite;
        const answer = await attempt(line, () => call("edit", { key: entry.key, favourite }));
        if (!answer) return;
        entry.favourite = favourite;
        star.setAttribute("aria-pressed", String(favourite));
        changed();
      }

      return star;
    }

    /**
     * Fields for the user's note and tags, each saved when it is left; `saved` waits for saves on
     * their way.
     * @param {EntryDetails} entry
     */
    function ownFields(entry) {
      const { edits } = entry;
      const note = savedField(entry.key, {
        box: el("textarea", {
          rows: "2",
          class: "stylus-input",
          id: "stylus_note",
          maxlength: "2000",
          value: edits.note ?? "",
        }),
        label: "ownNote",
        message: "noteSaved",
        changes: (value) => ({ note: value }),
        stored(now) {
          edits.note = now.note;
          return now.note ?? "";
        },
      });
      const tags = savedField(entry.key, {
        box: el("input", {
          type: "text",
          class: "stylus-input",
          id: "stylus_own_tags",
          maxlength: "2000",
          value: (edits.tags ?? []).join(", "),
        }),
        label: "ownTags",
        message: "ownTagsSaved",
        changes: (value) => ({ tags: value.split(",").filter((tag) => tag.trim()) }),
        stored(now) {
          edits.tags = now.tags;
          return (now.tags ?? []).join(", ");
        },
      });
      return {
        nodes: [...note.nodes, ...tags.nodes],
        saved: () => Promise.all([note.saved(), tags.saved()]),
      };
    }

    /**
     * A field that is saved when it is left. `stored` keeps what the engine has stored and returns
     * it as the field shows it.
     * @param {string} key
     * @param {{
     *   box: HTMLInputElement | HTMLTextAreaElement,
     *   label: string,
     *   message: string,
     *   changes(value: string): object,
     *   stored(edits: Edits): string,
     * }} options
     */
    function savedField(key, { box, label, message, changes, stored }) {
      let before = box.value;
      /** @type {Promise<unknown>} */
      let pending = Promise.resolve();
      const line = statusLine({ id: `${box.id}_line` });
      box.addEventListener("blur", saved);

      function saved() {
        pending = pending.then(save);
        return pending;
      }

      async function save() {
        const value = box.value;
        if (value === before) return;
        const answer = await attempt(line, () => call("edit", { key, ...changes(value) }));
        if (!answer) return;
        before = stored(answer.entry.edits);
        if (box.value === value) box.value = before;
        say(line, message);
      }

      return { nodes: [field(text(label), box, text(`${label}Hint`)), line], saved };
    }

    return { starButton, ownFields };
  },
});
