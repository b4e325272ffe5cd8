// Rules for the page's scripts. Names that do not exist are TypeScript's to find (`npm run lint:types`).
import js from "@eslint/js";

/** Ways to turn text into markup or code; the page sets every text as text. */
const UNSAFE_PROPERTIES = ["innerHTML", "outerHTML", "srcdoc"];
const UNSAFE_CALLS = ["insertAdjacentHTML", "createContextualFragment", "setHTMLUnsafe"];

export default [
  js.configs.recommended,
  {
    files: ["javascript/**/*.js", "stylus_ext/**/*.js", "tests/browser/*.js"],
    languageOptions: { sourceType: "script", ecmaVersion: 2022 },
    rules: {
      "no-undef": "off",
      "array-callback-return": "error",
      complexity: ["error", 15],
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "max-lines": ["error", 400],
      "max-params": ["error", 5],
      "no-alert": "error",
      "no-await-in-loop": "off",
      "no-console": ["error", { allow: ["error"] }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-shadow": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      strict: ["error", "global"],
      "no-restricted-properties": [
        "error",
        { object: "document", property: "write", message: "Build elements with el()." },
        { object: "document", property: "cookie", message: "Nothing is stored in the browser." },
      ],
      "no-restricted-globals": [
        "error",
        "localStorage",
        "indexedDB",
        "XMLHttpRequest",
        "DOMParser",
      ],
      "no-restricted-syntax": [
        "error",
        ...UNSAFE_PROPERTIES.map((name) => ({
          selector: `MemberExpression[property.name="${name}"]`,
          message: `${name} would run markup. Build elements with el().`,
        })),
        ...UNSAFE_CALLS.map((name) => ({
          selector: `CallExpression[callee.property.name="${name}"]`,
          message: `${name} would run markup. Build elements with el().`,
        })),
        { selector: "ImportExpression", message: "The page loads nothing by itself." },
      ],
    },
  },
];
