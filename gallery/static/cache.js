// A map that forgets.

/** Keeps values up to a total weight; the values longest unused are forgotten first, the newest never. @template T */
export class Cache {
  /** @type {Map<string, T>} */
  #values = new Map();

  /** @param {number} bound greatest total weight @param {(value: T) => number} weigh */
  constructor(bound, weigh) {
    this.bound = bound;
    this.weigh = weigh;
  }

  /** @param {string} key @returns {T | undefined} */
  get(key) {
    const value = this.#values.get(key);
    if (value !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, value);
    }
    return value;
  }

  /** @param {string} key @param {T} value */
  set(key, value) {
    this.#values.set(key, value);
    let total = 0;
    for (const kept of this.#values.values()) total += this.weigh(kept);
    for (const [old, kept] of this.#values) {
      if (total <= this.bound || old === key) break;
      this.#values.delete(old);
      total -= this.weigh(kept);
    }
  }
}
