// @ts-check
/* Buttons that open a menu, and choices that ask before they are made. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "menus",
  needs: ["core"],
  start(stylus) {
    const { addTexts, text, el, fill } = stylus;

    addTexts({ cancelChoice: "Cancel" });

    const GAP = 4;
    /** The open menu. @type {{ close(focus: boolean): void, place(): void } | null} */
    let openMenu = null;

    /** @param {MenuItem} item @param {(focus: boolean) => void} close */
    function drawItem({ label, hint, checked, link, act }, close) {
      if (link) {
        const anchor = stylus.link(link, label);
        if (!(anchor instanceof HTMLAnchorElement)) return null;
        anchor.setAttribute("role", "menuitem");
        anchor.tabIndex = -1;
        anchor.addEventListener("click", () => close(true));
        return anchor;
      }
      const isChoice = checked !== undefined;
      return el(
        "button",
        {
          type: "button",
          role: isChoice ? "menuitemcheckbox" : "menuitem",
          tabindex: -1,
          title: hint,
          aria: isChoice ? { checked } : {},
          on: {
            click: () => {
              close(true);
              act?.();
            },
          },
        },
        label,
      );
    }

    /** @param {MenuGroup} group @param {(focus: boolean) => void} close */
    function drawGroup({ name, items }, close) {
      const drawn = items.map((item) => drawItem(item, close));
      if (!name) return drawn;
      return el(
        "div",
        { role: "group", aria: { label: name } },
        el("div", { class: "stylus-menu-name", dir: "auto", "aria-hidden": "true" }, name),
        drawn,
      );
    }

    /**
     * Places the menu below its button, or above where there is more room; in a fixed place, since
     * what is around the button may cut off what stands out.
     * @param {HTMLElement} button
     * @param {HTMLElement} list
     */
    function place(button, list) {
      const from = button.getBoundingClientRect();
      const { innerWidth, innerHeight } = window;
      const isAbove =
        innerHeight - from.bottom < list.offsetHeight + GAP && from.top > innerHeight / 2;
      const top = isAbove ? from.top - list.offsetHeight - GAP : from.bottom + GAP;
      const left = Math.min(from.left, innerWidth - list.offsetWidth - GAP);
      list.style.top = `${Math.max(GAP, top)}px`;
      list.style.left = `${Math.max(GAP, left)}px`;
      list.style.maxHeight = `${(isAbove ? from.top : innerHeight - from.bottom) - 2 * GAP}px`;
    }

    /**
     * @param {string} label
     * @param {string} focus
     * @param {() => MenuGroup[]} groups
     */
    function menuButton(label, focus, groups) {
      const list = el("div", { class: "stylus-menu", role: "menu", hidden: true, aria: { label } });

      /** @returns {HTMLElement[]} */
      const items = () =>
        [...list.querySelectorAll("[role^=menuitem]")].map((one) => /** @type {any} */ (one));

      /** @param {boolean} takeFocus */
      function close(takeFocus) {
        list.hidden = true;
        button.setAttribute("aria-expanded", "false");
        openMenu = null;
        if (takeFocus) button.focus();
      }

      function open() {
        openMenu?.close(false);
        fill(
          list,
          groups().map((group) => drawGroup(group, close)),
        );
        list.hidden = false;
        button.setAttribute("aria-expanded", "true");
        openMenu = { close, place: () => place(button, list) };
        openMenu.place();
        items()[0]?.focus({ preventScroll: true });
      }

      /** @param {KeyboardEvent} event */
      function moveByKey(event) {
        const all = items();
        const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
        const goals = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
        if (event.key === "Tab") {
          close(false);
        } else if (event.key in goals) {
          event.preventDefault();
          const goal = goals[/** @type {keyof typeof goals} */ (event.key)];
          all[(goal + all.length) % all.length]?.focus();
        }
      }
      list.addEventListener("keydown", moveByKey);
      stylus.closeByEscape(list, () => close(true));

      const button = el(
        "button",
        {
          type: "button",
          class: "stylus-button stylus-menu-button",
          title: label,
          aria: { label, haspopup: "menu", expanded: false },
          data: { focus },
          on: { click: () => (list.hidden ? open() : close(true)) },
        },
        "⋯",
      );
      button.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "ArrowDown" || !list.hidden) return;
        event.preventDefault();
        open();
      });
      return el("span", { class: "stylus-menu-place" }, button, list);
    }

    document.addEventListener("pointerdown", ({ target }) => {
      if (!(target instanceof Element && target.closest(".stylus-menu-place"))) {
        openMenu?.close(false);
      }
    });
    for (const event of ["scroll", "resize"]) {
      window.addEventListener(event, () => openMenu?.place(), true);
    }

    /**
     * Asks in a place of the page before a choice that lasts.
     * @param {HTMLElement} questionPlace
     * @param {string} question
     * @param {string} label of the button that says yes
     * @param {() => unknown} act
     */
    function askFirst(questionPlace, question, label, act) {
      const before = document.activeElement;
      function close() {
        fill(questionPlace);
        if (before instanceof HTMLElement && before.isConnected) before.focus();
      }
      const yes = stylus.button(label, () => {
        close();
        act();
      });
      const group = el(
        "div",
        { class: "stylus-question", role: "group", aria: { label: question } },
        el("span", { dir: "auto" }, question),
        " ",
        yes,
        stylus.button(text("cancelChoice"), close),
      );
      stylus.closeByEscape(group, close);
      fill(questionPlace, group);
      yes.focus();
    }

    return { menuButton, askFirst };
  },
});
