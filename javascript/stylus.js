/* The page's side of Stylus: draws into the places that the WebUI serves (the Stylus tab, the accordions), and asks
 * /stylus/v1/ui/<name> for all that it shows. In: what the user does. Out: requests. What counts is kept there, never here.
 * Whatever comes from a card is set as text, never as markup; nothing is loaded from outside. */
"use strict";

window.stylus = (() => {
    // ---------------------------------------------------------------- texts: all of them, ready for translation
    const TEXTS = {
        working: "Working ...",
        noAnswer: "The WebUI does not answer. Is it still running?",
        noPage: "The WebUI did not let this page in. Reload the page.",
    };

    /** A text by its name, with values put in; the WebUI's own localization may have it in another language. */
    function text(name, values = {}) {
        const english = TEXTS[name] ?? name;
        const said = (window.localization && window.localization[english]) || english;
        return said.replace(/\{(\w+)\}/g, (all, key) => (key in values ? String(values[key]) : all));
    }

    // ---------------------------------------------------------------- elements
    /** el("button", {class: "x", on: {click: f}, aria: {label: "y"}}, "text", child): children that are no elements become text. */
    function el(tag, props = {}, ...children) {
        const made = document.createElement(tag);
        for (const [name, value] of Object.entries(props)) {
            if (value === undefined || value === null || value === false) continue;
            if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
            else if (name === "aria") for (const [key, said] of Object.entries(value)) made.setAttribute(`aria-${key}`, String(said));
            else if (name === "data") for (const [key, said] of Object.entries(value)) made.dataset[key] = String(said);
            else if (name === "class") made.className = value;
            else if (name === "value") made.value = value;
            else if (name === "checked" || name === "disabled" || name === "hidden" || name === "selected") made[name] = Boolean(value);
            else made.setAttribute(name, value === true ? "" : String(value));
        }
        made.append(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false)
            .map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
        return made;
    }

    /** In the place of what stood there. */
    function fill(place, ...children) {
        place.replaceChildren(...children.flat(3).filter(Boolean).map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
        return place;
    }

    function button(label, act, props = {}) {
        return el("button", {type: "button", class: "stylus-button", ...props, on: {click: act, ...(props.on || {})}}, label);
    }

    let numbered = 0;
    /** A label and its control, tied together. */
    function field(label, control, hint) {
        control.id = control.id || `stylus_field_${++numbered}`;
        return el("div", {class: "stylus-field"}, el("label", {for: control.id}, label), control, hint && el("span", {class: "stylus-hint"}, hint));
    }

    /** The last call of several in a short while. */
    function later(act, wait = 120) {
        let timer = 0;
        return (...given) => {
            clearTimeout(timer);
            timer = setTimeout(() => act(...given), wait);
        };
    }

    function size(bytes) {
        if (!bytes) return "";
        const units = ["B", "KB", "MB", "GB", "TB"];
        const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
        return `${(bytes / 1000 ** step).toFixed(step > 2 ? 1 : 0)} ${units[step]}`;
    }

    /** A link that is only made for the two places from which adapters come; text otherwise. */
    function link(url, label) {
        let parsed = null;
        try {
            parsed = new URL(url);
        } catch (problem) {
            return el("span", {}, label);
        }
        const known = ["civitai.com", "huggingface.co"].some((host) => parsed.hostname === host || parsed.hostname.endsWith(`.${host}`));
        if (parsed.protocol !== "https:" || !known) return el("span", {}, label);
        return el("a", {href: parsed.href, target: "_blank", rel: "noopener noreferrer", class: "stylus-link"}, label);
    }

    // ---------------------------------------------------------------- the page's token, and requests
    class Refused extends Error {
        constructor(status, code, message) {
            super(message);
            this.status = status;
            this.code = code;
        }
    }

    const page = {
        _token: "",
        _waiting: null,
        _take: null,
        _tabs: ["tab", "txt2img", "img2img"],

        /** Called by the hidden box's event: a token, or the sentence why there is none. */
        take(said) {
            if (page._take && said) page._take(said);
        },

        /** Presses the hidden button until an answer comes; one press for all that wait. */
        token(afresh = false) {
            if (page._token && !afresh) return Promise.resolve(page._token);
            page._waiting = page._waiting || new Promise((resolve) => {
                let left = 10;
                const press = () => {
                    const hidden = page._tabs.map((tab) => document.getElementById(`stylus_${tab}_page`)).find(Boolean);
                    if (hidden) hidden.click();
                    if (--left < 0) page._take("");
                };
                const timer = setInterval(press, 1000);
                page._take = (said) => {
                    clearInterval(timer);
                    page._waiting = page._take = null;
                    page._token = /^[\w-]{20,}$/.test(said) ? said : "";
                    resolve(page._token);
                };
                press();
            });
            return page._waiting;
        },
    };

    /** What the WebUI answers at ui/<name>: JSON, or a Blob where `file` is wanted; throws Refused with a sentence. */
    async function call(name, payload = {}, {signal, file} = {}) {
        let answer = await ask(name, payload, await page.token(), signal);
        if (answer.status === 401 || answer.status === 403) {
            const fresh = await page.token(true);
            if (fresh) answer = await ask(name, payload, fresh, signal);
        }
        if (answer.ok) return file ? answer.blob() : answer.json();
        const said = await answer.json().catch(() => ({}));
        const error = said.error || {};
        throw new Refused(answer.status, error.code || "failed", error.message || text("noPage"));
    }

    async function ask(name, payload, token, signal) {
        const headers = {"Content-Type": "application/json", "X-Stylus-Page": token};
        try {
            return await fetch(`./stylus/v1/ui/${name}`, {method: "POST", headers, body: JSON.stringify(payload), signal, cache: "no-store"});
        } catch (problem) {
            if (problem.name === "AbortError") throw problem;
            throw new Refused(0, "away", text("noAnswer"));
        }
    }

    // ---------------------------------------------------------------- places: who draws into which
    const draws = {};

    /** `draw(place, name)` is called once for the place `stylus_<name>_mount`, as soon as it is on the page. */
    function mount(name, draw) {
        draws[name] = draw;
    }

    function look() {
        for (const [name, draw] of Object.entries(draws)) {
            const place = document.getElementById(`stylus_${name}_mount`);
            if (place && !place.dataset.drawn) {
                place.dataset.drawn = "yes";
                draw(place, name);
            }
        }
    }

    setInterval(look, 300);

    /** Calls `act` when the place is first in sight: its tab may never be opened. */
    function whenSeen(place, act) {
        const watch = new IntersectionObserver((found) => {
            if (!found.some((one) => one.isIntersecting)) return;
            watch.disconnect();
            act();
        });
        watch.observe(place.firstElementChild || place);
    }

    // ---------------------------------------------------------------- pictures of adapters: asked for when they come into sight
    const pictures = {
        _made: new WeakMap(),
        _watch: null,
        _waiting: [],
        _loading: 0,

        /** A frame of a fixed size for one entry, with a letter where there is no picture; what is not safe for work is blurred by the style. */
        frame(entry) {
            if (!entry.picture) return el("span", {class: "stylus-picture stylus-letter", "aria-hidden": "true"}, Array.from(entry.name || "").find((one) => one.trim()));
            const place = el("span", {class: entry.nsfw ? "stylus-picture stylus-blurred" : "stylus-picture", "aria-hidden": "true"});
            Object.assign(place.dataset, {stem: entry.stem || "", key: entry.key});
            pictures._watch = pictures._watch || new IntersectionObserver(pictures._seen);
            pictures._watch.observe(place);
            return place;
        },

        _seen(found) {
            for (const one of found) {
                if (!one.isIntersecting) continue;
                pictures._watch.unobserve(one.target);
                pictures._load(one.target);
            }
        },

        /** Two at a time: what comes from far keeps nothing else waiting. */
        async _load(place) {
            pictures._waiting.push(place);
            if (pictures._loading >= 2) return;
            pictures._loading += 1;
            while (pictures._waiting.length) await pictures._one(pictures._waiting.shift());
            pictures._loading -= 1;
        },

        async _one(place) {
            if (!place.isConnected) return;
            const blob = await call("picture", {stem: place.dataset.stem, key: place.dataset.key}, {file: true}).catch(() => null);
            if (!blob || !place.isConnected) return;
            const address = URL.createObjectURL(blob);
            pictures._made.set(place, address);
            place.append(el("img", {src: address, alt: "", on: {error: () => place.replaceChildren()}}));
        },

        /** What the frames below a place hold is let go of. */
        forget(below) {
            for (const place of below.querySelectorAll(".stylus-picture")) {
                if (pictures._watch) pictures._watch.unobserve(place);
                const address = pictures._made.get(place);
                if (address) URL.revokeObjectURL(address);
            }
        },
    };

    return {TEXTS, text, el, fill, button, field, later, size, link, whenSeen, pictures, Refused, page, call, mount};
})();

// ==================================================================== the Stylus tab: its parts, one at a time
((stylus) => {
    const {el, fill, text, call, button} = stylus;

    Object.assign(stylus.TEXTS, {
        parts: "Parts of Stylus",
    });

    const parts = [];

    /** A part of the tab: `draw(place)` is called when it is first looked at, `seen(place)` every time. */
    function part(name, label, draw, seen) {
        parts.push({name, label, draw, seen});
    }

    function drawTab(place) {
        const tabs = el("div", {role: "tablist", class: "stylus-parts", aria: {label: text("parts")}});
        const heads = parts.map((one, index) => {
            const panel = el("section", {role: "tabpanel", id: `stylus_part_${one.name}`, class: "stylus-part", hidden: true, tabindex: "-1",
                aria: {labelledby: `stylus_head_${one.name}`}});
            const head = el("button", {type: "button", role: "tab", id: `stylus_head_${one.name}`, class: "stylus-head", tabindex: index ? "-1" : "0",
                aria: {selected: "false", controls: panel.id}, on: {click: () => show(index), keydown: (event) => move(event, index)}}, text(one.label));
            return {...one, head, panel, drawn: false};
        });
        function show(index) {
            heads.forEach((one, at) => {
                one.head.setAttribute("aria-selected", String(at === index));
                one.head.tabIndex = at === index ? 0 : -1;
                one.panel.hidden = at !== index;
            });
            const chosen = heads[index];
            if (!chosen.drawn) {
                chosen.drawn = true;
                chosen.draw(chosen.panel);
            } else if (chosen.seen) {
                chosen.seen(chosen.panel);
            }
        }
        function move(event, index) {
            const to = {ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: heads.length - 1}[event.key];
            if (to === undefined) return;
            event.preventDefault();
            const next = (to + heads.length) % heads.length;
            show(next);
            heads[next].head.focus();
        }
        tabs.append(...heads.map((one) => one.head));
        fill(place, tabs, heads.map((one) => one.panel));
        stylus.whenSeen(place, () => show(0));
    }

    /** Asks, and says in `line` what went wrong; gives back undefined then. */
    async function tried(line, work) {
        try {
            const said = await work();
            line.classList.remove("stylus-wrong");
            return said;
        } catch (problem) {
            if (problem.name !== "AbortError") {
                line.classList.add("stylus-wrong");
                fill(line, problem.message);
            }
            return undefined;
        }
    }

    function status(props = {}) {
        return el("p", {role: "status", class: "stylus-line", aria: {live: "polite"}, ...props});
    }

    function select(options, chosen) {
        return el("select", {class: "stylus-input"}, options.map(([value, label]) => el("option", {value, selected: value === chosen}, label)));
    }

    Object.assign(stylus, {part, tried, status, select});
    stylus.mount("tab", drawTab);
})(window.stylus);

// ==================================================================== Catalogue
((stylus) => {
    const {el, fill, text, call, button, field, tried, select} = stylus;

    Object.assign(stylus.TEXTS, {
        catalogue: "Catalogue",
        search: "Search",
        searchHint: "name, trigger word, tag, description",
        family: "Base model", kind: "Kind", state: "State", place: "Place", described: "Description", metadata: "Metadata",
        any: "any",
        onDisk: "on disk", notOnDisk: "not on disk",
        refined: "refined", notRefined: "from the card",
        bare: "missing", notBare: "there",
        showPictures: "Show not-safe-for-work pictures",
        found: "{total} found, {from} to {to} shown", foundOne: "1 found", foundNone: "Nothing fits. Fewer words or filters find more.",
        foundMany: "more than {total} found, {from} to {to} shown",
        previous: "Previous", next: "Next", pages: "Pages",
        nsfw: "NSFW",
        state_auto: "auto", state_always: "always", state_never: "never",
        details: "Details of {name}", close: "Close", save: "Save", undoEdit: "Undo", forgetEdits: "Forget my edits",
        text: "Description", triggerWords: "Trigger words", triggersHint: "one group in a line", weight: "Weight", weightHint: "empty: what the card says",
        saved: "Saved.", unchanged: "Nothing was changed.", undone: "As it was before.", forgotten: "Your edits are forgotten.",
        version: "Version", creator: "By", baseModel: "Made for", tag: "Tag", size: "Size", describedBy: "Described by", source: "From",
        licence: "Licence", tags: "Tags", files: "Files", examples: "Prompts it was used with", negative: "Negative text", downloads: "Downloads",
        atSource: "Show where it comes from", key: "Key",
        fetchIt: "Fetch it ({size})", begun: "Begun; Jobs shows how far it is.",
        describeIt: "Describe better", describeHint: "Sends its card, and pictures of it, to the chat server that the settings name.",
        asking: "The chat server is asked ...", describedAnew: "Described anew.", notDescribed: "It was not described: {why}",
        stateHint: "always: whatever the prompt; never: not even if it fits",
    });

    const PAGE = 40;

    function draw(place) {
        const seen = {offset: 0, asked: 0, opened: 0, stop: null};
        const search = el("input", {type: "search", class: "stylus-input", id: "stylus_search", placeholder: text("searchHint"), autocomplete: "off", spellcheck: "false"});
        const filters = {
            family: select([["", text("any")]]),
            kind: select([["", text("any")]]),
            state: select([["", text("any")], ...["auto", "always", "never"].map((one) => [one, text(`state_${one}`)])]),
            on_disk: select([["", text("any")], ["true", text("onDisk")], ["false", text("notOnDisk")]]),
            refined: select([["", text("any")], ["true", text("refined")], ["false", text("notRefined")]]),
            bare: select([["", text("any")], ["true", text("bare")], ["false", text("notBare")]]),
        };
        for (const [name, control] of Object.entries(filters)) control.id = `stylus_filter_${name}`;
        const blurred = el("input", {type: "checkbox", id: "stylus_show_pictures", on: {change: () => place.classList.toggle("stylus-bold", blurred.checked)}});
        const line = stylus.status({id: "stylus_found"});
        const grid = el("ul", {class: "stylus-shelf", id: "stylus_cards", "aria-label": text("catalogue")});
        const back = button(text("previous"), () => turn(-PAGE), {id: "stylus_previous"});
        const on = button(text("next"), () => turn(PAGE), {id: "stylus_next"});
        const detail = el("section", {class: "stylus-detail", id: "stylus_detail", hidden: true});
        const soon = stylus.later(() => begin(), 60);
        search.addEventListener("input", soon);
        for (const control of Object.values(filters)) control.addEventListener("change", () => begin());

        fill(place,
            el("div", {class: "stylus-tools", role: "search"},
                field(text("search"), search),
                field(text("family"), filters.family), field(text("kind"), filters.kind), field(text("state"), filters.state),
                field(text("place"), filters.on_disk), field(text("described"), filters.refined), field(text("metadata"), filters.bare),
                el("div", {class: "stylus-check"}, blurred, el("label", {for: blurred.id}, text("showPictures")))),
            line,
            el("div", {class: "stylus-split"}, grid, detail),
            el("div", {class: "stylus-row", role: "group", "aria-label": text("pages")}, back, on));

        function wanted() {
            const payload = {text: search.value, offset: seen.offset, limit: PAGE};
            for (const [name, control] of Object.entries(filters)) {
                if (control.value !== "") payload[name] = ["on_disk", "refined", "bare"].includes(name) ? control.value === "true" : control.value;
            }
            return payload;
        }

        function begin() {
            seen.offset = 0;
            return list();
        }

        function turn(by) {
            seen.offset = Math.max(0, seen.offset + by);
            return list();
        }

        /** Answers that were overtaken are thrown away. */
        async function list() {
            const number = ++seen.asked;
            if (seen.stop) seen.stop.abort();
            seen.stop = new AbortController();
            const said = await tried(line, () => call("browse", wanted(), {signal: seen.stop.signal}));
            if (said === undefined || number !== seen.asked) return;
            show(said);
        }

        function show(said) {
            const from = seen.offset + 1;
            const to = seen.offset + said.entries.length;
            const many = said.total >= 5000 && search.value.trim();
            fill(line, !said.total ? text("foundNone") : said.total === 1 ? text("foundOne")
                : text(many ? "foundMany" : "found", {total: said.total.toLocaleString(), from, to}));
            back.disabled = seen.offset === 0;
            on.disabled = to >= said.total;
            stylus.pictures.forget(grid);
            fill(grid, said.entries.map((entry) => card(entry, () => open(entry.key))));
            grid.dataset.asked = String(seen.asked);
        }

        async function facets() {
            const said = await tried(line, () => call("overview"));
            if (!said) return;
            options(filters.family, said.families.map((one) => [one.family, `${one.name} (${one.entries.toLocaleString()})`]));
            options(filters.kind, Object.entries(said.kinds).map(([kind, number]) => [kind, `${kind} (${number.toLocaleString()})`]));
        }

        function options(control, found) {
            const chosen = control.value;
            fill(control, el("option", {value: ""}, text("any")), found.map(([value, label]) => el("option", {value, selected: value === chosen}, label)));
        }

        async function open(key) {
            const number = ++seen.opened;
            const said = await tried(line, () => call("show", {key}));
            if (!said || number !== seen.opened) return;
            drawDetail(detail, said.entry, {
                kinds: [...filters.kind.options].map((one) => one.value).filter(Boolean),
                changed: () => list(),
                closed: () => (grid.querySelector(`[data-key="${CSS.escape(key)}"]`) || search).focus(),
            });
        }

        facets();
        list();
        place.stylusSeen = () => { facets(); list(); };
    }

    function card(entry, open) {
        const mark = (label, kind) => el("span", {class: `stylus-badge stylus-${kind}`}, label);
        return el("li", {class: "stylus-item"},
            el("button", {type: "button", class: "stylus-open", data: {key: entry.key, stem: entry.stem || ""}, on: {click: open}},
                stylus.pictures.frame(entry),
                el("span", {class: "stylus-name"}, entry.name),
                el("span", {class: "stylus-badges"},
                    mark(entry.family_name || entry.family, "family"), mark(entry.kind, "kind"),
                    entry.state !== "auto" && mark(text(`state_${entry.state}`), entry.state),
                    entry.stem ? mark(text("onDisk"), "here") : mark(stylus.size(entry.size) || text("notOnDisk"), "away"),
                    entry.nsfw && mark(text("nsfw"), "nsfw"))));
    }

    // ---------------------------------------------------------------- one adapter
    function drawDetail(place, entry, {kinds, changed, closed}) {
        const head = el("h3", {tabindex: "-1", class: "stylus-title"}, entry.name);
        const line = stylus.status({id: "stylus_detail_line"});
        const inputs = {
            text: el("textarea", {rows: "5", class: "stylus-input", id: "stylus_edit_text", value: entry.text}),
            triggers: el("textarea", {rows: "3", class: "stylus-input", id: "stylus_edit_triggers", value: entry.triggers.join("\n")}),
            weight: el("input", {type: "number", step: "0.05", min: "-5", max: "5", class: "stylus-input", id: "stylus_edit_weight", value: entry.weight ?? ""}),
            kind: select([...new Set([...stylus.KINDS, ...kinds, entry.kind])].map((one) => [one, one]), entry.kind),
            state: select(["auto", "always", "never"].map((one) => [one, text(`state_${one}`)]), entry.state),
        };
        inputs.kind.id = "stylus_edit_kind";
        inputs.state.id = "stylus_edit_state";
        const shown = read();
        const undo = button(text("undoEdit"), () => restore(entry.before, text("undone")), {id: "stylus_undo", hidden: !entry.before});

        const fetching = button(text("fetchIt", {size: stylus.size(entry.size)}), () => begin("fetch"), {id: "stylus_fetch", hidden: true});
        const better = button(text("describeIt"), describe, {id: "stylus_describe", title: text("describeHint"), hidden: true});
        call("status").then((said) => {
            const can = said.told ? said.told.capabilities : {};
            fetching.hidden = !can.downloads || Boolean(entry.stem) || !entry.remote;
            better.hidden = !can.operations || !can.operations.includes("refine") || !can.composers.includes("chat") || entry.edits.text !== null;
        }, () => undefined);

        /** The work itself is one of the engine's jobs, and shown among them. */
        async function begin(name) {
            const said = await tried(line, () => call("start", {name, payload: {keys: [entry.key]}}));
            if (said) fill(line, text("begun"));
        }

        /** Asks for this one alone, and shows what came of it as long as it is still this one that is shown. */
        async function describe() {
            better.disabled = true;
            fill(line, text("asking"));
            let job = await tried(line, () => call("start", {name: "refine", payload: {keys: [entry.key]}}));
            while (job && ["waiting", "running"].includes(job.state) && line.isConnected) {
                await new Promise((resolve) => setTimeout(resolve, 400));
                job = await tried(line, () => call("job", {id: job.id}));
            }
            better.disabled = false;
            if (!job || !line.isConnected) return;
            const result = job.result || {};
            if (!result.refined) {
                fill(line, text("notDescribed", {why: job.error || result.stopped || Object.keys(result.reasons || {})[0] || text(job.state)}));
                return;
            }
            const said = await tried(line, () => call("show", {key: entry.key}));
            if (!said || !line.isConnected) return;
            drawDetail(place, {...said.entry, before: entry.before}, {kinds, changed, closed});
            fill(place.querySelector("#stylus_detail_line"), text("describedAnew"));
            changed();
        }

        function read() {
            return {
                text: inputs.text.value, triggers: inputs.triggers.value.split("\n").map((one) => one.trim()).filter(Boolean),
                weight: inputs.weight.value === "" ? null : Number(inputs.weight.value), kind: inputs.kind.value, state: inputs.state.value,
            };
        }

        async function save() {
            const now = read();
            const said = {};
            for (const name of Object.keys(now)) {
                if (JSON.stringify(now[name]) !== JSON.stringify(shown[name]) && now[name] !== null) said[name] = now[name];
            }
            if (now.weight === null && entry.edits.weight !== null && !inputs.weight.validity.badInput) {
                await restore({...entry.edits, weight: null}, text("saved"), said);
                return;
            }
            if (!Object.keys(said).length) {
                fill(line, text("unchanged"));
                return;
            }
            await send({key: entry.key, ...said}, entry.edits, text("saved"));
        }

        /** What was decided before, field by field; nothing of it is kept here longer than this view. */
        function restore(edits, words, more = {}) {
            const said = Object.fromEntries(Object.entries(edits || {}).filter(([, value]) => value !== null));
            return send({key: entry.key, undo: true, ...said, ...more}, entry.edits, words);
        }

        async function send(payload, before, words) {
            const said = await tried(line, () => call("edit", payload));
            if (!said) return;
            drawDetail(place, {...said.entry, picture: entry.picture, before}, {kinds, changed, closed});
            fill(place.querySelector("#stylus_detail_line"), words);
            changed();
        }

        const facts = [
            ["version", entry.version], ["creator", entry.creator], ["family", entry.family], ["baseModel", entry.base_model], ["tag", entry.stem && `<lora:${entry.stem}:${entry.weight ?? 1}>`],
            ["size", stylus.size(entry.size)], ["source", entry.source], ["describedBy", entry.described_by], ["downloads", entry.downloads],
            ["tags", entry.tags.join(", ")], ["negative", entry.negative_text], ["licence", entry.licence], ["files", entry.files.map((one) => one.path).join("\n")], ["key", entry.key],
        ].filter(([, value]) => value !== undefined && value !== null && value !== "");

        place.hidden = false;
        place.setAttribute("aria-label", text("details", {name: entry.name}));
        fill(place,
            el("div", {class: "stylus-row"}, head, button(text("close"), () => { place.hidden = true; fill(place); closed(); }, {id: "stylus_close"})),
            entry.picture && stylus.pictures.frame(entry),
            field(text("state"), inputs.state, text("stateHint")), field(text("text"), inputs.text), field(text("triggerWords"), inputs.triggers, text("triggersHint")),
            field(text("weight"), inputs.weight, text("weightHint")), field(text("kind"), inputs.kind),
            el("div", {class: "stylus-row"}, button(text("save"), save, {id: "stylus_save", class: "stylus-button stylus-primary"}), undo,
                button(text("forgetEdits"), () => restore(null, text("forgotten")), {id: "stylus_forget"}), fetching, better),
            line,
            el("dl", {class: "stylus-facts"}, facts.map(([name, value]) => [el("dt", {}, text(name)), el("dd", {}, value)])),
            entry.link && stylus.link(entry.link, text("atSource")),
            entry.examples.length > 0 && el("details", {}, el("summary", {}, text("examples")), el("ul", {}, entry.examples.map((one) => el("li", {}, one.prompt)))));
        head.focus();
    }

    stylus.KINDS = ["style", "character", "person", "clothing", "pose", "action", "background", "building", "vehicle", "animal", "object", "concept", "unknown"];
    stylus.part("catalogue", "catalogue", draw, (place) => place.stylusSeen());
})(window.stylus);

// ==================================================================== Jobs
((stylus) => {
    const {el, fill, text, call, button, field, tried} = stylus;

    Object.assign(stylus.TEXTS, {
        jobs: "Jobs",
        startOne: "Start",
        index: "Read my LoRAs", indexHint: "Looks through the WebUI's LoRA folders. Nothing leaves this machine.",
        learn: "Learn from my pictures", learnHint: "Reads the prompts of the pictures in the WebUI's output folders. Nothing leaves this machine.",
        identify: "Identify by hash", identifyHint: "Sends the SHA256 of your files that nobody has named to Civitai (and the hash of their tensors, where it does not know that), and takes in what it knows of them.",
        sync: "Look for LoRAs", syncHint: "Sends the words below to the service, and takes in the cards that it has; no file is fetched.",
        refine: "Describe better", refineHint: "Sends cards to the chat server that the settings name, and takes in what it says of them.",
        estimated: "about", spent: "spent",
        expense: "{name}: {tokens_in} tokens read, {tokens_out} written", expensePaid: "{name}: {tokens_in} tokens read, {tokens_out} written, ${dollars}",
        expenseUnknown: "{name}: {tokens_in} tokens read, {tokens_out} written, at a price that nobody knows",
        budget: "Dollars at most", onlyHere: "only what is on disk", estimate: "Say what it would cost",
        wouldCost: "{wanted} adapters would be described; {expense}. Nobody was asked.",
        words: "Words", tagName: "Tag", most: "At most", from: "From",
        noJobs: "Nothing was started yet.",
        waiting: "waits", running: "runs", done: "is done", failed: "failed", cancelled: "was stopped",
        cancel: "Stop", log: "Log", left: "about {seconds} s left", of: "{done} of {total}", progressOf: "Progress of {name}",
        started: "Started: {name}.", stopping: "Asked to stop.",
        job_index: "Read my LoRAs", job_identify: "Identify by hash", job_sync: "Look for LoRAs", job_refine: "Describe better", job_prepare: "Prepare",
        job_fetch: "Fetch", job_discard: "Clean up", job_rehearse: "Dry run", job_import: "Import",
    });

    const UNDER_WAY = ["waiting", "running"];

    /** What a part shows of the engine's jobs, for as long as it is in sight; the engine alone knows them. */
    function watch(place, line, list, ended = () => undefined) {
        const known = new Map();
        let timer = 0;
        async function look() {
            clearTimeout(timer);
            if (!place.isConnected) return;
            let wait = 2000;
            if (place.offsetParent !== null) {
                const said = await call("jobs").catch(() => null);
                if (said) {
                    wait = said.jobs.some((job) => UNDER_WAY.includes(job.state)) ? 400 : 2000;
                    draw(said.jobs);
                }
            }
            clearTimeout(timer);
            timer = setTimeout(look, wait);
        }
        function draw(jobs) {
            for (const job of jobs) {
                if (known.has(job.id) && UNDER_WAY.includes(known.get(job.id)) && !UNDER_WAY.includes(job.state)) ended(job);
                known.set(job.id, job.state);
            }
            const shown = [...jobs].reverse();
            const rows = new Map([...list.children].map((one) => [one.dataset.job, one]));
            if (!shown.length) {
                fill(list, el("li", {}, text("noJobs")));
                return;
            }
            shown.forEach((job, at) => {
                let row = rows.get(job.id);
                if (!row) row = makeRow(job, line, look);
                row.stylusUpdate(job);
                if (list.children[at] !== row) list.insertBefore(row, list.children[at] || null);
            });
            const ids = new Set(shown.map((job) => job.id));
            for (const one of [...list.children]) if (!ids.has(one.dataset.job)) one.remove();
        }
        look();
        return look;
    }

    /** Kept while the job goes on, so that a button that is about to be pressed stays where it is. */
    function makeRow(job, line, look) {
        const title = stylus.TEXTS[`job_${job.name}`] ? text(`job_${job.name}`) : job.name;
        const state = el("span", {class: "stylus-job-state"});
        const step = el("span", {class: "stylus-hint"});
        const bar = el("progress", {class: "stylus-bar", "aria-label": text("progressOf", {name: title})});
        const stop = button(text("cancel"), async () => {
            stop.disabled = true;
            const said = await tried(line, () => call("cancel", {id: job.id}));
            if (said) fill(line, text("stopping"));
            look();
        }, {aria: {label: `${text("cancel")}: ${title}`}});
        const log = el("ol", {class: "stylus-log"});
        const more = el("details", {}, el("summary", {}, text("log")), log);
        const row = el("li", {class: "stylus-job", data: {job: job.id, name: job.name}},
            el("div", {class: "stylus-row"}, el("strong", {}, title), state, bar, step, stop), more);
        row.stylusUpdate = (now) => {
            row.dataset.state = now.state;
            fill(state, text(now.state));
            const active = UNDER_WAY.includes(now.state);
            bar.hidden = stop.hidden = !active;
            if (now.total) {
                bar.max = now.total;
                bar.value = now.done;
            } else bar.removeAttribute("value");
            const parts = [active && now.step, now.total && active && text("of", {done: now.done.toLocaleString(), total: now.total.toLocaleString()}),
                now.eta_s !== null && active && text("left", {seconds: Math.round(now.eta_s)}), now.error].filter(Boolean);
            if (step.textContent !== parts.join(" · ")) fill(step, parts.join(" · "));
            const told = [...(now.log || []).map((one) => `${one.after_s} s: ${one.text}`), ...(now.result ? outcome(now.result) : [])];
            if (log.childElementCount !== told.length) fill(log, told.map((one) => el("li", {}, one)));
        };
        return row;
    }

    /** What a job's answer says, as lines: numbers by their names, notes and reasons as they are. */
    function outcome(result) {
        const lines = [];
        for (const [name, value] of Object.entries(result)) {
            if (name === "notes") lines.push(...value.map((note) => note.text));
            else if (["skipped", "reasons"].includes(name) && value) lines.push(...Object.entries(value).map(([reason, number]) => `${reason}: ${number}`));
            else if (name === "failed" && Array.isArray(value)) lines.push(...value.map((one) => one.text || JSON.stringify(one)));
            else if (["estimate", "spent"].includes(name) && value && value.tokens_in + value.tokens_out > 0) lines.push(expense(name === "estimate" ? "estimated" : name, value));
            else if (["number", "string", "boolean"].includes(typeof value) && value !== "") lines.push(`${name}: ${value}`);
        }
        return lines;
    }

    /** What a language model takes for it. */
    function expense(name, said) {
        const tokens = {name: text(name), tokens_in: said.tokens_in.toLocaleString(), tokens_out: said.tokens_out.toLocaleString()};
        if (said.cost === null) return text("expenseUnknown", tokens);
        return said.cost > 0 ? text("expensePaid", {...tokens, dollars: said.cost.toFixed(said.cost < 0.1 ? 4 : 2)}) : text("expense", tokens);
    }

    function wouldCost(result) {
        return text("wouldCost", {wanted: result.wanted.toLocaleString(), expense: expense("estimated", result.estimate)});
    }

    async function start(line, name, payload = {}) {
        const said = await tried(line, () => call("start", {name, payload}));
        if (said) fill(line, text("started", {name: text(payload.learn ? "learn" : `job_${name}`)}));
        return said;
    }

    /** A job's last state; nothing where it can no longer be asked for. `seen` is told how far it is. */
    async function ended(line, job, seen = () => undefined) {
        let now = job;
        while (now && UNDER_WAY.includes(now.state)) {
            seen(now);
            await new Promise((go) => setTimeout(go, 300));
            now = await tried(line, () => call("job", {id: job.id}));
        }
        return now;
    }

    function draw(place) {
        const line = stylus.status({id: "stylus_jobs_line"});
        const list = el("ul", {class: "stylus-list", id: "stylus_jobs", "aria-label": text("jobs")});
        const look = watch(place, line, list);
        const words = el("input", {type: "text", class: "stylus-input", id: "stylus_sync_words", maxlength: "200"});
        const tag = el("input", {type: "text", class: "stylus-input", id: "stylus_sync_tag", maxlength: "100"});
        const most = el("input", {type: "number", class: "stylus-input", id: "stylus_sync_most", min: "1", max: "10000", value: "200"});
        const source = stylus.select([["civitai", "Civitai"], ["huggingface", "Hugging Face"]]);
        source.id = "stylus_sync_source";
        const offer = (name, label, hint, payload, ...more) => el("fieldset", {class: "stylus-offer"}, el("legend", {}, text(label)), el("p", {class: "stylus-hint"}, text(hint)), more,
            button(text("startOne"), async () => { await start(line, name, payload()); look(); }, {id: `stylus_start_${label}`, aria: {label: `${text("startOne")}: ${text(label)}`}}));
        const some = el("input", {type: "number", class: "stylus-input", id: "stylus_refine_most", min: "1", max: "100000", value: "50"});
        const dollars = el("input", {type: "number", class: "stylus-input", id: "stylus_refine_dollars", min: "0", max: "1000", step: "0.1", value: "1"});
        const here = el("input", {type: "checkbox", id: "stylus_refine_here", checked: true});
        const wish = (dry) => ({most: Number(some.value) || 50, dollars: Number(dollars.value) || 0, on_disk: here.checked, dry_run: dry});
        async function estimate() {
            const job = await start(line, "refine", wish(true));
            look();
            const done = job && await ended(line, job);
            if (done) fill(line, done.result ? wouldCost(done.result) : done.error);
        }
        const refine = offer("refine", "refine", "refineHint", () => wish(false), field(text("most"), some), field(text("budget"), dollars),
            el("div", {class: "stylus-check"}, here, el("label", {for: here.id}, text("onlyHere"))),
            button(text("estimate"), estimate, {id: "stylus_estimate"}));
        refine.hidden = true;
        call("status").then((said) => { refine.hidden = !(said.told && said.told.capabilities.operations.includes("refine") && said.told.capabilities.composers.includes("chat")); }, () => undefined);
        fill(place,
            el("div", {class: "stylus-offers"},
                offer("index", "index", "indexHint", () => ({})),
                offer("index", "learn", "learnHint", () => ({learn: true})),
                offer("identify", "identify", "identifyHint", () => ({})),
                offer("sync", "sync", "syncHint", () => ({source: source.value, query: words.value, tag: tag.value, top: Number(most.value) || 200}),
                    field(text("from"), source), field(text("words"), words), field(text("tagName"), tag), field(text("most"), most)),
                refine),
            line, list);
        place.stylusSeen = look;
    }

    Object.assign(stylus, {jobs: {watch, start, outcome, ended}});
    stylus.part("jobs", "jobs", draw, (place) => place.stylusSeen());
})(window.stylus);

// ==================================================================== Overview: the first run, and how things stand
((stylus) => {
    const {el, fill, text, call, button, tried} = stylus;

    Object.assign(stylus.TEXTS, {
        overview: "Overview",
        yoursHead: "Your LoRAs", byFamily: "By base model", familyName: "Base model", onDiskCount: "On disk", inCatalogue: "In the catalogue",
        nothingHere: "The catalogue knows none of your LoRAs yet. Read them first.",
        haveNames: "Every file of yours is named by a service.",
        unnamedFiles: "{number} files that no service has named", bareOnes: "{number} LoRAs on disk about which nothing is known", duplicateFiles: "{number} files that lie there twice",
        refinedOnes: "{number} of {all} descriptions are better than the card's",
        identifyAsk: "Identify {number} by hash", identifyConsent: "This sends the SHA256 of {number} files to Civitai, the hash of their tensors where it does not know that, and nothing else of them. Go on?",
        learnAsk: "Learn from my pictures", readAsk: "Read my LoRAs", yes: "Yes, send them", no: "No",
    });

    function draw(place) {
        const line = stylus.status({id: "stylus_overview_line"});
        const facts = el("div", {id: "stylus_overview"});
        const list = el("ul", {class: "stylus-list", "aria-label": text("jobs")});
        fill(place, line, facts, list);
        const look = stylus.jobs.watch(place, line, list, () => show());

        async function begin(name, payload) {
            if (await stylus.jobs.start(line, name, payload)) look();
        }

        async function show() {
            const said = await tried(line, () => call("overview"));
            if (!said) return;
            const number = said.unnamed;
            const consent = el("div", {class: "stylus-row", role: "alertdialog", hidden: true, id: "stylus_consent", "aria-label": text("identifyAsk", {number})}, text("identifyConsent", {number}),
                button(text("yes"), () => { consent.hidden = true; begin("identify"); }, {id: "stylus_consent_yes"}), button(text("no"), () => { consent.hidden = true; }));
            const ask = () => { consent.hidden = false; consent.querySelector("button").focus(); };
            const here = said.families.filter((one) => one.on_disk > 0);
            fill(facts,
                el("h4", {}, text("yoursHead")),
                here.length === 0 && el("p", {}, text("nothingHere")),
                el("ul", {}, [number ? text("unnamedFiles", {number}) : text("haveNames"), text("bareOnes", {number: said.bare}), text("duplicateFiles", {number: said.duplicates}),
                    text("refinedOnes", {number: said.refined, all: said.entries})].map((one) => el("li", {}, one))),
                el("div", {class: "stylus-row"}, button(text("readAsk"), () => begin("index"), {id: "stylus_first_read"}),
                    button(text("identifyAsk", {number}), ask, {id: "stylus_first_identify", disabled: number === 0}),
                    button(text("learnAsk"), () => begin("index", {learn: true}), {id: "stylus_first_learn"})),
                consent,
                el("table", {class: "stylus-table", id: "stylus_families"}, el("caption", {}, text("byFamily")),
                    el("thead", {}, el("tr", {}, ["familyName", "onDiskCount", "inCatalogue"].map((one) => el("th", {scope: "col"}, text(one))))),
                    el("tbody", {}, said.families.map((one) => el("tr", {}, el("th", {scope: "row"}, one.name), el("td", {}, one.on_disk.toLocaleString()), el("td", {}, one.entries.toLocaleString()))))));
        }

        show();
        place.stylusSeen = () => { show(); look(); };
    }

    stylus.part("overview", "overview", draw, (place) => place.stylusSeen());
})(window.stylus);

// ==================================================================== Recipes
((stylus) => {
    const {el, fill, text, call, button, field, tried} = stylus;

    Object.assign(stylus.TEXTS, {
        recipes: "Recipes",
        recipeName: "Name", recipePrompt: "Prompt", recipeNegative: "Negative prompt",
        fromPrompt: "Take the prompt of txt2img", newRecipe: "Save a recipe", newRecipeHint: "A prompt, and what Stylus chooses for it.",
        replaces: "There is a recipe called {name}; press Save once more to replace it.", replacesSome: "There are recipes with these names: {names}. Choose the file once more to replace them.",
        choosing: "Choosing ...", nothingChosen: "Nothing in the catalogue fits this prompt, so there is nothing to save.",
        like: "Find by prompt", likeHint: "those for prompts most like it come first", alike: "{share} % alike",
        use: "Use in {tab}", usedIn: "The prompt of {tab} has it now.", usedNot: "Not used, since it is not here or does not fit: {names}.",
        exportOne: "Export", exportAll: "Export all", importSome: "Import", importFile: "A file with recipes", notJson: "This file is no JSON.", deleteRecipe: "Delete", noRecipes: "No recipe is saved yet.",
        missingHere: "not on disk",
    });

    function draw(place) {
        const line = stylus.status({id: "stylus_recipes_line"});
        const name = el("input", {type: "text", class: "stylus-input", id: "stylus_recipe_name", maxlength: "120"});
        const prompt = el("textarea", {rows: "3", class: "stylus-input", id: "stylus_recipe_prompt"});
        const negative = el("textarea", {rows: "1", class: "stylus-input", id: "stylus_recipe_negative"});
        const like = el("input", {type: "search", class: "stylus-input", id: "stylus_recipe_like", autocomplete: "off"});
        const file = el("input", {type: "file", accept: ".json,application/json", class: "stylus-input", id: "stylus_recipe_file", on: {change: () => take()}});
        const list = el("ul", {class: "stylus-list", id: "stylus_recipes", "aria-label": text("recipes")});
        let asked = 0;
        let warned = "";
        like.addEventListener("input", stylus.later(() => show(), 200));

        function box(tab, which) {
            return document.querySelector(`#${tab}_${which} textarea`);
        }

        async function ask(payload) {
            const number = ++asked;
            const said = await tried(line, () => call("recipes", payload));
            if (!said || number !== asked) return undefined;
            if (said.said) fill(line, said.said);
            fill(list, said.recipes.length ? said.recipes.map(row) : el("li", {}, text("noRecipes")));
            list.dataset.asked = String(number);
            place.stylusRecipes = said.recipes;
            return said;
        }

        const show = () => ask(like.value.trim() ? {like: like.value} : {});

        /** Of these names, those that are there already; nobody loses a recipe by one click. */
        function taken(names, key) {
            const found = names.filter((one) => (place.stylusRecipes || []).some((kept) => kept.name === one));
            if (!found.length || warned === key) {
                warned = "";
                return [];
            }
            warned = key;
            return found;
        }

        async function save() {
            const called = name.value.trim();
            if (taken([called], `save ${called}`).length) {
                fill(line, text("replaces", {name: called}));
                return;
            }
            fill(line, text("choosing"));
            const chosen = await tried(line, () => call("choose", {prompt: prompt.value, negative: negative.value}));
            if (!chosen) return;
            if (!chosen.adapters.length) {
                fill(line, text("nothingChosen"), chosen.notes.map((note) => ` ${note.text}`));
                return;
            }
            await ask({keep: [{version: 1, name: called, prompt: prompt.value, negative: negative.value, family: chosen.family, adapters: chosen.adapters}]});
        }

        async function use(recipe, tab) {
            const said = await tried(line, () => call("cook", {prompt: recipe.prompt, negative: recipe.negative, adapters: recipe.adapters}));
            if (!said) return;
            stylus.write(box(tab, "prompt"), said.prompt);
            stylus.write(box(tab, "neg_prompt"), said.negative);
            const left = recipe.adapters.filter((one) => !said.used.includes(one.key)).map((one) => one.name || one.stem || one.key);
            fill(line, text("usedIn", {tab}), left.length > 0 && ` ${text("usedNot", {names: left.join(", ")})}`);
        }

        function plain(recipe) {
            const {on_disk: _, alike: __, ...rest} = recipe;
            return rest;
        }

        async function take() {
            const chosen = file.files[0];
            if (!chosen) return;
            let said = null;
            try {
                said = JSON.parse(await chosen.text());
            } catch (problem) {
                line.classList.add("stylus-wrong");
                fill(line, text("notJson"));
                return;
            } finally {
                file.value = "";
            }
            const some = Array.isArray(said) ? said : [said];
            const found = taken(some.map((one) => one && one.name), `file ${chosen.name} ${chosen.size}`);
            if (found.length) fill(line, text("replacesSome", {names: found.join(", ")}));
            else await ask({keep: some});
        }

        function row(recipe) {
            const labelled = (label, values) => ({aria: {label: `${text(label, values)}: ${recipe.name}`}});
            return el("li", {class: "stylus-job", data: {recipe: recipe.name}},
                el("div", {class: "stylus-row"}, el("strong", {class: "stylus-name"}, recipe.name), recipe.family && el("span", {class: "stylus-badge"}, recipe.family),
                    recipe.alike !== null && el("span", {class: "stylus-hint"}, text("alike", {share: Math.round(100 * recipe.alike)}))),
                el("p", {class: "stylus-wrap"}, recipe.prompt),
                el("ul", {}, recipe.adapters.map((one) => el("li", {}, `${one.name || one.stem || one.key} · ${one.weight}`, !recipe.on_disk.includes(one.key) && ` · ${text("missingHere")}`))),
                el("div", {class: "stylus-row"}, ["txt2img", "img2img"].map((tab) => button(text("use", {tab}), () => use(recipe, tab), {class: `stylus-button stylus-use-${tab}`, ...labelled("use", {tab})})),
                    button(text("exportOne"), () => stylus.download(`${recipe.name}.json`, plain(recipe)), labelled("exportOne")),
                    button(text("deleteRecipe"), () => ask({forget: recipe.name}), {class: "stylus-button stylus-delete", ...labelled("deleteRecipe")})));
        }

        fill(place,
            el("div", {class: "stylus-offers"},
                el("fieldset", {class: "stylus-offer"}, el("legend", {}, text("newRecipe")), el("p", {class: "stylus-hint"}, text("newRecipeHint")), field(text("recipeName"), name), field(text("recipePrompt"), prompt), field(text("recipeNegative"), negative),
                    el("div", {class: "stylus-row"}, button(text("fromPrompt"), () => { prompt.value = (box("txt2img", "prompt") || {}).value || ""; negative.value = (box("txt2img", "neg_prompt") || {}).value || ""; }, {id: "stylus_recipe_take"}),
                        button(text("save"), save, {id: "stylus_recipe_save", class: "stylus-button stylus-primary"}))),
                el("fieldset", {class: "stylus-offer"}, el("legend", {}, text("importSome")), field(text("importFile"), file),
                    button(text("exportAll"), () => stylus.download("stylus-recipes.json", (place.stylusRecipes || []).map(plain)), {id: "stylus_recipe_export"}))),
            field(text("like"), like, text("likeHint")), line, list);
        show();
        place.stylusSeen = show;
    }

    /** Into a box of the WebUI's, as if it had been typed there. */
    function write(box, words) {
        if (!box) return;
        box.value = words;
        box.dispatchEvent(new Event("input", {bubbles: true}));
    }

    /** Saved by the browser, under a name that any disk takes. */
    function download(name, content) {
        const address = URL.createObjectURL(new Blob([`${JSON.stringify(content, null, 2)}\n`], {type: "application/json"}));
        const link = el("a", {href: address, download: name.replace(/[^\p{L}\p{N} ._-]/gu, "_")});
        link.click();
        setTimeout(() => URL.revokeObjectURL(address), 10_000);
    }

    Object.assign(stylus, {write, download});
    stylus.part("recipes", "recipes", draw, (place) => place.stylusSeen());
})(window.stylus);

// ==================================================================== Storage
((stylus) => {
    const {el, fill, text, call, button, field, tried} = stylus;

    Object.assign(stylus.TEXTS, {
        storage: "Storage",
        storageUsed: "{used} fetched, of {quota}; {left} may still come.", storageOff: "Downloads are off; the WebUI's settings page has the switch.", noneFetched: "Nothing was fetched yet.",
        fileName: "LoRA", fileSize: "Size", fetchedAt: "Fetched", usedAt: "Last used", filePath: "File",
        unusedDays: "Unused for days", whatWouldGo: "What would go", cleanUp: "Clean up", wouldGo: "These would be deleted: {names} ({size}).", nothingGoes: "Nothing would be deleted.", gone: "{number} files were deleted, {size}.",
        cleanHint: "Only files that Stylus fetched, that no picture used for so long, and that you have not marked as always.",
    });

    function draw(place) {
        const line = stylus.status({id: "stylus_storage_line"});
        const days = el("input", {type: "number", class: "stylus-input", id: "stylus_storage_days", min: "1", max: "3650", value: "30"});
        const sum = el("p", {id: "stylus_storage_sum"});
        const table = el("div", {id: "stylus_storage", class: "stylus-wide"});
        const clean = button(text("cleanUp"), () => discard(false), {id: "stylus_storage_clean", disabled: true});
        fill(place, sum, table, el("fieldset", {class: "stylus-offer"}, el("legend", {}, text("cleanUp")), el("p", {class: "stylus-hint"}, text("cleanHint")), field(text("unusedDays"), days),
            el("div", {class: "stylus-row"}, button(text("whatWouldGo"), () => discard(true), {id: "stylus_storage_try"}), clean)), line);
        days.addEventListener("input", () => { clean.disabled = true; });

        async function show() {
            const said = await tried(line, () => call("storage"));
            if (!said) return;
            fill(sum, said.on ? text("storageUsed", {used: stylus.size(said.used) || "0 B", quota: stylus.size(said.quota), left: stylus.size(said.left) || "0 B"}) : text("storageOff"));
            const day = (seconds) => new Date(seconds * 1000).toLocaleDateString();
            fill(table, said.files.length ? el("table", {class: "stylus-table"},
                el("thead", {}, el("tr", {}, ["fileName", "fileSize", "fetchedAt", "usedAt", "filePath"].map((one) => el("th", {scope: "col"}, text(one))))),
                el("tbody", {}, said.files.map((one) => el("tr", {}, el("th", {scope: "row"}, one.name || one.key), el("td", {}, stylus.size(one.size)), el("td", {}, day(one.fetched)), el("td", {}, day(one.used)), el("td", {}, one.path))))) : el("p", {}, text("noneFetched")));
        }

        /** First what would go; deleting is the second click, and for the same number of days. */
        async function discard(dry) {
            clean.disabled = true;
            const begun = await tried(line, () => call("start", {name: "discard", payload: {days: Number(days.value) || 30, dry_run: dry}}));
            if (!begun) return;
            const job = await stylus.jobs.ended(line, begun);
            if (!job) return;
            if (!job.result) {
                fill(line, job.error);
                return;
            }
            const gone = job.result.discarded;
            const bytes = stylus.size(gone.reduce((sum_, one) => sum_ + one.size, 0));
            fill(line, !gone.length ? text("nothingGoes") : dry ? text("wouldGo", {names: gone.map((one) => one.path.split(/[\\/]/).pop()).join(", "), size: bytes}) : text("gone", {number: gone.length, size: bytes}));
            clean.disabled = !dry || !gone.length;
            show();
        }

        show();
        place.stylusSeen = show;
    }

    stylus.part("storage", "storage", draw, (place) => place.stylusSeen());
})(window.stylus);

// ==================================================================== Keys
((stylus) => {
    const {el, fill, text, call, button, field, tried} = stylus;

    Object.assign(stylus.TEXTS, {
        keys: "Keys",
        keysHint: "A key is kept in a file that you alone can read, is sent to its own address and nowhere else, and is never shown again.",
        keyFor: "Key for {title}", keyThere: "There is a key for {url}.", keyNone: "There is no key for {url}.", keyNowhere: "No address is set for it.",
        enter: "Keep", forgetKey: "Delete", check: "Try",
    });

    function draw(place) {
        const line = stylus.status({id: "stylus_keys_line"});
        const rows = el("div", {class: "stylus-offers", id: "stylus_keys"});
        fill(place, el("p", {class: "stylus-hint"}, text("keysHint")), line, rows);

        async function ask(payload) {
            if (payload.check) fill(line, text("working"));
            const said = await tried(line, () => call("keys", payload));
            if (!said) return;
            fill(line, said.said);
            show(said.keys);
        }

        /** What was typed for another service stays. */
        function show(keys) {
            const typed = new Map([...rows.querySelectorAll("input")].map((one) => [one.id, one.value]));
            rowsOf(keys);
            for (const one of rows.querySelectorAll("input")) one.value = typed.get(one.id) || "";
        }

        function rowsOf(keys) {
            fill(rows, keys.map((one) => {
                const secret = el("input", {type: "password", class: "stylus-input", id: `stylus_key_${one.service}`, autocomplete: "off", spellcheck: "false"});
                const named = (label) => ({aria: {label: `${text(label)}: ${one.title}`}});
                const state = !one.url ? text("keyNowhere") : text(one.has_key ? "keyThere" : "keyNone", {url: one.url});
                return el("fieldset", {class: "stylus-offer", data: {service: one.service}}, el("legend", {}, one.title), el("p", {class: "stylus-hint"}, state),
                    field(text("keyFor", {title: one.title}), secret),
                    el("div", {class: "stylus-row"},
                        button(text("enter"), () => { const said = secret.value; secret.value = ""; return said && ask({service: one.service, enter: said}); }, {id: `stylus_key_enter_${one.service}`, disabled: !one.url, ...named("enter")}),
                        button(text("check"), () => ask({service: one.service, check: true}), {id: `stylus_key_check_${one.service}`, disabled: !one.url, ...named("check")}),
                        button(text("forgetKey"), () => ask({service: one.service, forget: true}), {id: `stylus_key_forget_${one.service}`, disabled: !one.has_key, ...named("forgetKey")})));
            }));
        }

        ask({});
    }

    stylus.part("keys", "keys", draw);
})(window.stylus);

// ==================================================================== Status
((stylus) => {
    const {el, fill, text, call, button, tried} = stylus;

    Object.assign(stylus.TEXTS, {
        status: "Status", again: "Look again", wake: "Start the engine",
        stylusVersion: "Stylus", engine: "Engine", address: "Address", process: "Process", dataFolder: "Data folder", entries: "Catalogue",
        entriesOf: "{entries} adapters, {on_disk} of them on disk", inStep: "Vectors", inStepYes: "up to date", inStepNo: "some are still to be made",
        encoder: "Encoder", vectors: "Vectors are kept", composers: "Composers", fetching: "Downloads", fetchingOn: "allowed", fetchingOff: "off",
        loraFolders: "LoRA folders", leaves: "What leaves this machine", leavesNothing: "Nothing, unless you ask for it below.",
        onRequest: "What is sent when you ask for it", notes: "Notes", shared: "a shared engine",
    });

    function draw(place) {
        const line = stylus.status({id: "stylus_status_line"});
        const facts = el("dl", {class: "stylus-facts", id: "stylus_status"});
        const sent = el("div", {id: "stylus_leaves"});
        const wake = button(text("wake"), () => look("wake"), {id: "stylus_wake", hidden: true});
        fill(place, el("div", {class: "stylus-row"}, button(text("again"), () => look("status"), {id: "stylus_look_again"}), wake), line, facts, sent);

        async function look(name) {
            const said = await tried(line, () => call(name));
            if (!said) return;
            fill(line, said.engine.sentence, said.trouble && ` ${said.trouble}`);
            wake.hidden = said.engine.state !== "stopped";
            const told = said.told;
            const rows = [["stylusVersion", said.version], ["engine", `${said.engine.state}${said.engine.shared ? `, ${text("shared")}` : ""}`],
                ["address", said.engine.url], ["process", said.engine.pid || ""], ["loraFolders", said.lora_folders.join("\n")]];
            if (told) {
                rows.push(["dataFolder", told.data_folder], ["entries", text("entriesOf", {entries: told.catalogue.entries.toLocaleString(), on_disk: told.catalogue.on_disk.toLocaleString()})],
                    ["inStep", text(told.catalogue.in_step ? "inStepYes" : "inStepNo")], ["encoder", told.encoder], ["vectors", told.vectors],
                    ["composers", told.capabilities.composers.join(", ")], ["fetching", text(told.capabilities.downloads ? "fetchingOn" : "fetchingOff")]);
            }
            fill(facts, rows.filter(([, value]) => value !== "").map(([name_, value]) => [el("dt", {}, text(name_)), el("dd", {}, value)]));
            const section = (label, lines, none) => [el("h4", {}, text(label)), lines.length ? el("ul", {}, lines.map((one) => el("li", {}, one))) : el("p", {}, text(none))];
            fill(sent, told ? [section("leaves", told.leaves_the_machine, "leavesNothing"), told.leaves_on_request.length ? section("onRequest", told.leaves_on_request, "") : [],
                told.notes.length ? section("notes", told.notes.map((note) => note.text), "") : []] : []);
        }

        look("status");
        place.stylusSeen = () => look("status");
    }

    stylus.part("status", "status", draw, (place) => place.stylusSeen());
})(window.stylus);

// ==================================================================== the accordion: preview, corrections, what was used
((stylus) => {
    const {el, fill, text, call, link, size} = stylus;

    Object.assign(stylus.TEXTS, {
        planning: "Choosing LoRAs ...",
        lock: "Lock",
        lockHint: "Keep this set for the next generations",
        unlock: "Take the lock off",
        locked: "Locked for the next generations: {names}.",
        send: "Send to prompt",
        sendHint: "Write trigger words and tags into the prompt, where they can be seen and changed",
        takeBack: "Take back",
        takeBackHint: "Remove from the prompt exactly what was written into it",
        undo: "Undo my corrections",
        plannedIn: "Planned in {ms} ms for {family}.",
        anyFamily: "any base model",
        wholePrompt: "The prompt, its parts and what is not resolved yet",
        unresolved: "not resolved yet",
        yours: "your own {name}",
        nobody: "nothing",
        noPicks: "Nothing was chosen.",
        accept: "Accept",
        accepted: "Accepted",
        acceptHint: "Keep {name} in this plan",
        reject: "Reject",
        rejectHint: "Leave {name} out of this plan",
        swap: "Swap",
        swapHint: "Take the next candidate in the place of {name}",
        always: "Always",
        alwaysHint: "Use {name} for every prompt, until you take that back",
        never: "Never",
        neverHint: "Never choose {name} again, until you take that back",
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
        example: " (for example: the seed is not fixed)",
        batch: "Batch {number}: {names}",
        whyNot: "Why not? {count} near misses", whyNotOne: "Why not? 1 near miss",
        used: "What the last pictures were made with",
        usedPicture: "Picture {number} (seed {seed}): {names}",
        leftOut: "left out: {names}",
        useSet: "Use this set",
        useSetHint: "Lock what picture {number} was made with",
        wrong: "Wrong here",
        wrongHint: "Remember that {name} was wrong for prompts like this",
        dryRun: "Dry run",
        rehearse: "Rehearse my last prompts",
        rehearseHint: "What would be chosen for the last 50 prompts of your pictures, without making one",
        rehearsing: "Planning {done} of {total} ...",
        rehearsed: "{count} prompts: something is chosen for {chosen}, the same as then for {same}.",
        rehearsedPrompt: "Prompt",
        rehearsedUsed: "Used then",
        rehearsedNow: "Chosen now",
        forget: "Forget that",
        forgetHint: "Take back that {name} was wrong for this prompt",
        remembered: "Remembered: {name} was wrong for this prompt.",
    });

    const SEAT = "stylus-seat";
    let alone = "";

    function named() {
        return Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");
    }

    /** By which the WebUI finds this window's tray again, after a reload too; a name, nothing more. */
    function seat(tab) {
        try {
            alone = sessionStorage.getItem(SEAT) || alone || named();
            sessionStorage.setItem(SEAT, alone);
        } catch (problem) {
            alone = alone || named();
        }
        return `${alone}.${tab}`;
    }

    const panels = {};

    /** A window that was duplicated begins with the name of the first: that one answers, and this one takes another. */
    function keepApart() {
        if (!window.BroadcastChannel) return;
        const me = named();
        const others = new BroadcastChannel(SEAT);
        others.onmessage = ({data}) => {
            if (data.asks === seat("")) others.postMessage({taken: data.by});
            else if (data.taken === me) move();
        };
        others.postMessage({asks: seat(""), by: me});
    }

    function move() {
        alone = named();
        try {
            sessionStorage.setItem(SEAT, alone);
        } catch (problem) {
            // then it is kept until the page is loaded again
        }
        for (const panel of Object.values(panels)) panel.begin();
    }

    /** The part of one tab's accordion that the script draws. */
    class Panel {
        constructor(place, tab) {
            this.tab = tab;
            this.open = new Set();
            this.line = el("p", {class: "stylus-line", role: "status", aria: {live: "polite"}});
            this.plan = el("div", {class: "stylus-plan"});
            this.used = el("div", {class: "stylus-used stylus-mount"});
            fill(place, this.line, this.plan, this.used, this.rehearsal());
            this.below();
            const button = document.getElementById(`stylus_${tab}_preview`);
            if (button) button.addEventListener("click", () => this.say(text("planning")));
            for (const wait of [1000, 3000]) setTimeout(() => this.sit(), wait);
            this.begin();
        }

        /** At a tray, where there may be something from before. */
        begin() {
            this.number = 0;
            this.sit();
            this.ask("preview");
        }

        /** Under the pictures, where the host has such a place; else it stays in the accordion. */
        below() {
            const results = document.getElementById(`${this.tab}_results`);
            if (results && this.used.parentNode !== results) results.append(this.used);
        }

        sit() {
            const button = document.getElementById(`stylus_${this.tab}_sit`);
            if (button) button.click();
        }

        box() {
            return document.querySelector(`#${this.tab}_prompt textarea`);
        }

        say(words) {
            fill(this.line, words);
        }

        /** Asks, and shows the answer. */
        async ask(name, payload = {}) {
            try {
                const said = await call(name, {seat: seat(this.tab), ...payload});
                this.show(said);
                return said;
            } catch (problem) {
                this.say(problem.message);
                return null;
            }
        }

        correct(act, key, more = {}) {
            this.say(text("planning"));
            return this.ask("correct", {act, key, ...more});
        }

        /** What came through gradio from the Preview button. */
        take(words) {
            if (!words) return;
            const said = JSON.parse(words);
            if (said.error) {
                this.say(said.error);
                this.sit();
            } else this.show(said);
        }

        weigh(input, key) {
            if (!input.checkValidity() || input.value === "") return;
            input.dataset.was = input.value;
            this.correct("weight", key, {weight: Number(input.value)});
        }

        async write(name) {
            const box = this.box();
            if (!box) return;
            const said = await this.ask(name, {text: box.value});
            if (!said) return;
            box.value = said.text;
            box.dispatchEvent(new Event("input", {bubbles: true}));
        }

        /** Answers come by two ways, so an older one may come last: the tray numbers them. */
        show(said) {
            if (said.number < this.number) return;
            this.number = said.number;
            const active = this.plan.contains(document.activeElement) ? document.activeElement : null;
            const focus = active ? active.dataset.focus : "";
            const typed = active && active.dataset.was !== undefined && active.dataset.was !== active.value ? active.value : null;
            const view = said.view;
            const notes = view ? view.notes.map((note) => el("li", {}, note)) : [];
            this.say(view ? text("plannedIn", {ms: view.took_ms, family: view.family || text("anyFamily")}) : "");
            stylus.pictures.forget(this.plan);
            fill(this.plan,
                this.tools(said),
                said.lock && el("p", {class: "stylus-lock"}, text("locked", {names: said.lock.map((one) => `${one.name} ${one.weight}`).join(", ")})),
                notes.length ? el("ul", {class: "stylus-notes"}, notes) : null,
                view && this.prompt(view), view && this.tasks(view), view && this.combinations(view), view && this.near(view));
            this.below();
            fill(this.used, said.used.length ? this.pictures(said.used) : null);
            for (const one of focus ? this.plan.querySelectorAll("[data-focus]") : []) {
                if (one.dataset.focus !== focus) continue;
                if (typed !== null) one.value = typed;
                one.focus();
            }
        }

        /** The second click of a double one would meet what the first has put in this place, often its opposite; only candidates are gone through so. */
        button(label, hint, focus, act, more = {}) {
            const once = (event) => (event.detail < 2 || focus.startsWith("swap ")) && act(event);
            const name = hint.includes(label) ? hint : `${label}: ${hint}`;
            return el("button", {type: "button", class: "stylus-button", title: hint, aria: {label: name}, data: {focus}, ...more, on: {click: once}}, label);
        }

        tools(said) {
            const view = said.view;
            const found = [];
            if (said.lock) found.push(this.button(text("unlock"), text("unlock"), "lock", () => this.ask("lock", {on: false})));
            else if (view && view.picks.length) found.push(this.button(text("lock"), text("lockHint"), "lock", () => this.ask("lock", {on: true})));
            if (said.sent) found.push(this.button(text("takeBack"), text("takeBackHint"), "sent", () => this.write("take_back")));
            else if (view && view.picks.length) found.push(this.button(text("send"), text("sendHint"), "sent", () => this.write("send")));
            if (said.corrected) found.push(this.button(text("undo"), text("undo"), "undo", () => this.correct("afresh", "")));
            return found.length ? el("div", {class: "stylus-buttons"}, found) : null;
        }

        prompt(view) {
            const parts = view.pieces.map((piece) => {
                const words = piece.task === null ? piece.text : el("mark", {class: "stylus-task"}, piece.text);
                return piece.unresolved ? el("span", {class: "stylus-unresolved", title: text("unresolved")}, words) : words;
            });
            return el("p", {class: "stylus-prompt", dir: "auto", aria: {label: text("wholePrompt")}}, parts);
        }

        tasks(view) {
            const groups = view.tasks.map((task) => {
                const cards = view.picks.filter((pick) => pick.task === task.start).map((pick) => this.card(pick));
                if (!cards.length && !task.taken_by) return null;
                return el("section", {class: "stylus-group"}, el("h4", {dir: "auto"}, task.text.trim()),
                    task.taken_by && el("p", {}, text("yours", {name: task.taken_by})), el("div", {class: "stylus-cards"}, cards));
            }).filter(Boolean);
            return groups.length ? el("div", {class: "stylus-groups"}, groups) : el("p", {}, text("noPicks"));
        }

        site(card) {
            if (!card || !card.link) return null;
            const site = card.link.includes("huggingface.co") ? "Hugging Face" : "Civitai";
            return link(card.link, text("shows", {site}));
        }

        states(key, name, state) {
            const marked = (wanted) => this.ask("mark", {key, state: state === wanted ? "auto" : wanted});
            return ["always", "never"].map((wanted) => this.button(text(wanted), text(`${wanted}Hint`, {name}), `${wanted} ${key}`,
                () => marked(wanted), {"aria-pressed": String(state === wanted)}));
        }

        card(pick) {
            const {key, name} = pick;
            const card = pick.card || {};
            const where = pick.on_disk ? text("onDisk") : pick.to_download ? text("toDownload", {size: size(pick.to_download)}) : text("notHere");
            const weight = el("input", {
                type: "number", step: "0.05", min: "-5", max: "5", class: "stylus-weight", value: String(pick.weight), data: {focus: `weight ${key}`, was: pick.weight},
                aria: {label: text("weightOf", {name})},
                on: {change: (event) => this.weigh(event.target, key)},
            });
            const act = (kind, pressed) => this.button(pressed ? text("accepted") : text(kind), text(`${kind}Hint`, {name}), `${kind} ${key}`,
                () => this.correct(pressed ? "restore" : kind, key), kind === "accept" ? {"aria-pressed": String(Boolean(pressed))} : {});
            return el("article", {class: "stylus-card", data: {key}, aria: {label: name}}, stylus.pictures.frame({...card, name}),
                el("div", {class: "stylus-card-text"},
                    el("strong", {dir: "auto"}, name), " ",
                    card.family_name && el("span", {class: "stylus-badge"}, card.family_name), " ",
                    el("span", {class: "stylus-badge"}, where), " ", pick.pinned && el("span", {class: "stylus-badge"}, text("pinned")),
                    el("p", {class: "stylus-reason", dir: "auto"}, pick.reason),
                    pick.triggers.length ? el("p", {class: "stylus-triggers", dir: "auto"}, text("triggers", {words: pick.triggers.join(", ")})) : null,
                    el("label", {class: "stylus-weigh"}, text("weight"), " ", weight), " ", this.site(pick.card)),
                el("div", {class: "stylus-buttons"}, act("accept", pick.kept), act("reject"), act("swap"), this.states(key, name, card.state)));
        }

        combinations(view) {
            if (view.batches < 2 || !view.picks.length) return null;
            const lines = view.combinations.map((names, place) => el("li", {dir: "auto"},
                text("batch", {number: place + 1, names: names.join(", ") || text("nobody")})));
            return this.folded("stylus-combinations", text("batches", {count: view.batches}) + (view.exact ? "" : text("example")), lines);
        }

        near(view) {
            if (!view.near.length) return null;
            const lines = view.near.map((miss) => el("li", {data: {key: miss.key}}, el("strong", {dir: "auto"}, miss.name), ": ", el("span", {dir: "auto"}, miss.reason), " ",
                miss.mine
                    ? this.button(text("restore"), text("restoreHint", {name: miss.name}), `restore ${miss.key}`, () => this.correct("restore", miss.key))
                    : this.button(text("useIt"), text("useItHint", {name: miss.name}), `use ${miss.key}`, () => this.correct("accept", miss.key)),
                " ", this.states(miss.key, miss.name, miss.card && miss.card.state), " ", this.site(miss.card)));
            return this.folded("stylus-near", text(view.near.length > 1 ? "whyNot" : "whyNotOne", {count: view.near.length}), lines);
        }

        /** Stays open when it is drawn anew. */
        folded(name, head, lines) {
            const open = this.open.has(name);
            return el("details", {class: name, open, on: {toggle: (event) => this.open[event.target.open ? "add" : "delete"](name)}},
                el("summary", {}, head), el("ul", {}, lines));
        }

        /** Over the last pictures: what would be chosen now, without making one. */
        rehearsal() {
            const line = el("p", {role: "status", class: "stylus-rehearsed"});
            const table = el("div", {class: "stylus-scroll"});
            const press = this.button(text("rehearse"), text("rehearseHint"), "rehearse", async () => {
                press.disabled = true;
                try {
                    let job = await call("rehearse");
                    while (["waiting", "running"].includes(job.state)) {
                        fill(line, text("rehearsing", {done: job.done, total: job.total === null ? "?" : job.total}));
                        await new Promise((resolve) => setTimeout(resolve, 400));
                        job = await call("job", {id: job.id});
                    }
                    fill(line, job.result ? text("rehearsed", {count: job.result.rows.length, chosen: job.result.chosen, same: job.result.same}) : job.error);
                    fill(table, job.result && job.result.rows.length ? this.rows(job.result.rows) : null);
                } catch (problem) {
                    fill(line, problem.message);
                } finally {
                    press.disabled = false;
                }
            });
            return el("details", {class: "stylus-rehearsal"}, el("summary", {}, text("dryRun")), press, line, table);
        }

        rows(rows) {
            const names = (list) => list.map((one) => `${one.name} ${one.weight === null ? "" : one.weight}`.trim()).join(", ") || text("nobody");
            return el("table", {}, el("thead", {}, el("tr", {}, ["rehearsedPrompt", "rehearsedUsed", "rehearsedNow"].map((name) => el("th", {scope: "col"}, text(name))))),
                el("tbody", {}, rows.map((row) => el("tr", {class: row.same ? "stylus-same" : ""},
                    el("td", {dir: "auto", title: row.picture}, row.prompt), el("td", {dir: "auto"}, names(row.used)),
                    el("td", {dir: "auto", title: row.picks.map((pick) => `${pick.name}: ${pick.reason}`).join("\n")}, names(row.picks))))));
        }

        pictures(used) {
            const lines = used.map((picture, image) => {
                const number = image + 1;
                const names = picture.tags.map((tag) => `${tag.name || tag.stem} ${tag.weight}`).join(", ") || text("nobody");
                const own = picture.tags.filter((tag) => tag.key);
                return el("li", {}, el("span", {dir: "auto"}, text("usedPicture", {number, seed: picture.seed, names})),
                    picture.off.length ? el("span", {dir: "auto"}, "; ", text("leftOut", {names: picture.off.join(", ")})) : null, " ",
                    own.length ? this.button(text("useSet"), text("useSetHint", {number}), `set ${image}`, () => this.ask("use_set", {image})) : null,
                    own.map((tag) => el("span", {class: "stylus-buttons", data: {key: tag.key}}, el("span", {dir: "auto"}, tag.name),
                        this.button(text("wrong"), text("wrongHint", {name: tag.name}), `wrong ${image} ${tag.key}`, async () => {
                            const said = await this.ask("wrong", {image, key: tag.key});
                            if (!said) return;
                            const undo = this.button(text("forget"), text("forgetHint", {name: tag.name}), `forget ${image} ${tag.key}`,
                                () => this.ask("wrong", {image, key: tag.key, wrong: false}));
                            fill(this.line, text("remembered", {name: tag.name}), " ", undo);
                        }),
                        this.states(tag.key, tag.name, tag.card && tag.card.state))));
            });
            return el("section", {aria: {label: text("used")}}, el("h4", {}, text("used")), el("ol", {}, lines));
        }
    }

    stylus.accordion = {
        seat,
        take: (tab, words) => panels[tab] && panels[tab].take(words),
        made: (tab) => panels[tab] && panels[tab].ask("preview"),
        panels,
    };
    keepApart();
    for (const tab of ["txt2img", "img2img"]) stylus.mount(tab, (place) => { panels[tab] = new Panel(place, tab); });
})(window.stylus);
