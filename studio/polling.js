/** Ask the API again and again, as rarely as it allows: more slowly while the page is hidden or the API is away. */

import { ApiError, pause } from "./api.js";

const HIDDEN_MS = 600_000; // a page that is shown again asks at once
const LONGEST_MS = 60_000;

/**
 * Call `ask` until `signal` aborts. `ask` returns the milliseconds until the next time, or null for the end.
 * `failed` hears of each ApiError; the next time is then later each time.
 */
export async function poll(ask, { signal, failed }) {
  let faults = 0;
  try {
    for (;;) {
      let next;
      try {
        next = await ask();
        faults = 0;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        failed(error);
        if (error.status === 401 || error.status === 404) return;
        next = Math.min(LONGEST_MS, 2_000 * 2 ** faults++);
      }
      if (next === null) return;
      await _until(document.hidden ? Math.max(next, HIDDEN_MS) : next, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Wait; a page that is shown again, or a network that is back, ends the wait. */
async function _until(ms, signal) {
  const early = new AbortController();
  const wake = () => document.hidden || early.abort();
  document.addEventListener("visibilitychange", wake);
  addEventListener("online", wake);
  try {
    await pause(ms, AbortSignal.any([signal, early.signal]));
  } catch {
    signal.throwIfAborted();
  } finally {
    document.removeEventListener("visibilitychange", wake);
    removeEventListener("online", wake);
  }
}
