// bertviz asks for its libraries through require.js. Both are on the page already, so this is all it takes.
{
  /** @typedef {(names: string[], use: (...libraries: unknown[]) => void) => void} Require */
  const page = /** @type {Window & { jQuery?: unknown, d3?: unknown, require?: Require & { config: () => void }, requirejs?: Require }} */ (window);
  /** @type {Require} */
  const require = (names, use) => {
    /** @type {Record<string, unknown>} */
    const libraries = { jquery: page.jQuery, d3: page.d3 };
    use(...names.map((name) => libraries[name]));
  };
  page.requirejs = page.require = Object.assign(require, { config: () => {} });
}
