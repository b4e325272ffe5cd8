// @ts-check
/* Keys section: API keys of the services, which can be set, tried and deleted but never read. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "keys",
  needs: ["core", "requests", "sections"],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, call, attempt, say } = stylus;

    addTexts({
      working: "Working ...",
      keys: "Keys",
      keysHint:
        "Keys are stored in a file that only you can read, are sent to their own address only, and are never shown again.",
      keyFor: "Key for {title}",
      keyThere: "A key for {url} is stored.",
      keyNone: "No key for {url}.",
      keyNowhere: "No address is set for it.",
      enter: "Save",
      forgetKey: "Delete",
      check: "Test",
    });

    /** @param {Key} key */
    function describeKey({ url, has_key }) {
      if (!url) return text("keyNowhere");
      return text(has_key ? "keyThere" : "keyNone", { url });
    }

    /**
     * @param {Key} key
     * @param {(payload: object) => void} ask
     */
    function drawKey(key, ask) {
      const { service, title, url, has_key } = key;
      const secret = el("input", {
        type: "password",
        class: "stylus-input",
        id: `stylus_key_${service}`,
        autocomplete: "off",
        spellcheck: "false",
      });

      /** @param {string} name */
      const labelled = (name) => ({ aria: { label: `${text(name)}: ${title}` } });

      /** Sends what was typed, and removes it from the page. */
      function enter() {
        const { value } = secret;
        secret.value = "";
        if (value) ask({ service, enter: value });
      }

      return el(
        "fieldset",
        { class: "stylus-offer", data: { service } },
        el("legend", {}, title),
        el("p", { class: "stylus-hint" }, describeKey(key)),
        field(text("keyFor", { title }), secret),
        el(
          "div",
          { class: "stylus-row" },
          button(text("enter"), enter, {
            id: `stylus_key_enter_${service}`,
            disabled: !url,
            ...labelled("enter"),
          }),
          button(text("check"), () => ask({ service, check: true }), {
            id: `stylus_key_check_${service}`,
            disabled: !url,
            ...labelled("check"),
          }),
          button(text("forgetKey"), () => ask({ service, forget: true }), {
            id: `stylus_key_forget_${service}`,
            disabled: !has_key,
            ...labelled("forgetKey"),
          }),
        ),
      );
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const line = stylus.statusLine({ id: "stylus_keys_line" });
      const rows = el("div", { class: "stylus-offers", id: "stylus_keys" });

      /** @param {{service?: string, enter?: string, check?: boolean, forget?: boolean}} payload */
      async function ask(payload) {
        if (payload.check) say(line, "working");
        const answer = await attempt(line, () => call("keys", payload));
        if (!answer) return;
        stylus.sayWords(line, answer.message);
        show(answer.keys);
      }

      /**
       * What was typed for other services stays.
       * @param {Key[]} keys
       */
      function show(keys) {
        const typed = new Map(
          [...rows.querySelectorAll("input")].map((input) => [input.id, input.value]),
        );
        fill(
          rows,
          keys.map((key) => drawKey(key, ask)),
        );
        for (const input of rows.querySelectorAll("input")) input.value = typed.get(input.id) ?? "";
      }

      fill(place, el("p", { class: "stylus-hint" }, text("keysHint")), line, rows);
      ask({});
    }

    stylus.sections.keys = { label: "keys", draw };
  },
});
