// Making elements, finding those that a template made, and filling their texts.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Make an SVG element.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag @param {Record<string, string | number>} attributes @param {string} [text]
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}

/**
 * Return all descendants that a selector matches, of a type.
 * @template {Element} T @param {ParentNode} root @param {string} selector @param {new () => T} type
 */
export function all(root, selector, type) {
  return [...root.querySelectorAll(selector)].filter(/** @returns {element is T} */ (element) => element instanceof type);
}

/**
 * Return the first descendant that a selector matches. Throws where there is none of that type: template and script disagree.
 * @template {Element} T @param {ParentNode} root @param {string} selector @param {new () => T} type @returns {T}
 */
export function only(root, selector, type) {
  const element = root.querySelector(selector);
  if (element instanceof type) return element;
  throw new Error(`no ${type.name} at ${selector}`);
}

/** Fill the {names} of a text; those without a value stay. @param {string} pattern @param {Record<string, string | number>} values */
export function fill(pattern, values) {
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Return the JSON that an element's template carries, undefined where it has none. It is a template, since instant navigation would
 * run a script.
 * @param {Element} element @returns {unknown}
 */
export function carried(element) {
  const text = element.querySelector("template")?.content.textContent;
  return text ? JSON.parse(text) : undefined;
}
