// @ts-check
/* Catalogue section: search and filters, a page of adapters, and the editor of one of them. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "catalogue",
  needs: ["core", "requests", "pictures", "sections", "adapter"],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, select, call, attempt, say } = stylus;

    addTexts({
      catalogue: "LoRAs",
      search: "Search",
      searchHint: "name, trigger word, tag, description",
      family: "Base model",
      kind: "Kind",
      state: "State",
      place: "Place",
      described: "Description",
      metadata: "Metadata",
      any: "any",
      onDisk: "on disk",
      notOnDisk: "not on disk",
      refined: "refined",
      notRefined: "from the card",
      bare: "missing",
      notBare: "present",
      showPictures: "Show not-safe-for-work pictures",
      found: "{total} found, {from} to {to} shown",
      foundOne: "1 found",
      foundNone: "Nothing found. Use fewer words or filters.",
      foundMany: "more than {total} found, {from} to {to} shown",
      previous: "Previous",
      next: "Next",
      pages: "Pages",
      nsfw: "NSFW",
      state_auto: "auto",
      state_always: "always",
      state_never: "never",
    });

    const PAGE_SIZE = 40;
    /** The engine counts no further while it searches. */
    const MOST_COUNTED = 5000;
    const TYPING_PAUSE_MS = 60;
    /** Filters whose values are "true" and "false". */
    const YES_NO = ["on_disk", "refined", "bare"];

    /** @type {[string, string]} */
    const anyOption = ["", text("any")];

    /** @param {string} id @param {[string, string][]} options */
    function filter(id, ...options) {
      const control = select([anyOption, ...options]);
      control.id = `stylus_filter_${id}`;
      return control;
    }

    /** @param {string} id @param {string} yes @param {string} no */
    function yesNoFilter(id, yes, no) {
      return filter(id, ["true", text(yes)], ["false", text(no)]);
    }

    /** @returns {Record<string, HTMLSelectElement> & {family: HTMLSelectElement, kind: HTMLSelectElement}} */
    function makeFilters() {
      return {
        family: filter("family"),
        kind: filter("kind"),
        state: filter(
          "state",
          ["auto", text("state_auto")],
          ["always", text("state_always")],
          ["never", text("state_never")],
        ),
        on_disk: yesNoFilter("on_disk", "onDisk", "notOnDisk"),
        refined: yesNoFilter("refined", "refined", "notRefined"),
        bare: yesNoFilter("bare", "bare", "notBare"),
      };
    }

    /** Labels of the filters, in the order of the page. */
    const FILTER_LABELS = {
      family: "family",
      kind: "kind",
      state: "state",
      on_disk: "place",
      refined: "described",
      bare: "metadata",
    };

    /**
     * Replaces the options of a filter and keeps the chosen one.
     * @param {HTMLSelectElement} control
     * @param {[value: string, label: string][]} options
     */
    function setOptions(control, options) {
      const chosen = control.value;
      fill(
        control,
        [anyOption, ...options].map(([value, label]) =>
          el("option", { value, selected: value === chosen }, label),
        ),
      );
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const filters = makeFilters();
      let offset = 0;
      let listRequests = 0;
      let openRequests = 0;
      let pending = new AbortController();

      const search = el("input", {
        type: "search",
        class: "stylus-input",
        id: "stylus_search",
        placeholder: text("searchHint"),
        autocomplete: "off",
        spellcheck: "false",
        on: { input: stylus.debounce(() => listFromStart(), TYPING_PAUSE_MS) },
      });
      const unblur = el("input", {
        type: "checkbox",
        id: "stylus_show_pictures",
        on: { change: ({ target }) => place.classList.toggle("stylus-bold", target.checked) },
      });
      const line = stylus.statusLine({ id: "stylus_found" });
      const grid = el("ul", {
        class: "stylus-shelf",
        id: "stylus_cards",
        "aria-label": text("catalogue"),
      });
      const previous = button(text("previous"), () => turn(-PAGE_SIZE), { id: "stylus_previous" });
      const next = button(text("next"), () => turn(PAGE_SIZE), { id: "stylus_next" });
      const detail = el("section", { class: "stylus-detail", id: "stylus_detail", hidden: true });
      for (const control of Object.values(filters)) {
        control.addEventListener("change", () => listFromStart());
      }

      fill(
        place,
        el(
          "div",
          { class: "stylus-tools", role: "search" },
          field(text("search"), search),
          Object.entries(FILTER_LABELS).map(([name, label]) =>
            field(text(label), /** @type {HTMLSelectElement} */ (filters[name])),
          ),
          el(
            "div",
            { class: "stylus-check" },
            unblur,
            el("label", { for: unblur.id }, text("showPictures")),
          ),
        ),
        line,
        el("div", { class: "stylus-split" }, grid, detail),
        el(
          "div",
          { class: "stylus-row", role: "group", "aria-label": text("pages") },
          previous,
          next,
        ),
      );

      function query() {
        /** @type {Record<string, unknown>} */
        const payload = { text: search.value, offset, limit: PAGE_SIZE };
        for (const [name, { value }] of Object.entries(filters)) {
          if (value !== "") payload[name] = YES_NO.includes(name) ? value === "true" : value;
        }
        return payload;
      }

      function listFromStart() {
        offset = 0;
        return list();
      }

      /** @param {number} step */
      function turn(step) {
        offset = Math.max(0, offset + step);
        return list();
      }

      /** Answers to older requests are dropped. */
      async function list() {
        const number = ++listRequests;
        pending.abort();
        pending = new AbortController();
        const { signal } = pending;
        const answer = await attempt(line, () => call("browse", query(), { signal }));
        if (!answer || number !== listRequests) return;
        show(answer);
      }

      /** @param {Answers["browse"]} answer */
      function show({ total, entries }) {
        const from = offset + 1;
        const to = offset + entries.length;
        const capped = total >= MOST_COUNTED && search.value.trim();
        if (total === 0) say(line, "foundNone");
        else if (total === 1) say(line, "foundOne");
        else say(line, capped ? "foundMany" : "found", { total: total.toLocaleString(), from, to });
        previous.disabled = offset === 0;
        next.disabled = to >= total;
        stylus.pictures.release(grid);
        fill(
          grid,
          entries.map((entry) => card(entry, () => open(entry.key))),
        );
      }

      async function loadOptions() {
        const answer = await attempt(line, () => call("overview"));
        if (!answer) return;
        setOptions(
          filters.family,
          answer.families.map(({ family, name, entries }) => [
            family,
            `${name} (${entries.toLocaleString()})`,
          ]),
        );
        setOptions(
          filters.kind,
          Object.entries(answer.kinds).map(([kind, count]) => [
            kind,
            `${kind} (${count.toLocaleString()})`,
          ]),
        );
      }

      /** @param {string} key */
      async function open(key) {
        const number = ++openRequests;
        const answer = await attempt(line, () => call("show", { key }));
        if (!answer || number !== openRequests) return;
        stylus.drawAdapter(detail, answer.entry, {
          kinds: [...filters.kind.options].map((option) => option.value).filter(Boolean),
          changed: list,
          closed() {
            const opened = grid.querySelector(`[data-key="${CSS.escape(key)}"]`);
            (opened instanceof HTMLElement ? opened : search).focus();
          },
        });
      }

      function refresh() {
        loadOptions();
        list();
      }

      refresh();
      return refresh;
    }

    /** @param {Entry} entry @param {() => void} open */
    function card(entry, open) {
      /** @param {Child} label @param {string} kind */
      const badge = (label, kind) => el("span", { class: `stylus-badge stylus-${kind}` }, label);
      return el(
        "li",
        { class: "stylus-item" },
        el(
          "button",
          {
            type: "button",
            class: "stylus-open",
            data: { key: entry.key, stem: entry.stem || "" },
            on: { click: open },
          },
          stylus.pictures.frame(entry),
          el("span", { class: "stylus-name" }, entry.name),
          el(
            "span",
            { class: "stylus-badges" },
            badge(entry.family_name || entry.family, "family"),
            badge(entry.kind, "kind"),
            entry.state !== "auto" && badge(text(`state_${entry.state}`), entry.state),
            entry.stem
              ? badge(text("onDisk"), "here")
              : badge(stylus.formatSize(entry.size) || text("notOnDisk"), "away"),
            entry.nsfw && badge(text("nsfw"), "nsfw"),
          ),
        ),
      );
    }

    stylus.sections.catalogue = { label: "catalogue", draw };
  },
});
