// @ts-check
/* Jobs of the engine: starting one, following it to its end, and the list of them. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "job_list",
  needs: ["core", "requests", "sections", "job_results"],
  start(stylus) {
    const { addTexts, text, el, fill, button, call, attempt, say } = stylus;

    addTexts({
      job_index: "Read my LoRAs",
      job_learn: "Learn from my pictures",
      job_identify: "Identify by hash",
      job_sync: "Search online",
      job_refine: "Describe better",
      job_caption: "Describe from pictures",
      job_prepare: "Prepare",
      job_fetch: "Download",
      job_discard: "Clean up",
      job_rehearse: "Dry run",
      job_probe: "Measure",
      job_measure: "Compare pictures",
      job_import: "Import",
      noJobs: "No jobs yet.",
      waiting: "waits",
      running: "runs",
      done: "is done",
      failed: "failed",
      cancelled: "was stopped",
      cancel: "Stop",
      log: "Details",
      left: "about {seconds} s left",
      of: "{done} of {total}",
      progressOf: "Progress of {name}",
      started: "Started: {name}.",
      stopping: "Stopping ...",
    });

    const UNFINISHED = ["waiting", "running"];
    const ACTIVE_POLL_MS = 400;
    const IDLE_POLL_MS = 2000;

    /** Updates the watched list at once. */
    let refreshList = () => {};
    /** @type {((job: Job) => void)[]} */
    const endWatchers = [];
    /** @type {((jobs: Job[]) => void)[]} */
    const watchers = [];
    /** The last answer. @type {Job[]} */
    let knownJobs = [];

    /**
     * Registers `act`, which is called with the list of jobs, the oldest first, now and after each
     * answer.
     * @param {(jobs: Job[]) => void} act
     */
    function onJobs(act) {
      watchers.push(act);
      act(knownJobs);
    }

    /**
     * Registers `act`, which is called for each job that ends while the tab is visible.
     * @param {(job: Job) => void} act
     */
    function onJobEnd(act) {
      endWatchers.push(act);
    }

    /** @param {Job} job */
    function jobTitle({ name }) {
      const label = `job_${name}`;
      return stylus.hasText(label) ? text(label) : name;
    }

    /** @param {Job} job */
    const isUnfinished = (job) => UNFINISHED.includes(job.state);

    /** The jobs that this page has started. @type {Set<string>} */
    const startedHere = new Set();

    /**
     * Starts a job and says so in `line`.
     * @param {HTMLElement} line
     * @param {string} name
     * @param {JobPayload} payload
     */
    async function startJob(line, name, payload = {}) {
      const job = await attempt(line, () => call("start", { name, payload }));
      if (job) {
        startedHere.add(job.id);
        say(line, "started", { name: jobTitle(job) });
      }
      refreshList();
      return job;
    }

    /**
     * Waits for the end of a job. `progress` gets its states, and returns false to stop waiting.
     * @param {Job} job
     * @param {(job: Job) => boolean | void} progress
     * @returns {Promise<Job | null>} the finished job; null where the wait was stopped
     */
    async function followJob(job, progress = () => true) {
      let now = job;
      while (isUnfinished(now)) {
        if (progress(now) === false) return null;
        await stylus.delay(ACTIVE_POLL_MS);
        now = await call("job", { id: job.id });
      }
      return now;
    }

    /** @param {Job} job */
    function describeLog(job) {
      const steps = (job.log || []).map((entry) => `${entry.after_s} s: ${entry.text}`);
      return [...steps, ...stylus.jobNotes(job)];
    }

    /** @param {Job} job */
    function describeProgress(job) {
      const parts = [];
      if (isUnfinished(job)) {
        parts.push(job.step);
        if (job.total) {
          const counts = { done: job.done.toLocaleString(), total: job.total.toLocaleString() };
          parts.push(text("of", counts));
        }
        if (job.eta_s !== null) parts.push(text("left", { seconds: Math.round(job.eta_s) }));
      }
      parts.push(job.error, ...stylus.jobResult(job));
      return parts.filter(Boolean).join(" · ");
    }

    /**
     * A row of the list. It stays the same element while its job runs, so that a button does not
     * move away from under the pointer.
     * @param {Job} job
     * @param {HTMLElement} line
     * @param {() => void} refresh
     */
    function makeRow(job, line, refresh) {
      const title = jobTitle(job);
      const state = el("span", { class: "stylus-job-state" });
      const step = el("span", { class: "stylus-hint" });
      const bar = el("progress", {
        class: "stylus-bar",
        "aria-label": text("progressOf", { name: title }),
      });
      const stop = button(text("cancel"), cancel, {
        aria: { label: `${text("cancel")}: ${title}` },
      });
      const log = el("ol", { class: "stylus-log" });
      const row = el(
        "li",
        { class: "stylus-job", data: { job: job.id, name: job.name } },
        el("div", { class: "stylus-row" }, el("strong", {}, title), state, bar, step, stop),
        el("details", {}, el("summary", {}, text("log")), log),
      );

      async function cancel() {
        stop.disabled = true;
        if (await attempt(line, () => call("cancel", { id: job.id }))) say(line, "stopping");
        refresh();
      }

      /** @param {Job} now */
      function update(now) {
        row.dataset.state = now.state;
        fill(state, text(now.state));
        bar.hidden = stop.hidden = !isUnfinished(now);
        if (now.total) {
          bar.max = now.total;
          bar.value = now.done;
        } else {
          bar.removeAttribute("value");
        }
        const progress = describeProgress(now);
        if (step.textContent !== progress) fill(step, progress);
        const entries = describeLog(now);
        if (log.childElementCount !== entries.length) {
          fill(
            log,
            entries.map((entry) => el("li", {}, entry)),
          );
        }
      }

      return { row, update };
    }

    /**
     * Keeps a list of the engine's jobs up to date while `place` is visible.
     * @param {HTMLElement} place
     * @param {HTMLElement} line for messages
     * @param {HTMLElement} list
     * @param {(unfinished: number, ended: Job[]) => void} changed
     */
    function watchJobs(place, line, list, changed) {
      /** @type {Map<string, boolean>} */
      const unfinished = new Map();
      /** @type {Map<string, ReturnType<typeof makeRow>>} */
      let rows = new Map();
      let timer = 0;

      async function refresh() {
        clearTimeout(timer);
        if (!place.isConnected) return;
        let wait = IDLE_POLL_MS;
        if (place.offsetParent !== null) {
          const answer = await call("jobs").catch(() => null);
          if (answer) {
            if (answer.jobs.some(isUnfinished)) wait = ACTIVE_POLL_MS;
            show(answer.jobs);
          }
        }
        clearTimeout(timer);
        timer = setTimeout(refresh, wait);
      }

      /** @param {Job[]} jobs */
      function show(jobs) {
        // A quick job may end before it was seen.
        const ended = jobs.filter(
          (job) => !isUnfinished(job) && (unfinished.get(job.id) ?? startedHere.has(job.id)),
        );
        for (const job of jobs) unfinished.set(job.id, isUnfinished(job));
        knownJobs = jobs;
        for (const act of watchers) act(jobs);
        for (const job of ended) endWatchers.forEach((act) => act(job));
        changed(jobs.filter(isUnfinished).length, ended);
        if (!jobs.length) {
          rows.clear();
          fill(list, el("li", {}, text("noJobs")));
          return;
        }
        const newestFirst = [...jobs].reverse();
        rows = new Map(
          newestFirst.map((job) => [job.id, rows.get(job.id) ?? makeRow(job, line, refresh)]),
        );
        newestFirst.forEach((job, at) => {
          const made = rows.get(job.id);
          if (!made) return;
          made.update(job);
          if (list.children[at] !== made.row) {
            list.insertBefore(made.row, list.children[at] ?? null);
          }
        });
        while (list.children.length > newestFirst.length) list.lastElementChild?.remove();
      }

      refreshList = refresh;
      refresh();
    }

    return {
      startJob,
      followJob,
      watchJobs,
      onJobEnd,
      onJobs,
      isUnfinished,
      describeProgress,
      jobTitle,
    };
  },
});
