// @ts-check
/* Lasting choices on one LoRA: always, never, and wrong for a prompt. Each asks once, and can be
 * undone. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "choices",
  needs: ["core", "menus"],
  start(stylus) {
    const { addTexts, text } = stylus;

    addTexts({
      always: "Always use",
      alwaysHint: "Use {name} for every prompt",
      alwaysAsk: "Use {name} for every prompt from now on?",
      alwaysDone: "{name} is now used for every prompt.",
      never: "Never use",
      neverHint: "Never choose {name}",
      neverAsk: "Never choose {name} again, for any prompt?",
      neverDone: "{name} is never chosen from now on.",
      autoDone: "{name} is chosen by the prompt again.",
      wrong: "Wrong for this prompt",
      wrongHint: "Remember that {name} was wrong for prompts like this",
      wrongAsk: "Remember that {name} is wrong for prompts like this?",
      wrongDone: "Remembered: {name} is wrong for prompts like this.",
      openPage: "Open its page on {site}",
      undoChoice: "Undo",
      undoChoiceHint: "Undo: {message}",
    });

    /**
     * Says what was done, with a button that takes it back.
     * @param {PlanPanel} panel
     * @param {ChoicePlace} place
     * @param {string} message
     * @param {() => unknown} undo
     */
    function sayDone(panel, place, message, undo) {
      const hint = text("undoChoiceHint", { message });
      const button = panel.button(text("undoChoice"), hint, "undo choice", undo);
      stylus.fill(place.line(), message, " ", button);
    }

    /**
     * @param {PlanPanel} panel
     * @param {ChoicePlace} place
     * @param {Chosen} chosen
     * @param {"always" | "never"} wanted
     * @returns {MenuItem}
     */
    function stateItem(panel, place, { key, name, state = "auto" }, wanted) {
      const isSet = state === wanted;
      /** @param {AdapterState} next @param {AdapterState} before */
      async function mark(next, before) {
        if (!(await panel.ask("mark", { key, state: next }))) return;
        const message = text(`${next}Done`, { name });
        sayDone(panel, place, message, () => panel.ask("mark", { key, state: before }));
      }
      return {
        label: text(wanted),
        hint: text(`${wanted}Hint`, { name }),
        checked: isSet,
        act: () =>
          isSet
            ? mark("auto", state)
            : stylus.askFirst(place.question(), text(`${wanted}Ask`, { name }), text(wanted), () =>
                mark(wanted, state),
              ),
      };
    }

    /**
     * @param {PlanPanel} panel
     * @param {ChoicePlace} place
     * @param {Chosen} chosen
     * @returns {MenuItem}
     */
    function wrongItem(panel, place, { key, name, image }) {
      const payload = image === undefined ? { key } : { key, image };
      async function mark() {
        if (!(await panel.ask("wrong", payload))) return;
        const message = text("wrongDone", { name });
        sayDone(panel, place, message, () => panel.ask("wrong", { ...payload, wrong: false }));
      }
      return {
        label: text("wrong"),
        hint: text("wrongHint", { name }),
        act: () =>
          stylus.askFirst(place.question(), text("wrongAsk", { name }), text("wrong"), mark),
      };
    }

    /**
     * @param {PlanPanel} panel
     * @param {ChoicePlace} place
     * @param {Chosen} chosen
     */
    function lastingChoices(panel, place, chosen) {
      return [
        stateItem(panel, place, chosen, "always"),
        stateItem(panel, place, chosen, "never"),
        wrongItem(panel, place, chosen),
      ];
    }

    /**
     * @param {PlanCard | null | undefined} card
     * @returns {MenuItem[]}
     */
    function pageItems(card) {
      if (!card?.link) return [];
      const site = card.link.includes("huggingface.co") ? "Hugging Face" : "Civitai";
      return [{ label: text("openPage", { site }), link: card.link }];
    }

    return { lastingChoices, pageItems };
  },
});
