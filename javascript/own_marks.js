// @ts-check
/* What the user notes of one adapter: a star, and a short text. */
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
     * A field for the user's note, saved when it is left; `saved` waits for a save on its way.
     * @param {EntryDetails} entry
     */
    function noteField(entry) {
      let stored = entry.edits.note ?? "";
      /** @type {Promise<unknown>} */
      let pending = Promise.resolve();
      const line = statusLine({ id: "stylus_note_line" });
      const box = el("textarea", {
        rows: "2",
        class: "stylus-input",
        id: "stylus_note",
        maxlength: "2000",
        value: stored,
        on: { blur: saved },
      });

      function saved() {
        pending = pending.then(save);
        return pending;
      }

      async function save() {
        const note = box.value;
        if (note === stored) return;
        const answer = await attempt(line, () => call("edit", { key: entry.key, note }));
        if (!answer) return;
        const cleaned = answer.entry.edits.note ?? "";
        if (box.value === note) box.value = cleaned;
        stored = cleaned;
        entry.edits.note = cleaned || null;
        say(line, "noteSaved");
      }

      return { nodes: [field(text("ownNote"), box, text("ownNoteHint")), line], saved };
    }

    return { starButton, noteField };
  },
});
