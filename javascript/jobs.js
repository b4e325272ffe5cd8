// @ts-check
/* Section of Setup: long work of the engine that the user can start. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "jobs",
  needs: ["core", "requests", "sections", "job_list"],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, call, attempt, say } = stylus;

    addTexts({
      work: "Update and extend",
      startOne: "Start",
      index: "Read my LoRAs",
      indexHint: "Reads the WebUI's LoRA folders. Nothing leaves this machine.",
      learn: "Learn from my pictures",
      learnHint: "Reads the prompts of the WebUI's pictures. Nothing leaves this machine.",
      identify: "Identify by hash",
      identifyHint:
        "Sends the SHA256 of unidentified files, and where needed of their tensors, to Civitai. Saves what it knows.",
      sync: "Search online",
      syncHint:
        "Sends the words below to the service and saves the cards found. Downloads no LoRA.",
      refine: "Describe better",
      refineHint: "Sends cards to the chat server of the settings and saves its descriptions.",
      caption: "Describe from pictures",
      captionHint:
        "Lets the WebUI's own {interrogators} look at the pictures of LoRAs whose cards say no more than a name, while the WebUI is idle. No picture leaves this machine.",
      captionDownload: "The WebUI downloads {interrogator} first: about {mb} MB from {site}{also}.",
      captionAlso: ", and {what}",
      and: " and ",
      countFirst: "Count them",
      wouldCaption: "{number} LoRAs would be described. Pictures to look at: {pictures}.",
      wouldCaptionOne: "1 LoRA would be described. Pictures to look at: {pictures}.",
      wouldCaptionNone: "There is nothing to describe.",
      probe: "Measure",
      probeHint:
        "Makes 36 small pictures with each LoRA that was not measured, while the WebUI is idle, and compares them. Nothing leaves this machine.",
      budget: "Dollars at most",
      onlyHere: "only what is on disk",
      estimate: "Estimate the cost",
      wouldCost: "{number} LoRAs would be described; {cost}. Nothing was sent.",
      wouldCostOne: "1 LoRA would be described; {cost}. Nothing was sent.",
      words: "Words",
      tagName: "Tag",
      most: "At most",
      from: "From",
    });

    /**
     * @param {"text" | "number"} type
     * @param {string} id
     * @param {ElementProps} props
     */
    function input(type, id, props) {
      return el("input", { type, class: "stylus-input", id, ...props });
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const line = stylus.statusLine({ id: "stylus_work_line" });

      /**
       * @param {string} name
       * @param {JobPayload} payload
       */
      const start = (name, payload) => stylus.startJob(line, name, payload);

      /**
       * A box with a job to start: a label, a hint, controls, and the button.
       * @param {string} label
       * @param {() => unknown} act
       * @param {Child[]} controls
       */
      function offer(label, act, ...controls) {
        return el(
          "fieldset",
          { class: "stylus-offer" },
          el("legend", {}, text(label)),
          el("p", { class: "stylus-hint" }, text(`${label}Hint`)),
          controls,
          button(text("startOne"), act, {
            id: `stylus_start_${label}`,
            aria: { label: `${text("startOne")}: ${text(label)}` },
          }),
        );
      }

      function offerSync() {
        const words = input("text", "stylus_sync_words", { maxlength: "200" });
        const tag = input("text", "stylus_sync_tag", { maxlength: "100" });
        const most = input("number", "stylus_sync_most", { min: "1", max: "10000", value: "200" });
        const source = stylus.select([
          ["civitai", "Civitai"],
          ["huggingface", "Hugging Face"],
        ]);
        source.id = "stylus_sync_source";
        const act = () =>
          start("sync", {
            source: source.value,
            query: words.value,
            tag: tag.value,
            top: Number(most.value) || 200,
          });
        return offer(
          "sync",
          act,
          field(text("from"), source),
          field(text("words"), words),
          field(text("tagName"), tag),
          field(text("most"), most),
        );
      }

      /** Hidden unless the engine has a chat server. */
      function offerRefine() {
        const most = input("number", "stylus_refine_most", {
          min: "1",
          max: "100000",
          value: "50",
        });
        const dollars = input("number", "stylus_refine_dollars", {
          min: "0",
          max: "1000",
          step: "0.1",
          value: "1",
        });
        const here = el("input", { type: "checkbox", id: "stylus_refine_here", checked: true });

        /** @param {boolean} dry_run */
        const payload = (dry_run) => ({
          most: Number(most.value) || 50,
          dollars: Number(dollars.value) || 0,
          on_disk: here.checked,
          dry_run,
        });

        async function estimate() {
          const started = await start("refine", payload(true));
          const job = started && (await attempt(line, () => stylus.followJob(started)));
          if (!job) return;
          if (job.result) {
            const { wanted, estimate: cost } = job.result;
            say(line, "wouldCost", {
              number: Number(wanted),
              cost: stylus.describeCost("estimated", cost),
            });
          } else {
            stylus.sayWords(line, job.error);
          }
        }

        return offer(
          "refine",
          () => start("refine", payload(false)),
          field(text("most"), most),
          field(text("budget"), dollars),
          el(
            "div",
            { class: "stylus-check" },
            here,
            el("label", { for: here.id }, text("onlyHere")),
          ),
          button(text("estimate"), estimate, { id: "stylus_estimate" }),
        );
      }

      /** Hidden unless the WebUI has interrogators. */
      function offerCaptions() {
        async function count() {
          const answer = await attempt(line, () => call("captions", { count: true }));
          if (!answer?.counts) return;
          const { adapters, pictures } = answer.counts;
          stylus.sayWords(
            line,
            stylus.countText("wouldCaption", adapters, { pictures: pictures.toLocaleString() }),
          );
        }

        const downloads = el("ul", { class: "stylus-hint", id: "stylus_caption_downloads" });
        const box = offer(
          "caption",
          () => start("caption", {}),
          downloads,
          button(text("countFirst"), count, { id: "stylus_count_captions" }),
        );
        box.id = "stylus_offer_caption";
        box.hidden = true;

        /** @param {Interrogator[]} interrogators */
        function show(interrogators) {
          box.hidden = !interrogators.length;
          const names = interrogators.map(({ title }) => title).join(text("and"));
          const hint = box.querySelector("p");
          if (hint) fill(hint, text("captionHint", { interrogators: names }));
          const lines = interrogators.flatMap(({ title, download }) =>
            download
              ? text("captionDownload", {
                  interrogator: title,
                  mb: download.mb,
                  site: download.site,
                  also: download.also && text("captionAlso", { what: download.also }),
                })
              : [],
          );
          fill(
            downloads,
            lines.map((words) => el("li", {}, words)),
          );
          downloads.hidden = !lines.length;
        }

        call("captions").then(
          ({ interrogators }) => show(interrogators),
          () => undefined,
        );
        return box;
      }

      const refine = offerRefine();
      refine.hidden = true;
      call("status").then(
        ({ engine_status }) => {
          const can = engine_status?.capabilities;
          refine.hidden = !(can?.operations.includes("refine") && can.composers.includes("chat"));
        },
        () => undefined,
      );
      fill(
        place,
        el(
          "div",
          { class: "stylus-offers" },
          offer("index", () => start("index", {})),
          offer("learn", () => start("index", { learn: true })),
          offer("identify", () => start("identify", {})),
          offerSync(),
          offerCaptions(),
          offer("probe", () => start("probe", {})),
          refine,
        ),
        line,
      );
    }

    stylus.sections.jobs = { label: "work", draw };
  },
});
