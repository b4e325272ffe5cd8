// @ts-check
/* Selecting several cards of the gallery, and what can be done with all of them. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "multi_select",
  needs: ["core", "requests", "sections", "menus", "job_list"],
  start(stylus) {
    const { addTexts, text, countText, el, fill, button, call, attempt, say } = stylus;
    addTexts({
      selectMany: "Select",
      stopSelecting: "Done",
      selected: "{number} selected",
      selectedActions: "For the selected LoRAs",
      addFavourites: "Add to favourites",
      removeFavourites: "Remove from favourites",
      setState: "Set to {state}",
      manyTags: "Tags, separated by commas",
      addTags: "Add tags",
      removeTags: "Remove tags",
      markedMany: "{number} LoRAs changed.",
      markedManyOne: "1 LoRA changed.",
      deleteDownloads: "Delete downloads",
      askDelete: "Delete {number} downloaded files ({size})?",
      askDeleteOne: "Delete 1 downloaded file ({size})?",
      nothingToDelete: "None of them is a download that was unused for a day.",
      describeMany: "Describe better",
      askDescribe: "Have {number} LoRAs described by the language model? {cost}",
      askDescribeOne: "Have 1 LoRA described by the language model? {cost}",
      nothingToDescribe: "All of them are described already.",
      begunMany: "Begun. The drawer of jobs shows how far it is.",
    });

    /** The engine changes at most so many at once. */
    const MOST = 1000;

    /**
     * The question after a dry run; undefined if there is nothing to do.
     * @type {{discard: (result: any) => string | undefined, refine: (result: any) => string | undefined}}
     */
    const QUESTIONS = {
      discard: ({ discarded }) => {
        const bytes = discarded.reduce(
          (/** @type {number} */ sum, /** @type {any} */ file) => sum + file.size,
          0,
        );
        const size = stylus.formatSize(bytes);
        return discarded.length ? countText("askDelete", discarded.length, { size }) : undefined;
      },
      refine: ({ wanted, estimate }) =>
        wanted
          ? countText("askDescribe", wanted, { cost: stylus.describeCost("estimated", estimate) })
          : undefined,
    };
    const NOTHING = { discard: "nothingToDelete", refine: "nothingToDescribe" };

    /**
     * @param {HTMLElement} line
     * @param {() => void} redraw shows the cards as selected or not
     * @param {() => void} changed after a change of the selected LoRAs
     * @returns {MultiSelect}
     */
    function multiSelect(line, redraw, changed) {
      let active = false;
      /** @type {Set<string>} */
      const keys = new Set();
      const count = el("span", { role: "status", class: "stylus-selected" });
      const question = el("div");
      const describe = button(text("describeMany"), () => prepare("refine"), {
        id: "stylus_describe_selected",
        hidden: true,
      });
      const tags = el("input", {
        type: "text",
        class: "stylus-input",
        id: "stylus_many_tags",
        maxlength: "1000",
        placeholder: text("manyTags"),
        aria: { label: text("manyTags") },
        on: { input: show },
      });
      const addTags = button(text("addTags"), () => mark({ add_tags: typedTags() }), {
        id: "stylus_add_tags",
      });
      const removeTags = button(text("removeTags"), () => mark({ remove_tags: typedTags() }), {
        id: "stylus_remove_tags",
      });
      const actions = [
        button(text("addFavourites"), () => mark({ favourite: true }), {
          id: "stylus_add_favourites",
        }),
        button(text("removeFavourites"), () => mark({ favourite: false }), {
          id: "stylus_remove_favourites",
        }),
        ...["auto", "always", "never"].map((state) =>
          button(text("setState", { state: text(`state_${state}`) }), () => mark({ state }), {
            id: `stylus_set_${state}`,
          }),
        ),
        button(text("deleteDownloads"), () => prepare("discard"), { id: "stylus_delete_selected" }),
        describe,
      ];
      const bar = el(
        "div",
        {
          class: "stylus-row",
          id: "stylus_selection",
          role: "group",
          aria: { label: text("selectedActions") },
          hidden: true,
        },
        count,
        actions,
        tags,
        addTags,
        removeTags,
        question,
      );
      const toggle = button(text("selectMany"), () => setActive(!active), {
        id: "stylus_select",
        aria: { pressed: "false" },
      });

      /** @param {boolean} wanted */
      function setActive(wanted) {
        active = wanted;
        keys.clear();
        toggle.setAttribute("aria-pressed", String(active));
        fill(toggle, text(active ? "stopSelecting" : "selectMany"));
        bar.hidden = !active;
        if (active) showAbilities();
        show();
        redraw();
      }

      const typedTags = () => tags.value.split(",").filter((tag) => tag.trim());

      function show() {
        fill(count, text("selected", { number: keys.size }));
        fill(question);
        for (const action of actions) action.disabled = keys.size === 0;
        for (const action of [addTags, removeTags]) {
          action.disabled = keys.size === 0 || typedTags().length === 0;
        }
      }

      /** Only an engine with a chat server can describe. */
      async function showAbilities() {
        const answer = await call("status").catch(() => null);
        const composers = answer?.engine_status?.capabilities?.composers ?? [];
        describe.hidden = !composers.includes("chat");
      }

      /**
       * Asks, with what a dry run says, before it begins the job.
       * @param {"discard" | "refine"} name
       */
      async function prepare(name) {
        /** @type {JobPayload} */
        const payload = { keys: [...keys], ...(name === "discard" && { days: 1 }) };
        const job = await attempt(line, async () =>
          stylus.followJob(
            await call("start", { name, payload: { ...payload, dry_run: true } }),
            () => bar.isConnected,
          ),
        );
        if (!job) return;
        if (!job.result) {
          stylus.sayWords(line, job.error);
          return;
        }
        const asked = QUESTIONS[name](job.result);
        if (asked === undefined) {
          say(line, NOTHING[name]);
          return;
        }
        const label = text(name === "discard" ? "deleteDownloads" : "describeMany");
        stylus.askFirst(question, asked, label, () => begin(name, payload));
      }

      /** @param {string} name @param {JobPayload} payload */
      async function begin(name, payload) {
        if (!(await stylus.startJob(line, name, payload))) return;
        setActive(false);
        toggle.focus();
        say(line, "begunMany");
      }

      /** @param {object} changes */
      async function mark(changes) {
        const payload = { keys: [...keys], ...changes };
        const answer = await attempt(line, () => call("mark_all", payload));
        if (!answer) return;
        setActive(false);
        changed();
        toggle.focus();
        const number = answer.changed;
        say(line, number === 1 ? "markedManyOne" : "markedMany", { number });
      }

      return {
        toggle,
        bar,
        isActive: () => active,
        has: (key) => keys.has(key),
        flip(key) {
          if (!keys.delete(key) && keys.size < MOST) keys.add(key);
          show();
          return keys.has(key);
        },
      };
    }

    return { multiSelect };
  },
});
