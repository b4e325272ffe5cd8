// @ts-check
/* The panel in the accordions of txt2img and img2img: preview, corrections, and last pictures. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "panel",
  needs: [
    "core",
    "requests",
    "pictures",
    "session",
    "plan_view",
    "dry_run",
    "last_pictures",
    "staleness",
  ],
  start(stylus) {
    const { addTexts, text, countText, el, fill, call, session } = stylus;

    addTexts({
      planning: "Choosing LoRAs ...",
      planFound: "{number} LoRAs found ({family})",
      planFoundOne: "1 LoRA found ({family})",
      planFoundNone: "No LoRA found ({family})",
      anyFamily: "any base model",
      stale_prompt: "The prompt changed. Generate chooses anew; Preview shows what.",
      stale_setting: "A setting changed. Generate chooses anew; Preview shows what.",
      stale_model: "The base model changed. Generate chooses anew; Preview shows what.",
      stale_sent: "These LoRAs are in your prompt now.",
      lock: "Lock",
      lockHint: "Keep this set for the next generations",
      unlock: "Unlock",
      unlockHint: "Choose LoRAs anew for each prompt",
      locked: "Locked for the next generations: {names}.",
      send: "Send to prompt",
      sendHint: "Write trigger words and tags into the prompt, to be seen and changed there",
      takeBack: "Take back",
      takeBackHint: "Remove from the prompt exactly what was written into it",
      undo: "Undo changes",
    });

    /** @type {Map<string, Panel>} */
    const panels = new Map();

    const TYPING_MS = 800;

    /** The part of one tab's accordion that this script draws. @implements {PlanPanel} */
    class Panel {
      /** @param {string} tab */
      constructor(tab) {
        this.tab = tab;
        /** Whether gradio has this window's session. */
        this.joined = false;
        /** Number of the answer that is shown. */
        this.shown = 0;
        /** @type {Set<string>} */
        this.open = new Set();
        this.line = el("p", { class: "stylus-line", role: "status", aria: { live: "polite" } });
        /** The answer that is shown. @type {PanelAnswer | null} */
        this.answer = null;
        /** Why the preview does not match the page, or nothing. */
        this.stale = "";
        /** Previews of this page with what was around them, the newest last. @type {Map<string, Surroundings>} */
        this.previews = new Map();
        this.isPlanning = false;
        this.previewSoon = stylus.debounce(() => this.previewAsTyped(), TYPING_MS);
        this.tools = el("div", { class: "stylus-buttons" });
        this.plan = el("fieldset", { class: "stylus-plan" });
        this.pictures = stylus.pictureLine(this, tab);
        this.drawTools(null);
        stylus.mount(tab, (place) => this.drawInto(place));
        stylus.mount(`${tab}_tools`, (place) => fill(place, this.tools));
        stylus.mount(`${tab}_more`, (place) => fill(place, stylus.drawDryRun(this)));
      }

      /** @param {HTMLElement} place */
      drawInto(place) {
        fill(place, this.line, this.plan, this.pictures.place);
        this.moveBelowPictures();
        const preview = document.getElementById(`stylus_${this.tab}_preview`);
        preview?.addEventListener("click", () => {
          this.isPlanning = true;
          this.say(text("planning"));
        });
        this.begin();
      }

      /** Joins this window's session, which may have a preview from before. */
      begin() {
        this.shown = 0;
        this.sendSession();
        this.ask("preview");
      }

      /**
       * Moves the last pictures' LoRAs below the pictures, where the WebUI has a place for them: it
       * may draw that place later than this panel, or again.
       */
      moveBelowPictures() {
        const results = document.getElementById(`${this.tab}_results`);
        if (!results || this.pictures.place.parentNode === results) return;
        for (const outdated of results.querySelectorAll(".stylus-used")) outdated.remove();
        results.append(this.pictures.place);
      }

      /** Presses the hidden button by which gradio asks for the session's name. */
      sendSession() {
        this.joined = false;
        stylus.pressUntil(
          () => document.getElementById(`stylus_${this.tab}_sit`),
          () => this.joined,
        );
      }

      /** @param {string} message */
      say(message) {
        fill(this.line, message);
      }

      /**
       * Sends an action on the preview, and shows the answer.
       * @param {PanelAction} name
       * @param {object} payload
       */
      async ask(name, payload = {}) {
        try {
          const answer = await call(name, { session_id: session.name(this.tab), ...payload });
          this.show(answer);
          return answer;
        } catch (/** @type {any} */ error) {
          this.say(error.message);
          return null;
        }
      }

      /**
       * @param {string} act
       * @param {string} key
       * @param {object} more
       */
      correct(act, key, more = {}) {
        this.say(text("planning"));
        return this.ask("correct", { act, key, ...more });
      }

      /**
       * Shows the answer of the Preview button, which comes through gradio.
       * @param {string} json
       */
      receive(json) {
        this.isPlanning = false;
        if (!json) return;
        const answer = JSON.parse(json);
        if (answer.error) {
          this.say(answer.error);
          this.sendSession();
        } else {
          this.show(answer);
        }
      }

      /**
       * Writes the plan into the prompt's box, or removes it again.
       * @param {"send" | "take_back"} name
       */
      async writePrompt(name) {
        /** @type {HTMLTextAreaElement | null} */
        const box = document.querySelector(`#${this.tab}_prompt textarea`);
        if (!box) return;
        const answer = await this.ask(name, { text: box.value });
        if (answer) stylus.write(box, answer.text ?? box.value);
      }

      /**
       * Draws an answer unless a newer one is shown: answers come by two ways, and are numbered.
       * @param {PanelAnswer} answer
       */
      show(answer) {
        if (answer.number < this.shown) return;
        this.shown = answer.number;
        this.answer = answer;
        const { view, lock, used, made_for } = answer;
        const key = JSON.stringify(made_for);
        if (made_for && !this.previews.has(key)) {
          this.previews.set(key, stylus.surroundings(this.tab));
        }
        const restoreFocus = this.rememberFocus();
        this.say(view ? this.describe(view) : "");
        stylus.pictures.release(this.plan);
        this.drawTools(answer);
        fill(this.plan, lock && this.drawLock(lock), view && stylus.drawPlan(this, view));
        this.pictures.show(used);
        restoreFocus();
        this.mark("");
        this.compare();
      }

      /** Why the shown preview does not match the page: a name, or nothing. @param {PanelAnswer} answer */
      findStaleness({ made_for, sent_prompt, other_model }) {
        const around = made_for && this.previews.get(JSON.stringify(made_for));
        if (!around) return "";
        const found = stylus.difference(this.tab, made_for, around);
        const box = document.querySelector(`#${this.tab}_prompt textarea`);
        const isSent = box instanceof HTMLTextAreaElement && box.value === sent_prompt;
        if (isSent && found === "prompt") return "sent";
        return found || (other_model ? "model" : "");
      }

      /** @param {string} stale */
      mark(stale) {
        this.stale = stale;
        this.plan.classList.toggle("stylus-stale", Boolean(stale));
        this.plan.disabled = Boolean(stale);
      }

      /** Marks a preview that does not match the page, and takes the mark off where it does. */
      compare() {
        const { answer } = this;
        if (!answer?.view) return;
        const stale = this.findStaleness(answer);
        if (stale && stale !== "sent") {
          if (this.recall()) return;
          this.previewSoon();
        }
        if (stale === this.stale) return;
        this.mark(stale);
        if (this.isPlanning) return;
        this.say(stale ? text(`stale_${stale}`) : this.describe(answer.view));
      }

      /** Asks for an earlier preview that matches the page; false if there is none. */
      recall() {
        const { tab, answer } = this;
        const shown = JSON.stringify(answer?.made_for);
        for (const [key, around] of [...this.previews].reverse()) {
          const madeFor = JSON.parse(key);
          if (key !== shown && !stylus.difference(tab, madeFor, around)) {
            this.previews.delete(key);
            this.ask("recall", { made_for: madeFor });
            return true;
          }
        }
        return false;
      }

      /** Presses Preview for a user who wants to see it while typing. */
      previewAsTyped() {
        const wanted = document.querySelector(`#stylus_${this.tab}_live input`);
        const isReady = document.querySelector(`#stylus_${this.tab}_state .stylus-ready`);
        if (!(wanted instanceof HTMLInputElement) || !wanted.checked || !isReady) return;
        if (this.isPlanning || !this.stale || this.stale === "sent") return;
        document.getElementById(`stylus_${this.tab}_preview`)?.click();
      }

      /** @param {PlanView} view */
      describe({ picks, family_name }) {
        return countText("planFound", picks.length, { family: family_name || text("anyFamily") });
      }

      /** Gives back what restores the focus, and a half-typed weight, after the plan is drawn. */
      rememberFocus() {
        const { activeElement } = document;
        const places = [this.tools, this.plan];
        const active =
          activeElement instanceof HTMLElement &&
          places.some((place) => place.contains(activeElement))
            ? activeElement
            : null;
        const focus = active?.dataset.focus;
        const typed =
          active instanceof HTMLInputElement &&
          ![undefined, active.value].includes(active.dataset.was)
            ? active.value
            : null;
        return () => {
          if (!focus) return;
          const controls = places.flatMap((place) => [...place.querySelectorAll("[data-focus]")]);
          for (const control of controls) {
            if (!(control instanceof HTMLElement) || control.dataset.focus !== focus) continue;
            if (typed !== null && control instanceof HTMLInputElement) control.value = typed;
            control.focus();
          }
        };
      }

      /**
       * Ignores the second click of a double click: by then the first has often put the opposite
       * button in its place. Only candidates may be swapped that fast.
       * @param {string} label
       * @param {string} hint
       * @param {string} focus
       * @param {(event: MouseEvent) => unknown} act
       * @param {ElementProps} more
       */
      button(label, hint, focus, act, more = {}) {
        /** @param {MouseEvent} event */
        const click = (event) => (event.detail < 2 || focus.startsWith("swap ")) && act(event);
        return el(
          "button",
          {
            type: "button",
            class: "stylus-button",
            title: hint,
            aria: { label: hint.includes(label) ? hint : `${label}: ${hint}` },
            data: { focus },
            ...more,
            on: { click },
          },
          label,
        );
      }

      /**
       * The small buttons beside Preview; those that have nothing to act on are disabled.
       * @param {PanelAnswer | null} answer
       */
      drawTools(answer) {
        const nothing = !answer?.view?.picks.length;
        /** @param {string} label @param {string} hint @param {string} focus @param {() => unknown} act @param {boolean} [disabled] */
        const tool = (label, hint, focus, act, disabled = false) =>
          this.button(text(label), text(hint), focus, act, { disabled });
        fill(
          this.tools,
          answer?.lock
            ? tool("unlock", "unlockHint", "lock", () => this.ask("lock", { on: false }))
            : tool("lock", "lockHint", "lock", () => this.ask("lock", { on: true }), nothing),
          answer?.sent
            ? tool("takeBack", "takeBackHint", "sent", () => this.writePrompt("take_back"))
            : tool("send", "sendHint", "sent", () => this.writePrompt("send"), nothing),
          answer?.corrected && tool("undo", "undo", "undo", () => this.correct("afresh", "")),
        );
      }

      /** @param {NonNullable<PanelAnswer["lock"]>} lock */
      drawLock(lock) {
        const names = lock.map(({ name, weight }) => `${name} ${weight}`).join(", ");
        return el("p", { class: "stylus-lock" }, text("locked", { names }));
      }
    }

    stylus.onPageChange(() => {
      for (const panel of panels.values()) {
        panel.moveBelowPictures();
        panel.pictures.draw();
      }
    });
    stylus.onControlChange(() => {
      for (const panel of panels.values()) panel.compare();
    });
    session.keepUnique(() => {
      for (const panel of panels.values()) panel.begin();
    });
    for (const tab of ["txt2img", "img2img"]) panels.set(tab, new Panel(tab));

    /** What gradio's events call. */
    const panel = {
      /**
       * The session's name, for gradio's hidden box.
       * @param {string} tab
       */
      session(tab) {
        const found = panels.get(tab);
        if (found) found.joined = true;
        return session.name(tab);
      },

      /**
       * @param {string} tab
       * @param {string} json
       */
      receive(tab, json) {
        panels.get(tab)?.receive(json);
      },

      /**
       * Called when pictures were made.
       * @param {string} tab
       * @param {string} [info] what the WebUI says of them
       */
      refresh(tab, info = "") {
        panels.get(tab)?.pictures.begin(info);
        panels.get(tab)?.ask("preview");
      },
    };

    return { panel };
  },
});
