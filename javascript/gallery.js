// @ts-check
/* A scrolling grid of many cards: only the visible rows are in the page, and their pages are
 * fetched when they come into view. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "gallery",
  needs: ["core", "pictures"],
  start({ el, pictures }) {
    const PAGE_SIZE = 60;
    const GAP_PX = 12;
    const CARD_WIDTH_PX = 190;
    /** In windows below `NARROW_PX`, so that two cards fit side by side. */
    const NARROW_CARD_WIDTH_PX = 130;
    const NARROW_PX = 480;
    const CARD_RATIO = 1.4;
    /** Rows that are kept in the page above and below the visible ones. */
    const SPARE_ROWS = 2;

    /**
     * @param {{
     *   label: string,
     *   load(offset: number, limit: number, first: boolean, signal: AbortSignal):
     *     Promise<{total: number, entries: Entry[]} | undefined>,
     *   makeCard(entry: Entry): HTMLButtonElement,
     *   makeActions(entry: Entry): HTMLButtonElement,
     * }} options
     * @returns {Gallery}
     */
    function drawGallery({ label, load, makeCard, makeActions }) {
      const list = el("ul", {
        class: "stylus-shelf",
        id: "stylus_cards",
        aria: { label },
        on: { keydown: moveFocus, focusin: ({ target }) => setActive(indexOf(target)) },
      });
      const place = el(
        "div",
        { class: "stylus-gallery", tabindex: "-1", on: { scroll: requestRender } },
        list,
      );
      /** Pages by number; null while one is on its way. @type {Map<number, Entry[] | null>} */
      const pages = new Map();
      /** List items in the page, by index. @type {Map<number, HTMLLIElement>} */
      const items = new Map();
      /** What an item shows. @type {WeakMap<HTMLLIElement, Entry>} */
      const shown = new WeakMap();
      let total = 0;
      let columns = 1;
      let rowHeight = 1;
      let active = 0;
      let generation = 0;
      /** True from a reload to its first answer; until then the old cards stay. */
      let outdated = true;
      let pending = new AbortController();
      let frame = 0;

      /** @param {EventTarget | null} target */
      function indexOf(target) {
        const item = target instanceof Element ? target.closest("li") : null;
        return item ? Number(item.dataset.index) : active;
      }

      function measure() {
        const width = list.clientWidth;
        if (!width) return false;
        const least = width < NARROW_PX ? NARROW_CARD_WIDTH_PX : CARD_WIDTH_PX;
        columns = Math.max(1, Math.floor((width + GAP_PX) / (least + GAP_PX)));
        const cardWidth = (width - GAP_PX * (columns - 1)) / columns;
        rowHeight = Math.round(cardWidth * CARD_RATIO) + GAP_PX;
        list.style.gap = `${GAP_PX}px`;
        list.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
        list.style.gridAutoRows = `${rowHeight - GAP_PX}px`;
        return true;
      }

      function requestRender() {
        frame ||= requestAnimationFrame(render);
      }

      /** First and last index (exclusive) of the rows to have in the page. */
      function visibleRange() {
        const top = Math.max(0, place.scrollTop - list.offsetTop);
        const first = Math.max(0, Math.floor(top / rowHeight) - SPARE_ROWS);
        const last = Math.ceil((top + place.clientHeight) / rowHeight) + SPARE_ROWS;
        return { start: first * columns, end: Math.min(total, last * columns) };
      }

      function render() {
        frame = 0;
        if (!measure()) return;
        const rows = Math.ceil(total / columns);
        list.style.height = `${Math.max(0, rows * rowHeight - GAP_PX)}px`;
        const { start, end } = visibleRange();
        for (const [index, item] of items) {
          if (index < start || index >= end) drop(index, item);
        }
        list.style.paddingTop = `${(start / columns) * rowHeight}px`;
        if (active < start || active >= end) active = start;
        let next = list.firstElementChild;
        for (let index = start; index < end; index++) {
          const item = items.get(index) ?? makeItem(index);
          if (item === next) next = next.nextElementSibling;
          else list.insertBefore(item, next);
        }
        fetchPages(start, end);
      }

      /** @param {number} index @param {HTMLLIElement} item */
      function drop(index, item) {
        if (item.contains(document.activeElement)) place.focus({ preventScroll: true });
        pictures.release(item);
        item.remove();
        items.delete(index);
      }

      /** @param {number} index */
      const entryAt = (index) => pages.get(Math.floor(index / PAGE_SIZE))?.[index % PAGE_SIZE];

      /** @param {number} index */
      function makeItem(index) {
        const entry = entryAt(index);
        const card = entry && makeCard(entry);
        const buttons = entry && card ? [card, makeActions(entry)] : [];
        for (const one of buttons) one.tabIndex = index === active ? 0 : -1;
        const item = el(
          "li",
          {
            class: "stylus-item",
            data: { index },
            aria: card ? { setsize: total, posinset: index + 1 } : { hidden: true },
          },
          buttons,
        );
        items.set(index, item);
        if (entry) shown.set(item, entry);
        return item;
      }

      /**
       * Shows the entry at an index. A card that shows it already stays, and with it a click that
       * is under way, the focus and the picture.
       * @param {number} index
       */
      function updateItem(index) {
        const item = items.get(index);
        if (!item) return;
        const entry = entryAt(index);
        const isSame = entry && JSON.stringify(shown.get(item)) === JSON.stringify(entry);
        if (isSame) {
          item.setAttribute("aria-setsize", String(total));
        } else {
          replaceItem(index, item);
        }
      }

      /** @param {number} index @param {HTMLLIElement} item */
      function replaceItem(index, item) {
        const hadFocus = item.contains(document.activeElement);
        pictures.release(item);
        const made = makeItem(index);
        item.replaceWith(made);
        if (hadFocus) (made.querySelector("button") ?? place).focus({ preventScroll: true });
      }

      /** Makes every card in the page anew, from the entries that are known. */
      function redraw() {
        items.forEach((item, index) => replaceItem(index, item));
      }

      /** @param {number} start @param {number} end */
      function fetchPages(start, end) {
        const last = Math.floor(Math.max(start, end - 1) / PAGE_SIZE);
        for (let page = Math.floor(start / PAGE_SIZE); page <= last; page++) {
          if (!pages.has(page)) fetchPage(page);
        }
      }

      /** @param {number} page */
      async function fetchPage(page) {
        const asked = generation;
        const first = pages.size === 0;
        pages.set(page, null);
        const answer = await load(page * PAGE_SIZE, PAGE_SIZE, first, pending.signal);
        if (asked !== generation) return;
        if (!answer) {
          pages.delete(page);
          return;
        }
        pages.set(page, answer.entries);
        total = answer.total;
        const start = page * PAGE_SIZE;
        items.forEach((item, index) => {
          if (index >= start && index < Math.min(start + PAGE_SIZE, total)) updateItem(index);
          else if (outdated) drop(index, item);
        });
        outdated = false;
        render();
      }

      /**
       * Fetches everything anew. Cards stay until the answer comes.
       * @param {boolean} toTop
       */
      function reload(toTop) {
        generation += 1;
        pending.abort();
        pending = new AbortController();
        pages.clear();
        outdated = true;
        if (toTop) {
          place.scrollTop = 0;
          active = 0;
        }
        const { start } = visibleRange();
        fetchPage(Math.floor(Math.min(start, Math.max(0, total - 1)) / PAGE_SIZE));
      }

      /** @param {number} index */
      function setActive(index) {
        setTabIndex("-1");
        active = index;
        setTabIndex("0");
      }

      /** @param {string} value of the active card's buttons */
      function setTabIndex(value) {
        const buttons = items.get(active)?.querySelectorAll("button") ?? [];
        for (const one of buttons) one.setAttribute("tabindex", value);
      }

      /** @param {KeyboardEvent} event */
      function moveFocus(event) {
        const rowsShown = Math.max(1, Math.floor(place.clientHeight / rowHeight));
        const target = new Map([
          ["ArrowRight", active + 1],
          ["ArrowLeft", active - 1],
          ["ArrowDown", active + columns],
          ["ArrowUp", active - columns],
          ["PageDown", active + columns * rowsShown],
          ["PageUp", active - columns * rowsShown],
          ["Home", 0],
          ["End", total - 1],
        ]).get(event.key);
        if (target === undefined) return;
        event.preventDefault();
        const index = Math.min(total - 1, Math.max(0, target));
        const top = Math.floor(index / columns) * rowHeight;
        const bottom = top + rowHeight - place.clientHeight;
        place.scrollTop = Math.min(top, Math.max(bottom, place.scrollTop));
        setActive(index);
        render();
        items.get(index)?.querySelector("button")?.focus({ preventScroll: true });
      }

      /**
       * Focuses the card of an adapter; false where it is not in the page.
       * @param {string} key
       */
      function focusCard(key) {
        const card = list.querySelector(`[data-key="${CSS.escape(key)}"]`);
        if (card instanceof HTMLElement) card.focus();
        return Boolean(card);
      }

      new ResizeObserver(requestRender).observe(place);
      return { place, reload, redraw, focusCard };
    }

    return { drawGallery };
  },
});
