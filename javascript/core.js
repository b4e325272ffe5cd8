// @ts-check
/* Registry of the page's scripts, texts, elements, and the places that the scripts draw into.
 *
 * The WebUI may run the files of this folder in any order. Each file adds itself to
 * `window.stylus.files`, which the first file creates; a file starts when all files that it needs
 * have started. Texts from cards are always set as text, never as markup. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "core",
  needs: [],
  start() {
    /** All texts of the page by name, in English. @type {Record<string, string>} */
    const texts = {};

    /** @param {Record<string, string>} more */
    function addTexts(more) {
      Object.assign(texts, more);
    }

    /** @param {string} name */
    function hasText(name) {
      return Object.hasOwn(texts, name);
    }

    /**
     * A text by its name, in the WebUI's language where that has a translation.
     * @param {string} name
     * @param {TextValues} values replace `{name}` in the text
     */
    function text(name, values = {}) {
      const english = hasText(name) ? String(texts[name]) : name;
      const translated = window.localization?.[english] || english;
      return translated.replace(/\{(\w+)\}/g, (all, key) =>
        key in values ? String(values[key]) : all,
      );
    }

    /**
     * A text with a count: `<name>One` for 1 and `<name>None` for 0, where these exist.
     * @param {string} name
     * @param {number} number replaces `{number}` in the text
     * @param {TextValues} [values]
     */
    function countText(name, number, values) {
      const special = `${name}${number === 0 ? "None" : number === 1 ? "One" : ""}`;
      const found = hasText(special) ? special : name;
      return text(found, { number: number.toLocaleString(), ...values });
    }

    // ---- Elements

    /** Properties of an element that are set as properties, not as attributes. */
    const FLAGS = ["checked", "disabled", "hidden", "selected"];

    /**
     * Drops empty children; text and numbers become text nodes.
     * @param {Child[]} children
     * @returns {Node[]}
     */
    function nodes(children) {
      return /** @type {any[]} */ (children)
        .flat(Infinity)
        .filter((child) => child !== undefined && child !== null && child !== false && child !== "")
        .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
    }

    /**
     * @param {any} element
     * @param {string} name
     * @param {any} value
     */
    function setProperty(element, name, value) {
      if (name === "on") {
        for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
      } else if (name === "aria") {
        for (const [key, state] of Object.entries(value)) {
          element.setAttribute(`aria-${key}`, String(state));
        }
      } else if (name === "data") {
        for (const [key, state] of Object.entries(value)) element.dataset[key] = String(state);
      } else if (name === "class") {
        element.className = value;
      } else if (name === "value") {
        element.value = value;
      } else if (FLAGS.includes(name)) {
        element[name] = Boolean(value);
      } else {
        element.setAttribute(name, value === true ? "" : String(value));
      }
    }

    /**
     * Makes an element: `el("button", {class: "x", on: {click: act}}, "text", child)`.
     * @template {keyof HTMLElementTagNameMap} K
     * @param {K} tag
     * @param {ElementProps} props
     * @param {Child[]} children
     */
    function el(tag, props = {}, ...children) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(props)) {
        if (value !== undefined && value !== null && value !== false) {
          setProperty(element, name, value);
        }
      }
      element.append(...nodes(children));
      return element;
    }

    /**
     * Calls `close` for Escape, which the WebUI would otherwise take as Interrupt.
     * @param {HTMLElement} element
     * @param {() => void} close
     */
    function closeByEscape(element, close) {
      element.addEventListener("keydown", (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close();
      });
    }

    /**
     * Replaces the children of an element.
     * @param {Element} place
     * @param {Child[]} children
     */
    function fill(place, ...children) {
      place.replaceChildren(...nodes(children));
    }

    /**
     * @param {string} label
     * @param {(event: MouseEvent) => unknown} act
     * @param {ElementProps} props
     */
    function button(label, act, props = {}) {
      const listeners = { click: act, ...(props.on || {}) };
      return el(
        "button",
        { type: "button", class: "stylus-button", ...props, on: listeners },
        label,
      );
    }

    let fieldCount = 0;

    /**
     * A control with its label.
     * @param {string} label
     * @param {Control} control
     * @param {string} [hint]
     */
    function field(label, control, hint) {
      control.id ||= `stylus_field_${++fieldCount}`;
      return el(
        "div",
        { class: "stylus-field" },
        el("label", { for: control.id }, label),
        control,
        hint && el("span", { class: "stylus-hint" }, hint),
      );
    }

    /**
     * @param {[value: string, label: string][]} options
     * @param {string} [chosen]
     */
    function select(options, chosen) {
      return el(
        "select",
        { class: "stylus-input" },
        options.map(([value, label]) => el("option", { value, selected: value === chosen }, label)),
      );
    }

    /**
     * Calls `act` once after the last of several calls.
     * @param {() => unknown} act
     * @param {number} wait_ms
     */
    function debounce(act, wait_ms) {
      let timer = 0;
      return () => {
        clearTimeout(timer);
        timer = setTimeout(act, wait_ms);
      };
    }

    /**
     * @param {number} wait_ms
     * @returns {Promise<void>}
     */
    function delay(wait_ms) {
      return new Promise((resolve) => {
        setTimeout(resolve, wait_ms);
      });
    }

    /** @param {number | null | undefined} bytes */
    function formatSize(bytes) {
      if (!bytes) return "";
      const units = ["B", "KB", "MB", "GB", "TB"];
      const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
      return `${(bytes / 1000 ** step).toFixed(step > 2 ? 1 : 0)} ${units[step]}`;
    }

    /** @param {string} url */
    function parseUrl(url) {
      try {
        return new URL(url);
      } catch {
        return null;
      }
    }

    /** The sites that a card may link to. */
    const LINKED_SITES = ["civitai.com", "huggingface.co"];

    /**
     * A link to one of the known sites; the label alone for any other address.
     * @param {string} url
     * @param {string} label
     */
    function link(url, label) {
      const parsed = parseUrl(url);
      const known = LINKED_SITES.some(
        (site) => parsed?.hostname === site || parsed?.hostname.endsWith(`.${site}`),
      );
      if (parsed?.protocol !== "https:" || !known) return el("span", {}, label);
      return el(
        "a",
        {
          href: parsed.href,
          target: "_blank",
          rel: "noopener noreferrer",
          class: "stylus-link",
        },
        label,
      );
    }

    /**
     * Writes into a text box of the WebUI as if the user had typed it.
     * @param {Control | null} box
     * @param {string} value
     */
    function write(box, value) {
      if (!box) return;
      box.value = value;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }

    /** gradio listens to its buttons only some time after it has drawn them. */
    const PRESS_WAITS_MS = [50, 250, 500, ...Array(10).fill(1000)];

    /**
     * Presses a hidden button of gradio's page until `isDone`, or for some seconds.
     * @param {() => HTMLElement | null} findButton
     * @param {() => boolean} isDone
     */
    async function pressUntil(findButton, isDone) {
      for (const wait of PRESS_WAITS_MS) {
        findButton()?.click();
        await delay(wait);
        if (isDone()) return;
      }
    }

    // ---- Places of the page

    /** @type {Map<string, (place: HTMLElement) => void>} */
    const drawers = new Map();

    /**
     * Registers `draw` for the element `stylus_<name>_mount`: called once for each such element.
     * @param {string} name
     * @param {(place: HTMLElement) => void} draw
     */
    function mount(name, draw) {
      drawers.set(name, draw);
      drawNewPlaces();
    }

    /** @type {(() => void)[]} */
    const pageWatchers = [];

    /**
     * Registers `act`, which is called after each change of the page.
     * @param {() => void} act
     */
    function onPageChange(act) {
      pageWatchers.push(act);
    }

    function drawNewPlaces() {
      for (const [name, draw] of drawers) {
        const place = document.getElementById(`stylus_${name}_mount`);
        if (place && !place.dataset.drawn) {
          place.dataset.drawn = "yes";
          draw(place);
        }
      }
    }

    function pageChanged() {
      drawNewPlaces();
      for (const act of pageWatchers) act();
    }

    /** The WebUI's script calls back after changes of its page; other hosts may lack it. */
    function watchPage() {
      if (typeof onUiLoaded === "function" && typeof onAfterUiUpdate === "function") {
        onUiLoaded(pageChanged);
        onAfterUiUpdate(pageChanged);
      } else {
        const observer = new MutationObserver(pageChanged);
        observer.observe(document, { childList: true, subtree: true });
      }
    }

    /**
     * Calls `act` once, when the place is visible for the first time.
     * @param {HTMLElement} place
     * @param {() => void} act
     */
    function whenVisible(place, act) {
      const observer = new IntersectionObserver((changes) => {
        if (!changes.some((change) => change.isIntersecting)) return;
        observer.disconnect();
        act();
      });
      observer.observe(place.firstElementChild || place);
    }

    watchPage();
    return {
      addTexts,
      hasText,
      text,
      countText,
      el,
      closeByEscape,
      fill,
      button,
      field,
      select,
      debounce,
      delay,
      formatSize,
      link,
      write,
      pressUntil,
      mount,
      onPageChange,
      whenVisible,
    };
  },
});

(() => {
  /** @type {any} */
  const stylus = window.stylus;
  /** @type {StylusFile[]} */
  let waiting = [...stylus.files];
  const started = new Set();

  /** Starts the files whose needs are met, until no further file can start. */
  function startFiles() {
    let file;
    while ((file = waiting.find(({ needs }) => needs.every((name) => started.has(name))))) {
      const next = file;
      waiting = waiting.filter((one) => one !== next);
      Object.assign(stylus, next.start(stylus));
      started.add(next.name);
    }
  }

  stylus.files = {
    /** @param {StylusFile} file */
    push(file) {
      waiting.push(file);
      startFiles();
    },
  };
  startFiles();

  window.addEventListener("load", () => {
    const names = new Set(waiting.map(({ name }) => name));
    for (const { name, needs } of waiting) {
      const unknown = needs.filter((one) => !started.has(one) && !names.has(one));
      if (!unknown.length) continue;
      const missing = unknown.join(", ");
      console.error(`Stylus: ${name}.js did not start; it needs ${missing}. Reload the page.`);
    }
  });
})();
