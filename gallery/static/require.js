// bertviz asks for its libraries through require.js. Both are on the page already, so this is all it takes.
window.requirejs = window.require = (names, use) => {
  const libraries = { jquery: window.jQuery, d3: window.d3 };
  use(...names.map((name) => libraries[name]));
};
window.require.config = () => {};
