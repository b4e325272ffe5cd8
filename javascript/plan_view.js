// @ts-check
/* View of a plan: the chosen LoRAs, the resulting prompt, batches, and what was not used. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "plan_view",
  needs: ["core", "pictures", "menus", "choices", "adapter_types"],
  start(stylus) {
    const { addTexts, text, el } = stylus;

    addTexts({
      resultingPrompt: "The resulting prompt; what is added is marked",
      negativeAdded: "Added to the negative prompt: {words}",
      unresolved: "unresolved",
      yours: "Your own {name} is used for: {tasks}",
      nothingFor: "Nothing for: {tasks}",
      keep: "Keep for this prompt",
      keepHint: "Keep {name} in this plan",
      remove: "Remove",
      removeHint: "Leave {name} out of this plan",
      swap: "Swap",
      swapHint: "Replace {name} with the next candidate",
      pickDetails: "Details",
      pickDetailsHint: "Base model, trigger words and file of {name}",
      more: "More for {name}",
      useIt: "Use",
      useItHint: "Put {name} into this plan",
      restore: "Restore",
      restoreHint: "Let {name} be chosen again",
      weightOf: "Weight of {name}",
      lowered: "Lowered from {weight} (all weights: at most {cap})",
      actsIn: "Acts in {times} of the steps",
      fromTo: "{from} % to {to} %",
      toDownload: "Will be downloaded ({size})",
      notHere: "Not on disk",
      pinned: "In every batch",
      kept: "Kept",
      stateAlways: "Always",
      detailModel: "Base model",
      detailKind: "Kind",
      detailTriggers: "Trigger words",
      detailFile: "File",
      detailReason: "Why",
      batches: "What the next {number} batches would use",
      batchesOne: "What the next batch would use",
      example: " (an example, as the seed is random)",
      batch: "Batch {number}: {names}",
      noLoras: "no LoRAs",
      considered: "Considered, not used ({count})",
    });

    /** @param {PlanView} view */
    function drawPrompt({ pieces, negative_added }) {
      const parts = pieces.map((piece) => {
        const words = piece.added ? el("ins", { class: "stylus-added" }, piece.text) : piece.text;
        if (!piece.unresolved) return words;
        return el("span", { class: "stylus-unresolved", title: text("unresolved") }, words);
      });
      const label = text("resultingPrompt");
      return [
        el(
          "p",
          { class: "stylus-prompt", dir: "auto", title: label, role: "group", aria: { label } },
          parts,
        ),
        negative_added &&
          el(
            "p",
            { class: "stylus-subdued", dir: "auto" },
            text("negativeAdded", { words: negative_added.replace(/^[\s,]+/, "") }),
          ),
      ];
    }

    /** @param {PlanPanel} panel @param {PlanView} view */
    function drawPicks(panel, view) {
      const { tasks, picks } = view;
      /** @type {Map<string, string[]>} */
      const own = new Map();
      for (const { text: words, taken_by } of tasks) {
        if (taken_by) own.set(taken_by, [...(own.get(taken_by) ?? []), words.trim()]);
      }
      const unserved = tasks.filter((task) => !task.picks.length && !task.taken_by);
      const names = unserved.map((task) => task.text.trim()).join(", ");
      /** @param {Child} words */
      const line = (words) => el("p", { class: "stylus-subdued", dir: "auto" }, words);
      return [
        picks.length > 0 &&
          el(
            "div",
            { class: "stylus-cards" },
            picks.map((pick) => drawPick(panel, view, pick)),
          ),
        [...own].map(([name, words]) => line(text("yours", { name, tasks: words.join(", ") }))),
        names && line(text("nothingFor", { tasks: names })),
      ];
    }

    /** @param {PlanPanel} panel @param {PlanPick} pick */
    function drawWeight(panel, { key, name, weight }) {
      const label = text("weightOf", { name });
      const limits = { min: Math.min(0, weight), max: Math.max(1.5, weight), step: "0.05" };
      /** @param {{target: HTMLInputElement}} event */
      function change({ target }) {
        if (!target.checkValidity() || target.value === "") return;
        target.dataset.was = target.value;
        panel.correct("weight", key, { weight: Number(target.value) });
      }
      const number = el("input", {
        type: "number",
        step: "0.01",
        min: "-5",
        max: "5",
        class: "stylus-weight",
        value: String(weight),
        data: { focus: `weight ${key}`, was: weight },
        aria: { label },
        on: { change },
      });
      const slider = el("input", {
        ...limits,
        type: "range",
        class: "stylus-slider",
        value: String(weight),
        data: { focus: `slider ${key}` },
        aria: { label },
        on: {
          change,
          /** @param {{target: HTMLInputElement}} event */
          input: ({ target }) => {
            number.value = target.value;
          },
        },
      });
      return el("div", { class: "stylus-weigh" }, slider, number);
    }

    /**
     * When a LoRA acts, over the steps of a picture: its turns are as high as their weights.
     * @param {PlanPick} pick
     */
    function drawSchedule({ schedule }) {
      if (!schedule.length) return null;
      const turns = schedule
        .map(([from, weight], at) => ({ from, weight, to: schedule[at + 1]?.[0] ?? 1 }))
        .filter(({ weight }) => weight);
      const most = Math.max(...turns.map(({ weight }) => Math.abs(weight)));
      const times = turns.map(({ from, to }) =>
        text("fromTo", { from: Math.round(from * 100), to: Math.round(to * 100) }),
      );
      const label = text("actsIn", { times: times.join(", ") });
      return el(
        "div",
        { class: "stylus-schedule", role: "img", title: label, aria: { label } },
        turns.map(({ from, weight, to }) => {
          const turn = el("span", {});
          turn.style.left = `${from * 100}%`;
          turn.style.width = `${(to - from) * 100}%`;
          turn.style.height = `${(Math.abs(weight) / most) * 100}%`;
          return turn;
        }),
      );
    }

    /** @param {PlanPick} pick */
    function describePlace({ on_disk, to_download }) {
      if (on_disk) return "";
      if (to_download) return text("toDownload", { size: stylus.formatSize(to_download) });
      return text("notHere");
    }

    /** @param {PlanPick} pick */
    function drawDetails({ reason, triggers, stem, kind, card }) {
      /** @type {[string, Child][]} */
      const facts = [
        ["detailReason", reason],
        ["detailModel", card?.family_name],
        ["detailKind", kind],
        ["type", stylus.typeName(card)],
        ["detailTriggers", triggers.join(", ")],
        ["detailFile", stem],
      ];
      return el(
        "dl",
        { class: "stylus-facts" },
        facts
          .filter(([, value]) => value)
          .map(([name, value]) => [el("dt", {}, text(name)), el("dd", { dir: "auto" }, value)]),
      );
    }

    /** @param {PlanPanel} panel @param {PlanView} view @param {PlanPick} pick */
    function drawPick(panel, view, pick) {
      const { key, name, kept, kind } = pick;
      const task = view.tasks.find(({ start }) => start === pick.task)?.text.trim();
      const question = el("div", {});
      const place = { question: () => question, line: () => panel.line };
      const detailsName = `details ${key}`;
      const details = el(
        "div",
        {
          hidden: !panel.open.has(detailsName),
          tabindex: -1,
          aria: { label: text("pickDetails") },
        },
        drawDetails(pick),
      );
      function toggleDetails() {
        if (panel.open.delete(detailsName)) details.hidden = true;
        else {
          panel.open.add(detailsName);
          details.hidden = false;
        }
      }
      /** @param {string} act @param {string} label */
      const correction = (act, label) =>
        panel.button(text(label), text(`${label}Hint`, { name }), `${act} ${key}`, () =>
          panel.correct(act, key),
        );
      const menu = stylus.menuButton(text("more", { name }), `menu ${key}`, () => [
        {
          items: [
            {
              label: text("keep"),
              hint: text("keepHint", { name }),
              checked: kept,
              act: () => panel.correct(kept ? "restore" : "accept", key),
            },
            ...stylus.lastingChoices(panel, place, { key, name, state: pick.card?.state }),
            ...stylus.pageItems(pick.card),
            {
              label: text("pickDetails"),
              hint: text("pickDetailsHint", { name }),
              checked: panel.open.has(detailsName),
              act: toggleDetails,
            },
          ],
        },
      ]);
      const where = describePlace(pick);
      const badges = [
        stylus.typeName(pick.card),
        kept && text("kept"),
        pick.card?.state === "always" ? text("stateAlways") : pick.pinned && text("pinned"),
      ];
      return el(
        "article",
        { class: "stylus-card", data: { key }, aria: { label: name } },
        el("p", { class: "stylus-caption", dir: "auto", title: task }, task),
        stylus.pictures.frame({ ...pick.card, key: pick.card?.key ?? key, name, kind }),
        el("strong", { class: "stylus-name", dir: "auto", title: name }, name),
        badges.some(Boolean) &&
          el(
            "p",
            { class: "stylus-badges" },
            badges.filter(Boolean).map((label) => el("span", { class: "stylus-badge" }, label)),
          ),
        el("p", { class: "stylus-reason", dir: "auto", title: pick.reason }, pick.reason),
        where && el("p", { class: "stylus-subdued" }, where),
        drawWeight(panel, pick),
        drawSchedule(pick),
        pick.lowered_from !== null &&
          el(
            "p",
            { class: "stylus-subdued stylus-lowered" },
            text("lowered", { weight: pick.lowered_from, cap: view.cap }),
          ),
        el(
          "div",
          { class: "stylus-buttons" },
          correction("reject", "remove"),
          correction("swap", "swap"),
          menu,
        ),
        question,
        details,
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
          text("batch", { number: at + 1, names: names.join(", ") || text("noLoras") }),
        ),
      );
      const head = stylus.countText("batches", batches) + (exact ? "" : text("example"));
      return drawFolded(panel, "stylus-combinations", head, lines);
    }

    /** @param {PlanPanel} panel @param {NearMiss} miss */
    function drawNearMiss(panel, { key, name, reason, mine, card }) {
      const question = el("div", {});
      const place = { question: () => question, line: () => panel.line };
      const correction = mine
        ? panel.button(text("restore"), text("restoreHint", { name }), `restore ${key}`, () =>
            panel.correct("restore", key),
          )
        : panel.button(text("useIt"), text("useItHint", { name }), `use ${key}`, () =>
            panel.correct("accept", key),
          );
      const menu = stylus.menuButton(text("more", { name }), `menu ${key}`, () => [
        {
          items: [
            ...stylus.lastingChoices(panel, place, { key, name, state: card?.state }),
            ...stylus.pageItems(card),
          ],
        },
      ]);
      return el(
        "li",
        { data: { key } },
        el(
          "span",
          {},
          el("strong", { dir: "auto" }, name),
          ": ",
          el("span", { dir: "auto" }, reason),
        ),
        el("span", { class: "stylus-buttons" }, correction, menu),
        question,
      );
    }

    /** @param {PlanPanel} panel @param {PlanView} view */
    function drawNearMisses(panel, { near }) {
      if (!near.length) return null;
      const head = text("considered", { count: near.length });
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
        drawPicks(panel, view),
        drawPrompt(view),
        drawBatches(panel, view),
        drawNearMisses(panel, view),
      ];
    }

    return { drawPlan };
  },
});
