// API responses by name: requested when their parameters change or the page refreshes, and kept until a newer response
// arrives.

import {get} from "./api.js";

/** Stores the responses that the current page needs; calls `changed()` after each change. */
export class Store {
  constructor(changed) {
    this.changed = changed;
    this.entries = new Map();
    this.active = new Set();
    this.skew = 0;
  }

  /** The server's time, Unix seconds; for the records of a file, the time of the last record. */
  now() {
    return Math.floor((Date.now() + this.skew) / 1000);
  }

  /**
   * Returns the response with a name: `{data, error, isLoading, isStale, key}`; it is stale if its parameters differ
   * from the current ones.
   */
  entry(name) {
    return this.entries.get(name) ?? {data: null, error: null, isLoading: true, isStale: false};
  }

  /**
   * Makes one entry for each need, and requests the missing responses; with `refresh`, all of them.
   * @param {{name: string, path: string, params: object, isOnce?: boolean}[]} needs
   */
  ensure(needs, refresh = false) {
    const names = new Set(needs.map((need) => need.name));
    for (const [name, entry] of this.entries) {
      if (!names.has(name)) {
        entry.abort?.abort();
        if (!entry.data) this.entries.delete(name);
      }
    }
    const before = this.active;
    this.active = names;
    for (const need of needs) {
      const key = need.path + JSON.stringify(need.params);
      const entry = this.entries.get(need.name);
      // An entry that was not needed for a while, such as one of another page, may be old.
      const isOld = (!before.has(need.name) || (refresh && !entry?.isLoading)) && !need.isOnce;
      if (!entry || entry.key !== key || isOld) this.ask(need, key);
    }
  }

  ask(need, key) {
    const old = this.entries.get(need.name);
    old?.abort?.abort();
    const abort = new AbortController();
    const isStale = !!old && (old.key !== key || old.isStale);
    const entry =
      {key, abort, data: old?.data ?? null, error: old && old.key === key ? old.error : null, isLoading: true, isStale};
    this.entries.set(need.name, entry);
    this.changed();
    get(need.path, need.params, abort.signal)
      .then(
        (data) => this.settle(need.name, entry, {data, error: null, at: Date.now()}),
        (error) => {
          if (error.name !== "AbortError") this.settle(need.name, entry, {error});
        },
      );
  }

  settle(name, entry, result) {
    if (this.entries.get(name) !== entry) return;
    Object.assign(entry, result, {isLoading: false, abort: null});
    const now = result.data?.range?.now;
    // The server's time is in whole seconds, so small differences are ignored.
    if (now) this.skew = Math.abs(now * 1000 - Date.now()) > 3000 ? now * 1000 - Date.now() : 0;
    if (!result.error) entry.isStale = false;
    this.changed();
  }

  /** The first error of the needs that concerns the whole page (connection, permission), or null. */
  outage(needs) {
    for (const need of needs) {
      const error = this.entries.get(need.name)?.error;
      if (error && (error.kind === "connection" || error.kind === "permission")) return error;
    }
    return null;
  }

  /** The error about the filter, or null. */
  filterError(needs) {
    for (const need of needs) {
      const error = this.entries.get(need.name)?.error;
      if (error?.kind === "filter") return error;
    }
    return null;
  }
}
