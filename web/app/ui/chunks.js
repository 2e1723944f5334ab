// Groups of list items that stay the same while the list grows at either end, so that only new groups are rendered.

/** Items a group has at most when it is made: a page. */
const SIZE = 20;

/** @typedef {{ key: number, ids: string[], start: number }} Chunk `start` is the position of its first item, from 1. */

export class Chunks {
  /** @type {Map<string, number>} */
  #keys = new Map();
  /** @type {Map<number, string[]>} */
  #held = new Map();
  #lastKey = 0;

  /**
   * Groups the items; an unchanged group has the same array as before.
   * @param {string[]} ids
   * @returns {Chunk[]}
   */
  group(ids) {
    /** @type {Chunk[]} */
    const chunks = [];
    const oldest = this.#lastKey;
    ids.forEach((id, index) => {
      const current = chunks.at(-1);
      const key = this.#keys.get(id) ?? this.#assign(ids, index, current, oldest);
      if (current?.key === key) current.ids.push(id);
      else chunks.push({ key, ids: [id], start: index + 1 });
    });
    return chunks.map((chunk) => ({ ...chunk, ids: this.#same(chunk) }));
  }

  /**
   * @param {string[]} ids @param {number} index @param {Chunk | undefined} current
   * @param {number} oldest Keys above it were made in this call.
   */
  #assign(ids, index, current, oldest) {
    const known = ids.slice(index).find((id) => this.#keys.has(id));
    const isInside = current !== undefined && known !== undefined && this.#keys.get(known) === current.key;
    const isOpen = current !== undefined && current.key > oldest && current.ids.length < SIZE;
    const key = isInside || isOpen ? current.key : (this.#lastKey += 1);
    this.#keys.set(/** @type {string} */ (ids[index]), key);
    return key;
  }

  /** @param {Chunk} chunk */
  #same({ key, ids }) {
    const held = this.#held.get(key);
    if (held?.length === ids.length && held.every((id, index) => id === ids[index])) return held;
    this.#held.set(key, ids);
    return ids;
  }
}
