// @ts-check
/* LoRAs part of the tab: a gallery of what is on disk or of the whole catalogue, with search, sort,
 * filter chips, and the details of one adapter as a side sheet. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "catalogue",
  needs: [
    "core",
    "requests",
    "pictures",
    "sections",
    "job_list",
    "first_steps",
    "gallery",
    "chips",
    "probes",
    "own_marks",
    "multi_select",
    "picture_consent",
    "adapter",
    "adapter_types",
  ],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, select, call, attempt, say } = stylus;

    addTexts({
      catalogue: "LoRAs",
      scope: "Which LoRAs",
      mine: "My LoRAs",
      everything: "Everything",
      search: "Search",
      searchHint: "name, trigger word, tag, description",
      sort: "Sort by",
      order_added: "Recently added",
      order_name: "Name",
      order_size: "Size",
      order_used: "Most used",
      family: "Base model",
      kind: "Kind",
      state: "State",
      bare: "No description",
      unused: "Never used",
      favourites: "Favourites",
      refined: "Described by a model",
      notOnDisk: "not on disk",
      showPictures: "Show not-safe-for-work pictures",
      found: "{total} found",
      foundOne: "1 found",
      foundNone: "Nothing found. Use fewer words or filters.",
      foundMany: "More than {total} found",
      noneHere: "No LoRAs are read yet.",
      nsfw: "NSFW",
      state_auto: "auto",
      state_always: "always",
      state_never: "never",
    });

    /** The engine counts no further while it searches. */
    const MOST_COUNTED = 5000;
    const TYPING_PAUSE_MS = 60;
    const CHANGES_LORAS = [
      "index",
      "learn",
      "identify",
      "sync",
      "fetch",
      "discard",
      "import",
      "probe",
    ];

    /** @param {HTMLElement} place */
    function draw(place) {
      let scope = "mine";
      let openRequests = 0;
      /** @type {string[]} */
      let kinds = [];

      const search = el("input", {
        type: "search",
        class: "stylus-input",
        id: "stylus_search",
        placeholder: text("searchHint"),
        autocomplete: "off",
        spellcheck: "false",
        on: { input: stylus.debounce(() => listFromTop(), TYPING_PAUSE_MS) },
      });
      const order = select(
        ["added", "used", "name", "size"].map((name) => [name, text(`order_${name}`)]),
        "added",
      );
      order.id = "stylus_order";
      order.addEventListener("change", () => listFromTop());
      const unblur = el("input", {
        type: "checkbox",
        id: "stylus_show_pictures",
        on: { change: ({ target }) => place.classList.toggle("stylus-bold", target.checked) },
      });
      const line = stylus.statusLine({ id: "stylus_found" });
      const firstSteps = stylus.makeFirstSteps("start");
      const empty = el(
        "div",
        { id: "stylus_none_here", hidden: true },
        el("h3", {}, text("firstSteps")),
        firstSteps.place,
      );
      const groups = {
        family: stylus.chipGroup("family", text("family"), () => listFromTop()),
        kind: stylus.chipGroup("kind", text("kind"), () => listFromTop()),
        type: stylus.chipGroup("type", text("type"), () => listFromTop()),
        state: stylus.chipGroup("state", text("state"), () => listFromTop()),
        bare: stylus.chipGroup("bare", text("bare"), () => listFromTop()),
        refined: stylus.chipGroup("refined", text("refined"), () => listFromTop()),
        used: stylus.chipGroup("used", text("unused"), () => listFromTop()),
        favourite: stylus.chipGroup("favourite", text("favourites"), () => listFromTop()),
      };
      const consent = stylus.pictureConsent(line, () => refresh());
      const selection = stylus.multiSelect(
        line,
        () => gallery.redraw(),
        () => refresh(),
      );
      const gallery = stylus.drawGallery({
        label: text("catalogue"),
        load,
        makeCard,
        makeActions: (entry) => stylus.starButton(entry, line, starred),
      });
      const detail = el("section", {
        class: "stylus-detail stylus-sheet",
        id: "stylus_detail",
        hidden: true,
      });
      stylus.closeByEscape(detail, () => {
        const close = detail.querySelector("#stylus_close");
        if (close instanceof HTMLElement) close.click();
      });

      /** @param {Entry} entry */
      function makeCard(entry) {
        const made = card(entry, () => {
          if (selection.isActive()) setPressed(selection.flip(entry.key));
          else open(entry.key);
        });
        /** @param {boolean} isSelected */
        const setPressed = (isSelected) => made.setAttribute("aria-pressed", String(isSelected));
        if (selection.isActive()) setPressed(selection.has(entry.key));
        return made;
      }

      /** Counts anew; the list too where it depends on the stars. */
      async function starred() {
        if (groups.favourite.value()) refresh();
        else await load(0, 1, true, new AbortController().signal);
      }

      /** @param {string} name */
      const scopeButton = (name) =>
        button(text(name), () => setScope(name), {
          id: `stylus_scope_${name}`,
          class: "stylus-scope",
          aria: { pressed: name === scope },
        });
      const scopes = ["mine", "everything"].map(scopeButton);

      /** @param {string} name */
      function setScope(name) {
        scope = name;
        scopes.forEach((one) =>
          one.setAttribute("aria-pressed", String(one.id === `stylus_scope_${name}`)),
        );
        order.value = name === "mine" ? "added" : "name";
        consent.show(name === "everything");
        listFromTop();
      }

      fill(
        place,
        el(
          "div",
          { class: "stylus-tools", role: "search" },
          el(
            "div",
            { class: "stylus-scopes", role: "group", aria: { label: text("scope") } },
            scopes,
          ),
          field(text("search"), search),
          field(text("sort"), order),
        ),
        el(
          "div",
          { class: "stylus-filters" },
          Object.values(groups).map((group) => group.place),
        ),
        el(
          "div",
          { class: "stylus-found" },
          line,
          selection.toggle,
          el(
            "div",
            { class: "stylus-check" },
            unblur,
            el("label", { for: unblur.id }, text("showPictures")),
          ),
        ),
        consent.place,
        selection.bar,
        empty,
        gallery.place,
        detail,
      );

      const listFromTop = () => gallery.reload(true);
      const refresh = () => gallery.reload(false);

      /**
       * @param {number} offset
       * @param {number} limit
       * @param {boolean} first the first page of a new list brings the counts
       * @param {AbortSignal} signal
       */
      async function load(offset, limit, first, signal) {
        /** @type {Record<string, unknown>} */
        const payload = { text: search.value, offset, limit, order: order.value, counts: first };
        if (scope === "mine") payload.on_disk = true;
        for (const [name, group] of Object.entries(groups)) {
          const value = group.value();
          if (value) payload[name] = { true: true, false: false }[value] ?? value;
        }
        const answer = await attempt(line, () => call("browse", payload, { signal }));
        if (answer && first) show(answer, Object.keys(payload));
        return answer;
      }

      /**
       * @param {Answers["browse"]} answer
       * @param {string[]} asked
       */
      function show({ total, counts }, asked) {
        const capped = total >= MOST_COUNTED && search.value.trim();
        const filtered =
          search.value.trim() || Object.keys(groups).some((name) => asked.includes(name));
        empty.hidden = total > 0 || Boolean(filtered) || scope !== "mine";
        if (!empty.hidden) {
          say(line, "noneHere");
          firstSteps.refresh();
        } else if (total === 0) say(line, "foundNone");
        else if (total === 1) say(line, "foundOne");
        else say(line, capped ? "foundMany" : "found", { total: total.toLocaleString() });
        if (!counts) return;
        kinds = Object.keys(counts.kinds);
        groups.family.show(
          counts.families.map(({ family, name, entries }) => ({
            value: family,
            title: name,
            count: entries,
          })),
        );
        groups.kind.show(
          Object.entries(counts.kinds).map(([kind, count]) => ({
            value: kind,
            title: kind,
            count,
          })),
        );
        groups.type.show(
          Object.entries(counts.types)
            .filter(([type]) => type !== "lora")
            .map(([type, count]) => ({ value: type, title: text(`type_${type}`), count })),
        );
        groups.state.show(
          ["always", "never"].map((state) => ({
            value: state,
            title: text(`state_${state}`),
            count: counts.states[state] ?? 0,
          })),
        );
        groups.bare.show([{ value: "true", title: text("bare"), count: counts.bare }]);
        groups.refined.show([{ value: "true", title: text("refined"), count: counts.refined }]);
        groups.favourite.show([
          { value: "true", title: text("favourites"), count: counts.favourites },
        ]);
        groups.used.show([{ value: "false", title: text("unused"), count: counts.unused }]);
      }

      /** @param {string} key */
      async function open(key) {
        const number = ++openRequests;
        const answer = await attempt(line, () => call("show", { key }));
        if (!answer || number !== openRequests) return;
        stylus.drawAdapter(detail, answer.entry, {
          kinds,
          changed: refresh,
          open,
          closed() {
            if (!gallery.focusCard(key)) search.focus();
          },
        });
      }

      stylus.onJobEnd(({ name }) => {
        if (CHANGES_LORAS.includes(name)) refresh();
      });
      listFromTop();
      return refresh;
    }

    /** @param {Entry} entry @param {() => void} open */
    function card(entry, open) {
      /** @param {Child} label @param {string} kind */
      const badge = (label, kind) => el("span", { class: `stylus-badge stylus-${kind}` }, label);
      return el(
        "button",
        {
          type: "button",
          class: "stylus-open",
          data: { key: entry.key, stem: entry.stem || "" },
          on: { click: open },
        },
        stylus.pictures.frame(entry),
        el(
          "span",
          { class: "stylus-badges" },
          entry.state !== "auto" && badge(text(`state_${entry.state}`), entry.state),
          entry.nsfw && badge(text("nsfw"), "nsfw"),
          entry.trouble && badge(stylus.troubleMark(entry.trouble), "trouble"),
          !entry.stem && badge(stylus.formatSize(entry.size) || text("notOnDisk"), "away"),
        ),
        el(
          "span",
          { class: "stylus-legend" },
          el("span", { class: "stylus-name" }, entry.name),
          el(
            "span",
            { class: "stylus-subline" },
            [entry.family_name || entry.family, stylus.typeName(entry) || entry.kind].join(" · "),
          ),
        ),
      );
    }

    stylus.sections.catalogue = { label: "catalogue", draw };
  },
});
