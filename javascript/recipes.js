// @ts-check
/* Recipes section: prompts saved with their LoRAs; search, use, export and import. */
"use strict";

window.stylus ??= { files: [] };
window.stylus.files.push({
  name: "recipes",
  needs: ["core", "requests", "sections", "adapter"],
  start(stylus) {
    const { addTexts, text, el, fill, button, field, call, attempt, say } = stylus;

    addTexts({
      recipes: "Recipes",
      recipeName: "Name",
      recipePrompt: "Prompt",
      recipeNegative: "Negative prompt",
      fromPrompt: "Take the prompt of txt2img",
      newRecipe: "Save a recipe",
      newRecipeHint: "A prompt with the LoRAs that Stylus chooses for it.",
      replaces: "A recipe named {name} exists. Press Save again to replace it.",
      replacesSome:
        "Recipes with these names exist: {names}. Choose the file again to replace them.",
      choosing: "Choosing ...",
      nothingChosen: "No LoRA fits this prompt. Nothing was saved.",
      like: "Find by prompt",
      likeHint: "recipes for similar prompts come first",
      alike: "{share} % alike",
      use: "Use in {tab}",
      usedIn: "The recipe is in the prompt of {tab}.",
      usedNot: "Left out, as missing or unfit: {names}.",
      exportOne: "Export",
      exportAll: "Export all",
      importSome: "Import",
      importFile: "A file with recipes",
      notJson: "This file is not JSON.",
      deleteRecipe: "Delete",
      noRecipes: "No recipes yet.",
      missingHere: "not on disk",
    });

    const TYPING_PAUSE_MS = 200;
    const URL_LIFETIME_MS = 10_000;
    const TABS = ["txt2img", "img2img"];

    /**
     * A text box of the WebUI.
     * @param {string} tab
     * @param {"prompt" | "neg_prompt"} name
     * @returns {HTMLTextAreaElement | null}
     */
    function promptBox(tab, name) {
      return document.querySelector(`#${tab}_${name} textarea`);
    }

    /**
     * Saves JSON through the browser, under a name that every file system allows.
     * @param {string} name
     * @param {unknown} content
     */
    function downloadJson(name, content) {
      const json = `${JSON.stringify(content, null, 2)}\n`;
      const url = URL.createObjectURL(new Blob([json], { type: "application/json" }));
      const download = name.replace(/[^\p{L}\p{N} ._-]/gu, "_");
      el("a", { href: url, download }).click();
      setTimeout(() => URL.revokeObjectURL(url), URL_LIFETIME_MS);
    }

    /**
     * A recipe as it is exported.
     * @param {SavedRecipe} recipe
     * @returns {Recipe}
     */
    function exported(recipe) {
      /** @type {Partial<SavedRecipe> & Recipe} */
      const copy = { ...recipe };
      delete copy.on_disk;
      delete copy.alike;
      return copy;
    }

    /** @param {RecipeAdapter} adapter */
    function adapterName({ name, stem, key }) {
      return name || stem || key;
    }

    /**
     * @param {SavedRecipe} recipe
     * @param {{use(recipe: SavedRecipe, tab: string): void, remove(recipe: SavedRecipe): void}} acts
     */
    function drawRecipe(recipe, acts) {
      /** @param {string} name @param {TextValues} [values] */
      const labelled = (name, values) => ({
        aria: { label: `${text(name, values)}: ${recipe.name}` },
      });
      const { alike } = recipe;
      return el(
        "li",
        { class: "stylus-job", data: { recipe: recipe.name } },
        el(
          "div",
          { class: "stylus-row" },
          el("strong", { class: "stylus-name" }, recipe.name),
          recipe.family && el("span", { class: "stylus-badge" }, recipe.family),
          alike !== null &&
            el("span", { class: "stylus-hint" }, text("alike", { share: Math.round(100 * alike) })),
        ),
        el("p", { class: "stylus-wrap" }, recipe.prompt),
        el(
          "ul",
          {},
          recipe.adapters.map((adapter) =>
            el(
              "li",
              {},
              `${adapterName(adapter)} · ${adapter.weight}`,
              !recipe.on_disk.includes(adapter.key) && ` · ${text("missingHere")}`,
            ),
          ),
        ),
        el(
          "div",
          { class: "stylus-row" },
          TABS.map((tab) =>
            button(text("use", { tab }), () => acts.use(recipe, tab), {
              class: `stylus-button stylus-use-${tab}`,
              ...labelled("use", { tab }),
            }),
          ),
          button(
            text("exportOne"),
            () => downloadJson(`${recipe.name}.json`, exported(recipe)),
            labelled("exportOne"),
          ),
          button(text("deleteRecipe"), () => acts.remove(recipe), {
            class: "stylus-button stylus-delete",
            ...labelled("deleteRecipe"),
          }),
        ),
      );
    }

    /** @param {HTMLElement} place */
    function draw(place) {
      const line = stylus.statusLine({ id: "stylus_recipes_line" });
      const name = el("input", {
        type: "text",
        class: "stylus-input",
        id: "stylus_recipe_name",
        maxlength: "120",
      });
      const prompt = el("textarea", {
        rows: "3",
        class: "stylus-input",
        id: "stylus_recipe_prompt",
      });
      const negative = el("textarea", {
        rows: "1",
        class: "stylus-input",
        id: "stylus_recipe_negative",
      });
      const like = el("input", {
        type: "search",
        class: "stylus-input",
        id: "stylus_recipe_like",
        autocomplete: "off",
        on: { input: stylus.debounce(() => show(), TYPING_PAUSE_MS) },
      });
      const file = el("input", {
        type: "file",
        accept: ".json,application/json",
        class: "stylus-input",
        id: "stylus_recipe_file",
        on: { change: () => importFile() },
      });
      const list = el("ul", {
        class: "stylus-list",
        id: "stylus_recipes",
        "aria-label": text("recipes"),
      });
      /** @type {SavedRecipe[]} */
      let shown = [];
      let requests = 0;
      /** The act that was refused last because it would replace recipes. */
      let warnedOf = "";

      /**
       * Changes or searches the recipes, and shows the answer.
       * @param {object} payload
       */
      async function ask(payload) {
        const number = ++requests;
        const answer = await attempt(line, () => call("recipes", payload));
        if (!answer || number !== requests) return;
        if (answer.message) stylus.sayWords(line, answer.message);
        shown = answer.recipes;
        fill(
          list,
          shown.length
            ? shown.map((recipe) => drawRecipe(recipe, { use, remove }))
            : el("li", {}, text("noRecipes")),
        );
      }

      /** @returns {Promise<void>} */
      function show() {
        return ask(like.value.trim() ? { like: like.value } : {});
      }

      /**
       * Names that would be replaced; none when the same act is repeated after the warning.
       * @param {string[]} names
       * @param {string} act
       */
      function replacedNames(names, act) {
        const replaced = names.filter((one) => shown.some((recipe) => recipe.name === one));
        const repeated = warnedOf === act;
        warnedOf = replaced.length && !repeated ? act : "";
        return warnedOf ? replaced : [];
      }

      async function save() {
        const wanted = name.value.trim();
        if (replacedNames([wanted], `save ${wanted}`).length) {
          say(line, "replaces", { name: wanted });
          return;
        }
        say(line, "choosing");
        const texts = { prompt: prompt.value, negative: negative.value };
        const chosen = await attempt(line, () => call("choose", texts));
        if (!chosen) return;
        const { family, adapters, notes } = chosen;
        if (!adapters.length) {
          say(line, "nothingChosen");
          line.append(...notes.map((note) => ` ${note.text}`));
          return;
        }
        await ask({ keep: [{ version: 1, name: wanted, ...texts, family, adapters }] });
      }

      /**
       * @param {SavedRecipe} recipe
       * @param {string} tab
       */
      async function use(recipe, tab) {
        const { adapters } = recipe;
        const payload = { prompt: recipe.prompt, negative: recipe.negative, adapters };
        const answer = await attempt(line, () => call("apply_recipe", payload));
        if (!answer) return;
        stylus.write(promptBox(tab, "prompt"), answer.prompt);
        stylus.write(promptBox(tab, "neg_prompt"), answer.negative);
        const unused = adapters.filter(({ key }) => !answer.used.includes(key)).map(adapterName);
        say(line, "usedIn", { tab });
        if (unused.length) line.append(` ${text("usedNot", { names: unused.join(", ") })}`);
      }

      /** @param {SavedRecipe} recipe */
      function remove(recipe) {
        return ask({ forget: recipe.name });
      }

      async function importFile() {
        const chosen = file.files?.[0];
        if (!chosen) return;
        let content;
        try {
          content = JSON.parse(await chosen.text());
        } catch {
          line.classList.add("stylus-wrong");
          say(line, "notJson");
          return;
        } finally {
          file.value = "";
        }
        const recipes = Array.isArray(content) ? content : [content];
        const names = recipes.map((recipe) => recipe?.name);
        const replaced = replacedNames(names, `file ${chosen.name} ${chosen.size}`);
        if (replaced.length) say(line, "replacesSome", { names: replaced.join(", ") });
        else await ask({ keep: recipes });
      }

      function takePrompt() {
        prompt.value = promptBox("txt2img", "prompt")?.value ?? "";
        negative.value = promptBox("txt2img", "neg_prompt")?.value ?? "";
      }

      fill(
        place,
        el(
          "div",
          { class: "stylus-offers" },
          el(
            "fieldset",
            { class: "stylus-offer" },
            el("legend", {}, text("newRecipe")),
            el("p", { class: "stylus-hint" }, text("newRecipeHint")),
            field(text("recipeName"), name),
            field(text("recipePrompt"), prompt),
            field(text("recipeNegative"), negative),
            el(
              "div",
              { class: "stylus-row" },
              button(text("fromPrompt"), takePrompt, { id: "stylus_recipe_take" }),
              button(text("save"), save, {
                id: "stylus_recipe_save",
                class: "stylus-button stylus-primary",
              }),
            ),
          ),
          el(
            "fieldset",
            { class: "stylus-offer" },
            el("legend", {}, text("importSome")),
            field(text("importFile"), file),
            button(
              text("exportAll"),
              () => downloadJson("stylus-recipes.json", shown.map(exported)),
              { id: "stylus_recipe_export" },
            ),
          ),
        ),
        field(text("like"), like, text("likeHint")),
        line,
        list,
      );
      show();
      return show;
    }

    stylus.sections.recipes = { label: "recipes", draw };
  },
});
