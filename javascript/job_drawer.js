// @ts-check
/* Jobs in the head of the Stylus tab: a badge with the number of running jobs, and a drawer. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "job_drawer",
  needs: ["core", "sections", "job_list"],
  start(stylus) {
    const { addTexts, text, el, fill, button } = stylus;

    addTexts({
      jobs: "Jobs",
      jobsRunning: "Jobs, {number} running",
      jobEnded: "{name}: {result}",
      closeJobs: "Close",
    });

    /** @param {Job} job */
    function describeEnd(job) {
      const result = job.error || stylus.jobResult(job)[0] || text(job.state);
      return text("jobEnded", { name: stylus.jobTitle(job), result });
    }

    /** The button with the line beside it and the drawer; `watch` begins once they are shown. */
    function drawJobDrawer() {
      const badge = el("span", { class: "stylus-count", id: "stylus_job_count", hidden: true });
      const news = stylus.statusLine({ id: "stylus_job_news" });
      const line = stylus.statusLine({ id: "stylus_jobs_line" });
      const list = el("ul", {
        class: "stylus-list",
        id: "stylus_jobs",
        "aria-label": text("jobs"),
      });
      const toggle = el(
        "button",
        {
          type: "button",
          class: "stylus-button",
          id: "stylus_jobs_open",
          aria: { expanded: "false", controls: "stylus_job_drawer", label: text("jobs") },
          on: { click: () => show(drawer.hidden) },
        },
        text("jobs"),
        badge,
      );
      const close = button(text("closeJobs"), () => show(false), { id: "stylus_jobs_close" });
      const drawer = el(
        "div",
        {
          class: "stylus-sheet",
          id: "stylus_job_drawer",
          role: "dialog",
          hidden: true,
          aria: { label: text("jobs") },
        },
        el("div", { class: "stylus-sheet-head" }, el("h3", {}, text("jobs")), close),
        line,
        list,
      );

      stylus.closeByEscape(drawer, () => show(false));

      /** @param {boolean} open */
      function show(open) {
        drawer.hidden = !open;
        toggle.setAttribute("aria-expanded", String(open));
        (open ? close : toggle).focus();
      }

      /** @param {number} unfinished @param {Job[]} ended */
      function changed(unfinished, ended) {
        badge.hidden = unfinished === 0;
        fill(badge, unfinished);
        const label = unfinished ? text("jobsRunning", { number: unfinished }) : text("jobs");
        toggle.setAttribute("aria-label", label);
        const last = ended.at(-1);
        if (last) {
          fill(news, describeEnd(last));
          news.dataset.state = last.state;
        }
      }

      return {
        nodes: [news, toggle, drawer],
        watch: () => stylus.watchJobs(toggle, line, list, changed),
      };
    }

    return { drawJobDrawer };
  },
});
