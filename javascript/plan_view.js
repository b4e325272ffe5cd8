// @ts-check
/* View of a plan: the prompt with its tasks, the chosen LoRAs, batches, and near misses. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "plan_view",
  needs: ["core", "pictures"],
  start(stylus) {
    const { addTexts, text, el } = stylus;

    addTexts({
      wholePrompt: "The prompt with its tasks and unresolved parts",
      unresolved: "unresolved",
      yours: "your own {name}",
      none: "nothing",
      noPicks: "Nothing was chosen.",
      accept: "Accept",
      accepted: "Accepted",
      acceptHint: "Keep {name} in this plan",
      reject: "Reject",
      rejectHint: "Leave {name} out of this plan",
      swap: "Swap",
      swapHint: "Replace {name} with the next candidate",
      always: "Always",
      alwaysHint: "Use {name} for every prompt",
      never: "Never",
      neverHint: "Never choose {name}",
      useIt: "Use it",
      useItHint: "Put {name} into this plan",
      restore: "Restore",
      restoreHint: "Let {name} be chosen again",
      weight: "Weight",
      weightOf: "Weight of {name}",
      triggers: "Trigger words: {words}",
      onDisk: "on disk",
      toDownload: "to download, {size}",
      notHere: "not on disk",
      pinned: "in every batch",
      shows: "Show on {site}",
      batches: "What the next {count} batches would use",
      example: " (an example, as the seed is random)",
      batch: "Batch {number}: {names}",
      whyNot: "Why not? {count} near misses",
      whyNotOne: "Why not? 1 near miss",
    });

    /** @param {PlanView} view */
    function drawPrompt({ pieces }) {
      const parts = pieces.map((piece) => {
        const words =
          piece.task === null ? piece.text : el("mark", { class: "stylus-task" }, piece.text);
        if (!piece.unresolved) return words;
        return el("span", { class: "stylus-unresolved", title: text("unresolved") }, words);
      });
      const label = text("wholePrompt");
      return el("p", { class: "stylus-prompt", dir: "auto", aria: { label } }, parts);
    }

    /** @param {PlanPanel} panel @param {PlanView} view */
    function drawTasks(panel, { tasks, picks }) {
      const groups = tasks.map((task) => {
        const cards = picks.filter((pick) => pick.task === task.start);
        if (!cards.length && !task.taken_by) return null;
        return el(
          "section",
          { class: "stylus-group" },
          el("h4", { dir: "auto" }, task.text.trim()),
          task.taken_by && el("p", {}, text("yours", { name: task.taken_by })),
          el(
            "div",
            { class: "stylus-cards" },
            cards.map((pick) => drawPick(panel, pick)),
          ),
        );
      });
      return groups.some(Boolean)
        ? el("div", { class: "stylus-groups" }, groups)
        : el("p", {}, text("noPicks"));
    }

    /** @param {PlanCard | null | undefined} card */
    function drawLink(card) {
      if (!card?.link) return null;
      const site = card.link.includes("huggingface.co") ? "Hugging Face" : "Civitai";
      return stylus.link(card.link, text("shows", { site }));
    }

    /**
     * Buttons for the states "always" and "never"; a second click takes the state back.
     * @param {PlanPanel} panel
     * @param {string} key
     * @param {string} name
     * @param {AdapterState} [state]
     */
    function drawStates(panel, key, name, state) {
      return ["always", "never"].map((wanted) =>
        panel.button(
          text(wanted),
          text(`${wanted}Hint`, { name }),
          `${wanted} ${key}`,
          () => panel.ask("mark", { key, state: state === wanted ? "auto" : wanted }),
          { "aria-pressed": String(state === wanted) },
        ),
      );
    }

    /** @param {PlanPick} pick */
    function describePlace({ on_disk, to_download }) {
      if (on_disk) return text("onDisk");
      if (to_download) return text("toDownload", { size: stylus.formatSize(to_download) });
      return text("notHere");
    }

    /** @param {PlanPanel} panel @param {PlanPick} pick */
    function drawWeight(panel, { key, name, weight }) {
      /** @param {{target: HTMLInputElement}} event */
      function change({ target }) {
        if (!target.checkValidity() || target.value === "") return;
        target.dataset.was = target.value;
        panel.correct("weight", key, { weight: Number(target.value) });
      }
      return el("input", {
        type: "number",
        step: "0.05",
        min: "-5",
        max: "5",
        class: "stylus-weight",
        value: String(weight),
        data: { focus: `weight ${key}`, was: weight },
        aria: { label: text("weightOf", { name }) },
        on: { change },
      });
    }

    /** @param {PlanPanel} panel @param {PlanPick} pick */
    function drawPick(panel, pick) {
      const { key, name, kept } = pick;
      /** @type {Partial<PlanCard>} */
      const card = pick.card || {};
      /** @param {Child} label */
      const badge = (label) => el("span", { class: "stylus-badge" }, label);
      /** @param {string} act @param {string} label @param {string} sent @param {ElementProps} [more] */
      const correction = (act, label, sent, more) =>
        panel.button(
          text(label),
          text(`${act}Hint`, { name }),
          `${act} ${key}`,
          () => panel.correct(sent, key),
          more,
        );
      return el(
        "article",
        { class: "stylus-card", data: { key }, aria: { label: name } },
        stylus.pictures.frame({ ...card, key: card.key ?? key, name }),
        el(
          "div",
          { class: "stylus-card-text" },
          el("strong", { dir: "auto" }, name),
          " ",
          card.family_name && badge(card.family_name),
          " ",
          badge(describePlace(pick)),
          " ",
          pick.pinned && badge(text("pinned")),
          el("p", { class: "stylus-reason", dir: "auto" }, pick.reason),
          pick.triggers.length > 0 &&
            el(
              "p",
              { class: "stylus-triggers", dir: "auto" },
              text("triggers", { words: pick.triggers.join(", ") }),
            ),
          el("label", { class: "stylus-weigh" }, text("weight"), " ", drawWeight(panel, pick)),
          " ",
          drawLink(pick.card),
        ),
        el(
          "div",
          { class: "stylus-buttons" },
          correction("accept", kept ? "accepted" : "accept", kept ? "restore" : "accept", {
            "aria-pressed": String(kept),
          }),
          correction("reject", "reject", "reject"),
          correction("swap", "swap", "swap"),
          drawStates(panel, key, name, card.state),
        ),
      );
    }

    /**
     * A list that the user can open; it stays open when the plan is drawn again.
     * @param {PlanPanel} panel
     * @param {string} name
     * @param {string} head
     * @param {HTMLElement[]} lines
     */
    function drawFolded(panel, name, head, lines) {
      /** @param {{target: HTMLDetailsElement}} event */
      function toggle({ target }) {
        if (target.open) panel.open.add(name);
        else panel.open.delete(name);
      }
      return el(
        "details",
        { class: name, open: panel.open.has(name), on: { toggle } },
        el("summary", {}, head),
        el("ul", {}, lines),
      );
    }

    /** @param {PlanPanel} panel @param {PlanView} view */
    function drawBatches(panel, { batches, picks, combinations, exact }) {
      if (batches < 2 || !picks.length) return null;
      const lines = combinations.map((names, at) =>
        el(
          "li",
          { dir: "auto" },
          text("batch", { number: at + 1, names: names.join(", ") || text("none") }),
        ),
      );
      const head = text("batches", { count: batches }) + (exact ? "" : text("example"));
      return drawFolded(panel, "stylus-combinations", head, lines);
    }

    /** @param {PlanPanel} panel @param {NearMiss} miss */
    function drawNearMiss(panel, { key, name, reason, mine, card }) {
      const correction = mine
        ? panel.button(text("restore"), text("restoreHint", { name }), `restore ${key}`, () =>
            panel.correct("restore", key),
          )
        : panel.button(text("useIt"), text("useItHint", { name }), `use ${key}`, () =>
            panel.correct("accept", key),
          );
      return el(
        "li",
        { data: { key } },
        el("strong", { dir: "auto" }, name),
        ": ",
        el("span", { dir: "auto" }, reason),
        " ",
        correction,
        " ",
        drawStates(panel, key, name, card?.state),
        " ",
        drawLink(card),
      );
    }

    /** @param {PlanPanel} panel @param {PlanView} view */
    function drawNearMisses(panel, { near }) {
      if (!near.length) return null;
      const head = text(near.length > 1 ? "whyNot" : "whyNotOne", { count: near.length });
      const lines = near.map((miss) => drawNearMiss(panel, miss));
      return drawFolded(panel, "stylus-near", head, lines);
    }

    /** @param {PlanView} view */
    function drawNotes({ notes }) {
      if (!notes.length) return null;
      return el(
        "ul",
        { class: "stylus-notes" },
        notes.map((note) => el("li", {}, note)),
      );
    }

    /** @param {PlanPanel} panel @param {PlanView} view */
    function drawPlan(panel, view) {
      return [
        drawNotes(view),
        drawPrompt(view),
        drawTasks(panel, view),
        drawBatches(panel, view),
        drawNearMisses(panel, view),
      ];
    }

    return { drawPlan, drawStates };
  },
});
