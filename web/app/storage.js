// Values in localStorage and sessionStorage, as JSON. A browser that refuses storage (private modes, full disks) only
// forgets: no function here throws.

/**
 * @param {Storage} area
 * @param {string} key
 * @returns {any} The value; null if there is none or it is damaged.
 */
export function load(area, key) {
  try {
    return JSON.parse(area.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Stores a value; null removes it.
 * @param {Storage} area
 * @param {string} key
 * @param {unknown} value
 */
export function save(area, key, value) {
  try {
    if (value === null) area.removeItem(key);
    else area.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden; the value lives on in memory.
  }
}
