// bertviz asks for its libraries through require.js. Both are on the page already, so this is all it takes.
{
  const page = /** @type {any} */ (window);
  /** @param {string[]} names @param {(...libraries: unknown[]) => void} use */
  page.requirejs = page.require = (names, use) => {
    /** @type {Record<string, unknown>} */
    const libraries = { jquery: page.jQuery, d3: page.d3 };
    use(...names.map((name) => libraries[name]));
  };
  page.require.config = () => {};
}
