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
        notReady: "The engine is not there yet: {why}",
        tryAgain: "Try again",
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

    return {TEXTS, text, el, fill, button, field, later, size, link, Refused, page, call, mount};
})();

// ==================================================================== the Stylus tab
((stylus) => {
    const {el, fill, text, call} = stylus;

    Object.assign(stylus.TEXTS, {
        version: "Stylus {version}",
    });

    async function draw(place) {
        const line = el("p", {role: "status"}, text("working"));
        fill(place, line);
        try {
            const said = await call("status");
            fill(line, text("version", {version: said.version}), " ", said.engine.sentence);
        } catch (problem) {
            fill(line, problem.message);
        }
    }

    stylus.mount("tab", draw);
})(window.stylus);
