// The page on which people judge pairs of pictures. What the server sends does not name the arms.
"use strict";

(() => {
  /**
   * @typedef {{ judge: string, done: number, total: number, trial: number | null, prompt: string,
   *   pictures: string[] }} View
   */

  const KEYS = new Map([
    ["ArrowLeft", "left"],
    ["ArrowRight", "right"],
    ["ArrowDown", "tie"],
  ]);
  const SIDES = ["left", "right"];
  // In the part of the address that a browser does not send, so that no log has it.
  const token = location.hash.slice(1);

  /** @type {View | null} */
  let shown = null;
  let busy = false;

  /**
   * @template {HTMLElement} T
   * @param {string} id
   * @param {new () => T} kind
   * @returns {T}
   */
  function byId(id, kind) {
    const found = document.getElementById(id);
    if (!(found instanceof kind)) throw new Error(`The page has no ${id}.`);
    return found;
  }

  const name = byId("name", HTMLInputElement);
  const undo = byId("undo", HTMLButtonElement);
  const bar = byId("bar", HTMLProgressElement);
  const choices = [...byId("choices", HTMLElement).querySelectorAll("button")];

  /**
   * @param {string} path
   * @param {object} [body]
   */
  async function ask(path, body) {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const wanted = body ? { method: "POST", body: JSON.stringify(body) } : {};
    let answer;
    try {
      answer = await fetch(path, { headers, ...wanted });
    } catch {
      throw new Error("The command that serves this page has ended. Start it again.");
    }
    if (!answer.ok) throw new Error((await answer.json()).error);
    return answer;
  }

  /**
   * @param {string} action
   * @param {object} [more]
   */
  async function act(action, more) {
    if (busy) return;
    busy = true;
    byId("problem", HTMLElement).textContent = "";
    try {
      const answer = await ask(`/v1/${action}`, {
        judge: shown ? shown.judge : name.value,
        ...more,
      });
      await show(await answer.json());
    } catch (error) {
      byId("problem", HTMLElement).textContent =
        error instanceof Error ? error.message : `${error}`;
    } finally {
      busy = false;
      showButtons();
    }
  }

  /** @param {View} view */
  async function show(view) {
    shown = view;
    const first = !byId("start", HTMLElement).hidden;
    byId("start", HTMLElement).hidden = true;
    byId("progress", HTMLElement).hidden = false;
    byId("trial", HTMLElement).hidden = view.trial === null;
    byId("finished", HTMLElement).hidden = view.trial !== null;
    byId("prompt", HTMLElement).textContent = view.prompt;
    byId("count", HTMLElement).textContent = `${view.done} of ${view.total} judged`;
    bar.max = view.total;
    bar.value = view.done;
    if (first) byId("prompt", HTMLElement).focus();
    const images = SIDES.map((side) => byId(side, HTMLImageElement));
    for (const image of images) image.classList.add("loading");
    await Promise.all(images.map((image, place) => load(image, view.pictures[place])));
    // Both at once: one that comes first would draw the eye.
    for (const image of images) image.classList.remove("loading");
  }

  /**
   * @param {HTMLImageElement} image
   * @param {string | undefined} address
   */
  async function load(image, address) {
    if (image.src) URL.revokeObjectURL(image.src);
    image.removeAttribute("src");
    if (!address) return;
    image.src = URL.createObjectURL(await (await ask(address)).blob());
    await image.decode();
  }

  function showButtons() {
    // Not while busy: a button that is disabled loses the focus.
    for (const button of choices) button.disabled = shown === null || shown.trial === null;
    undo.disabled = shown === null || shown.done === 0;
  }

  /** @param {string} choice */
  function choose(choice) {
    if (shown && shown.trial !== null) act("choose", { trial: shown.trial, choice });
  }

  for (const button of choices) {
    button.addEventListener("click", () => choose(button.dataset["choice"] ?? ""));
  }
  undo.addEventListener("click", () => act("undo"));
  byId("start", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    act("next");
  });
  document.addEventListener("keydown", (event) => {
    const changed = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
    if (!shown || changed || event.repeat) return;
    const choice = KEYS.get(event.key);
    if (choice) choose(choice);
    else if (event.key === "Backspace") act("undo");
    else return;
    event.preventDefault();
  });
  showButtons();
})();
