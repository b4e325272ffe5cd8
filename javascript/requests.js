// @ts-check
/* Requests to the WebUI at /stylus/v1/ui/<name>, and the page's token that they carry. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "requests",
  needs: ["core"],
  start({ addTexts, text, pressUntil }) {
    addTexts({
      noAnswer: "The WebUI does not answer. Is it still running?",
      noPage: "The WebUI refused the request. Reload the page.",
    });

    /** A request that failed: HTTP status (0 without an answer), a stable code, and a message. */
    class RequestError extends Error {
      /**
       * @param {number} status
       * @param {string} code
       * @param {string} message
       */
      constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
      }
    }

    // ---- The page's token

    /** Tabs that have a hidden button which fetches a token through gradio. */
    const TABS = ["tab", "txt2img", "img2img"];

    let currentToken = "";
    /** The token being fetched, shared by all requests that wait. @type {Promise<string> | null} */
    let pending = null;
    /** @type {((answer: string) => void) | null} */
    let resolvePending = null;

    function tokenButton() {
      const buttons = TABS.map((tab) => document.getElementById(`stylus_${tab}_page`));
      return buttons.find(Boolean) ?? null;
    }

    /** Presses the hidden button until gradio brings an answer. @returns {Promise<string>} */
    function fetchToken() {
      return new Promise((resolve) => {
        /** @param {string} answer */
        const finish = (answer) => {
          pending = resolvePending = null;
          currentToken = /^[\w-]{20,}$/.test(answer) ? answer : "";
          resolve(currentToken);
        };
        resolvePending = finish;
        const isDone = () => resolvePending !== finish;
        pressUntil(tokenButton, isDone).then(() => {
          if (!isDone()) finish("");
        });
      });
    }

    const page = {
      /** The page's token; empty where the WebUI gives none. */
      token(renew = false) {
        if (currentToken && !renew) return Promise.resolve(currentToken);
        pending ??= fetchToken();
        return pending;
      },

      /**
       * Called by gradio with a token, or with the reason why there is none.
       * @param {string} answer
       */
      receive(answer) {
        if (answer) resolvePending?.(answer);
      },
    };

    // ---- Requests

    /**
     * @param {string} name
     * @param {object} payload
     * @param {string} token
     * @param {AbortSignal} [signal]
     */
    async function send(name, payload, token, signal) {
      try {
        return await fetch(`./stylus/v1/ui/${name}`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-Stylus-Page": token },
          body: JSON.stringify(payload),
          signal: signal ?? null,
          cache: "no-store",
        });
      } catch (error) {
        if (error instanceof DOMException && error.name === "AbortError") throw error;
        throw new RequestError(0, "away", text("noAnswer"));
      }
    }

    /**
     * Sends a request, once more with a new token where the first was refused.
     * @param {string} name
     * @param {object} payload
     * @param {AbortSignal} [signal]
     */
    async function request(name, payload, signal) {
      let response = await send(name, payload, await page.token(), signal);
      if (response.status === 401 || response.status === 403) {
        const token = await page.token(true);
        if (token) response = await send(name, payload, token, signal);
      }
      if (response.ok) return response;
      const error = (await response.json().catch(() => ({}))).error || {};
      throw new RequestError(
        response.status,
        error.code || "failed",
        error.message || text("noPage"),
      );
    }

    /**
     * The WebUI's answer as JSON; throws a RequestError where it has none.
     * @template {keyof Answers} K
     * @param {K} name
     * @param {object} payload
     * @param {{signal?: AbortSignal}} options
     * @returns {Promise<Answers[K]>}
     */
    async function call(name, payload = {}, { signal } = {}) {
      return (await request(name, payload, signal)).json();
    }

    /**
     * The WebUI's answer as a file.
     * @param {string} name
     * @param {object} payload
     */
    async function callFile(name, payload) {
      return (await request(name, payload)).blob();
    }

    return { page, call, callFile };
  },
});
