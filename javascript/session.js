// @ts-check
/* Name of this window's preview session, by which the WebUI finds it again after a reload. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "session",
  needs: [],
  start() {
    const STORAGE_KEY = "stylus-session";
    /** Used where the browser refuses storage. */
    let current = "";

    function randomName() {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }

    /** @param {string} name */
    function keep(name) {
      current = name;
      try {
        sessionStorage.setItem(STORAGE_KEY, name);
      } catch {
        // The name lasts until the page is loaded again.
      }
    }

    function stored() {
      try {
        return sessionStorage.getItem(STORAGE_KEY);
      } catch {
        return null;
      }
    }

    const session = {
      /** @param {string} tab */
      name(tab) {
        keep(stored() || current || randomName());
        return `${current}.${tab}`;
      },

      /**
       * A duplicated window starts with the name of the first one: the first one answers, and the
       * new one takes another name.
       * @param {() => void} renamed
       */
      keepUnique(renamed) {
        if (!window.BroadcastChannel) return;
        const window_id = randomName();
        const channel = new BroadcastChannel(STORAGE_KEY);
        channel.onmessage = ({ data }) => {
          if (data.asks === session.name("")) {
            channel.postMessage({ taken: data.by });
          } else if (data.taken === window_id) {
            keep(randomName());
            renamed();
          }
        };
        channel.postMessage({ asks: session.name(""), by: window_id });
      },
    };

    return { session };
  },
});
