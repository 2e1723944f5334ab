// A list that is read page by page.
import { batch, computed, signal } from "@preact/signals";

/** @import { Page } from "../../types/model.d.ts" */

/**
 * Items in the service's order, each once: pages are followed by their cursor, so what others add at the top neither
 * repeats nor hides an item below.
 * @template T
 */
export class PagedList {
  /** @type {import("@preact/signals").Signal<T[]>} */
  items = signal(/** @type {T[]} */ ([]));
  /** @type {import("@preact/signals").Signal<"idle" | "loading" | "failed">} */
  phase = signal(/** @type {"idle" | "loading" | "failed"} */ ("idle"));
  /** @type {import("@preact/signals").Signal<unknown>} */
  error = signal(null);
  /** Whether the first page has been read. */
  isLoaded = signal(false);
  /** @type {import("@preact/signals").Signal<string | null>} */
  cursor = signal(/** @type {string | null} */ (null));
  isComplete = computed(() => this.isLoaded.value && this.cursor.value === null);
  /** Incremented by each reload, so that pages of an earlier life are ignored. */
  #life = 0;

  /**
   * @param {(cursor: string | null) => Promise<Page<T>>} read
   * @param {(item: T) => string} keyOf
   */
  constructor(read, keyOf) {
    this.read = read;
    this.keyOf = keyOf;
  }

  /** Reads the next page, unless one is being read or none follows. */
  async more() {
    if (this.phase.value === "loading" || this.isComplete.value) return;
    const life = this.#life;
    this.phase.value = "loading";
    try {
      const page = await this.read(this.cursor.value);
      if (life === this.#life) this.#append(page);
    } catch (error) {
      if (life === this.#life) this.#fail(error);
    }
  }

  /** Replaces the list by its first page; the old items stay until that has been read. */
  async reload() {
    const life = (this.#life += 1);
    this.phase.value = "loading";
    try {
      const page = await this.read(null);
      if (life === this.#life) this.replace(page);
    } catch (error) {
      if (life === this.#life) this.#fail(error);
    }
  }

  /** @param {Page<T>} page */
  replace(page) {
    this.#life += 1;
    batch(() => {
      this.items.value = [];
      this.#append(page);
    });
  }

  /**
   * Adds items at the top, newest first.
   * @param {T[]} items
   */
  prepend(items) {
    const added = this.#unknown(items);
    if (added.length > 0) this.items.value = [...added, ...this.items.value];
  }

  /** @param {string} key */
  remove(key) {
    this.items.value = this.items.value.filter((item) => this.keyOf(item) !== key);
  }

  /** @param {string} key */
  has(key) {
    return this.items.value.some((item) => this.keyOf(item) === key);
  }

  /**
   * Brings a list from before a reload up to date: the first page replaces what it covers, and the rest stays, so that the
   * user's place is kept. A failure leaves the list as it is.
   */
  async refresh() {
    const life = this.#life;
    const page = await this.read(null).catch(() => null);
    if (!page || life !== this.#life) return;
    const last = page.items.at(-1);
    const end = last ? this.items.value.findIndex((item) => this.keyOf(item) === this.keyOf(last)) : -1;
    if (end < 0 || page.next_cursor === null) this.replace(page);
    else this.items.value = [...page.items, ...this.items.value.slice(end + 1)];
  }

  /** Forgets all items, as before the first page. */
  clear() {
    this.#life += 1;
    batch(() => {
      this.items.value = [];
      this.cursor.value = null;
      this.isLoaded.value = false;
      this.phase.value = "idle";
      this.error.value = null;
    });
  }

  /** The list as JSON, to continue after a reload of the page. */
  snapshot() {
    return this.isLoaded.value ? { items: this.items.value, cursor: this.cursor.value } : null;
  }

  /** @param {{ items: T[], cursor: string | null } | null} snapshot */
  restore(snapshot) {
    if (!snapshot) return false;
    this.replace({ items: snapshot.items, next_cursor: snapshot.cursor });
    return true;
  }

  /** @param {Page<T>} page */
  #append(page) {
    batch(() => {
      this.items.value = [...this.items.value, ...this.#unknown(page.items)];
      this.cursor.value = page.next_cursor;
      this.isLoaded.value = true;
      this.phase.value = "idle";
      this.error.value = null;
    });
  }

  /** @param {unknown} error */
  #fail(error) {
    batch(() => {
      this.phase.value = "failed";
      this.error.value = error;
    });
  }

  /** @param {T[]} items */
  #unknown(items) {
    const known = new Set(this.items.value.map(this.keyOf));
    return items.filter((item) => !known.has(this.keyOf(item)));
  }
}
