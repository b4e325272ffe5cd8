// @ts-check
/* Checklist of a new user, in Setup and in an empty gallery: each step with its state and button. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "first_steps",
  needs: ["core", "requests", "sections", "menus", "job_list"],
  start(stylus) {
    const { addTexts, text, countText, el, fill, button, call, attempt, say } = stylus;

    addTexts({
      firstSteps: "First steps",
      stepsLeft: "{done} of {total} done",
      stepsOver: "Nothing left to do",
      step_read: "Read my LoRAs",
      step_identify: "Name unknown files",
      step_learn: "Learn from my pictures",
      step_catalogue: "Get a catalogue",
      step_language_model: "Language model (optional)",
      hint_read: "Reads the WebUI's LoRA folders. Nothing leaves this machine.",
      hint_identify: "Asks Civitai for the names of unknown files, by their hash.",
      hint_learn:
        "Reads the prompts of pictures you made, to learn how you use your LoRAs. Nothing leaves this machine.",
      hint_catalogue:
        "Reads the cards of Civitai's 2,000 most downloaded LoRAs, for what you do not have: some minutes, about 40 MB on disk. Downloads no LoRA.",
      hint_language_model:
        "Writes better descriptions and can choose LoRAs. Works without. Enter its address and model in Settings, Stylus: Advanced.",
      done_read: "{number} LoRAs on disk.",
      done_readOne: "1 LoRA on disk.",
      done_readNone: "No LoRA files in the WebUI's folders.",
      done_identify: "{number} files stay without a name: Civitai does not know them.",
      done_identifyOne: "1 file stays without a name: Civitai does not know it.",
      done_identifyNone: "All your files have a name.",
      done_learn: "Learned about {number} LoRAs.",
      done_learnOne: "Learned about 1 LoRA.",
      done_learnNone: "Your pictures were read. There was nothing new in them.",
      done_catalogue: "{number} LoRAs in the catalogue that you do not have.",
      done_catalogueOne: "1 LoRA in the catalogue that you do not have.",
      done_catalogueNone: "The catalogue was read. You have all of its LoRAs.",
      done_language_model: "{model} is set up.",
      unnamedFiles: "{number} files have no name yet.",
      unnamedFilesOne: "1 file has no name yet.",
      stepSkipped: "Skipped.",
      failedStep: "{error} Details are in Jobs.",
      askCivitai:
        "This sends the SHA256 of {number} files, and of the tensors of those unknown, to Civitai. Nothing else is sent. Continue?",
      askCivitaiOne:
        "This sends the SHA256 of 1 file, and of its tensors if unknown, to Civitai. Nothing else is sent. Continue?",
      sendHashes: "Yes, send",
      do_read: "Read",
      do_identify: "Ask Civitai",
      do_learn: "Learn",
      do_catalogue: "Get it",
      do_language_model: "Open Settings",
      doAgain: "Again",
      tryAgain: "Try again",
      stopStep: "Stop",
      skipStep: "Skip",
      skipRest: "Skip the rest",
      settingsAt: "Settings, Stylus: Advanced, Language model. Then restart the engine.",
    });

    const MODELS = 2000;
    /** @type {Record<string, {job: string, payload: JobPayload}>} */
    const JOBS = {
      read: { job: "index", payload: {} },
      identify: { job: "identify", payload: {} },
      learn: { job: "learn", payload: { learn: true } },
      catalogue: { job: "sync", payload: { source: "civitai", top: MODELS } },
    };
    /** Jobs are started by the name of their operation. */
    const OPERATION = new Map([["learn", "index"]]);
    const MARKS = new Map([
      ["done", "✓"],
      ["failed", "!"],
      ["skipped", "–"],
    ]);

    /** @param {FirstStep} step */
    function describeDone({ name, count, text: words }) {
      return count === null
        ? text(`done_${name}`, { model: words })
        : countText(`done_${name}`, count);
    }

    /** @param {FirstStep} step @param {Job} [job] its last one */
    function stateOf(step, job) {
      if (job && stylus.isUnfinished(job)) return "running";
      return job?.state === "failed" ? "failed" : step.state;
    }

    /** @param {FirstStep} step */
    function describeToDo({ name, count, text: words }) {
      if (name === "identify" && count) {
        return `${countText("unnamedFiles", count)} ${text("hint_identify")}`;
      }
      return `${words ? `${words} ` : ""}${text(`hint_${name}`)}`;
    }

    /** Opens the WebUI's settings, where its page has them. */
    function openSettings() {
      const tabs = [...document.querySelectorAll("#tabs > .tabitem")];
      const at = tabs.findIndex(({ id }) => id === "tab_settings");
      const heads = document.querySelectorAll(
        "#tabs > .tab-nav > button, #tabs > .tab-wrapper [role=tab]",
      );
      const head = heads[at];
      if (head instanceof HTMLElement) head.click();
    }

    /**
     * The checklist. `refresh` asks for the steps again; without it nothing is asked.
     * @param {string} where a name for its ids
     */
    function makeFirstSteps(where) {
      const line = stylus.statusLine({ id: `stylus_${where}_line` });
      const summary = el("summary", { id: `stylus_${where}_summary` });
      const list = el("ul", { class: "stylus-list stylus-steps", id: `stylus_${where}_list` });
      const skipRest = button(text("skipRest"), () => skip(steps.map(({ name }) => name)), {
        class: "stylus-link-button",
        id: `stylus_${where}_skip`,
      });
      const box = el("details", { class: "stylus-first-steps" }, summary, list, skipRest, line);
      box.hidden = true;
      /** @type {FirstStep[]} */
      let steps = [];
      /** @type {boolean | null} */
      let wasOver = null;
      /** The last job of each step. @type {Map<string, Job>} */
      const lastJobs = new Map();
      /** @type {Map<string, ReturnType<typeof makeRow>>} */
      const rows = new Map();

      /** @param {string[]} names */
      async function skip(names) {
        const answer = await attempt(line, () => call("first_steps", { skip: names }));
        if (answer) show(answer.steps);
      }

      /** @param {string} name */
      function makeRow(name) {
        const mark = el("span", { class: "stylus-step-mark", "aria-hidden": "true" });
        const explanation = el("p", { class: "stylus-hint", id: `stylus_${where}_${name}_text` });
        const bar = el("progress", {
          class: "stylus-bar",
          hidden: true,
          "aria-label": text("progressOf", { name: text(`step_${name}`) }),
        });
        const question = el("div");
        const act = button("", press, {
          data: { act: name },
          aria: { describedby: explanation.id },
        });
        const pass = button(text("skipStep"), () => skip([...skippedNames(), name]), {
          class: "stylus-link-button",
          aria: { label: `${text("skipStep")}: ${text(`step_${name}`)}` },
        });
        const row = el(
          "li",
          { class: "stylus-step", data: { step: name } },
          mark,
          el(
            "div",
            { class: "stylus-step-text" },
            el("strong", {}, text(`step_${name}`)),
            explanation,
            bar,
            question,
          ),
          act,
          pass,
        );

        async function press() {
          const job = lastJobs.get(name);
          if (job && stylus.isUnfinished(job)) {
            await attempt(line, () => call("cancel", { id: job.id }));
          } else if (name === "language_model") {
            openSettings();
            say(line, "settingsAt");
          } else if (name === "identify") {
            const count = steps.find((step) => step.name === name)?.count ?? 0;
            stylus.askFirst(question, countText("askCivitai", count), text("sendHashes"), begin);
          } else {
            await begin();
          }
        }

        async function begin() {
          fill(question);
          const wanted = JOBS[name];
          if (!wanted) return;
          const job = await stylus.startJob(
            line,
            OPERATION.get(wanted.job) ?? wanted.job,
            wanted.payload,
          );
          if (job) watch([job]);
        }

        /** @param {FirstStep} step */
        function update(step) {
          const job = lastJobs.get(name);
          const state = stateOf(step, job);
          row.dataset.state = state;
          fill(mark, MARKS.get(state) ?? "");
          bar.hidden = state !== "running";
          if (job?.total) {
            bar.max = job.total;
            bar.value = job.done;
          } else {
            bar.removeAttribute("value");
          }
          /** @type {Record<string, () => string>} */
          const words = {
            running: () => (job ? stylus.describeProgress(job) || text(job.state) : ""),
            failed: () => text("failedStep", { error: job?.error ?? "" }),
            done: () => describeDone(step),
            skipped: () => text("stepSkipped"),
            to_do: () => describeToDo(step),
          };
          const sentence = words[state]?.() ?? "";
          if (explanation.textContent !== sentence) fill(explanation, sentence);
          /** @type {Record<string, string>} */
          const labels = {
            running: text("stopStep"),
            failed: text("tryAgain"),
            done: text(name === "language_model" ? "do_language_model" : "doAgain"),
          };
          const shown = labels[state] ?? text(`do_${name}`);
          if (act.textContent !== shown) {
            fill(act, shown);
            act.setAttribute("aria-label", `${shown}: ${text(`step_${name}`)}`);
          }
          act.classList.toggle("stylus-primary", state === "to_do" && name === "read");
          pass.hidden = state !== "to_do" && state !== "failed";
        }

        return { row, update };
      }

      const skippedNames = () =>
        steps.filter(({ state }) => state === "skipped").map(({ name }) => name);

      /** @param {Job[]} jobs the oldest first */
      function watch(jobs) {
        for (const job of jobs) {
          const step = Object.keys(JOBS).find((name) => JOBS[name]?.job === job.name);
          if (step) lastJobs.set(step, job);
        }
        drawRows();
      }

      /** @param {FirstStep[]} now */
      function show(now) {
        steps = now;
        drawRows();
      }

      function drawRows() {
        if (!steps.length) return;
        box.hidden = false;
        for (const step of steps) {
          let made = rows.get(step.name);
          if (!made) {
            made = makeRow(step.name);
            rows.set(step.name, made);
            list.append(made.row);
          }
          made.update(step);
        }
        const states = [...rows.values()].map(({ row }) => row.dataset.state);
        const isOver = states.every((state) => state === "done" || state === "skipped");
        const done = states.filter((state) => state === "done").length;
        const title = isOver
          ? text("stepsOver")
          : text("stepsLeft", { done, total: states.length });
        if (summary.textContent !== title) fill(summary, title);
        if (isOver !== wasOver) box.open = !isOver;
        wasOver = isOver;
        skipRest.hidden = isOver;
      }

      async function refresh() {
        const answer = await attempt(line, () => call("first_steps"));
        if (answer) show(answer.steps);
      }

      stylus.onJobs(watch);
      stylus.onJobEnd(({ name }) => {
        if (steps.length && Object.values(JOBS).some(({ job }) => job === name)) refresh();
      });
      return { place: box, refresh };
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const made = makeFirstSteps("steps");
      fill(place, made.place);
      made.refresh();
      return made.refresh;
    }

    stylus.sections.first_steps = { label: "firstSteps", draw };
    return { makeFirstSteps };
  },
});
