// @ts-check
/* The functions of the WebUI's script.js that extensions use. */
"use strict";

(() => {
  /** @type {(() => void)[]} */
  const loaded = [];
  /** @type {(() => void)[]} */
  const updated = [];
  let isLoaded = false;
  let timer = 0;

  window.onUiLoaded = (callback) => loaded.push(callback);
  window.onAfterUiUpdate = (callback) => updated.push(callback);

  function changed() {
    if (!isLoaded && document.getElementById("txt2img_prompt")) {
      isLoaded = true;
      for (const callback of loaded) callback();
    }
    clearTimeout(timer);
    timer = setTimeout(() => updated.forEach((callback) => callback()), 200);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const app = document.querySelector("gradio-app") || document;
    new MutationObserver(changed).observe(app, { childList: true, subtree: true });
  });
})();
