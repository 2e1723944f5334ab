// One run at a time of work that may be asked for more often than it can be done.

/**
 * The result starts `work` at once; calls during a run cause one more run after it. A failure ends the run silently: the
 * next call tries again.
 * @param {() => Promise<void>} work
 * @returns {() => Promise<void>}
 */
export function coalesced(work) {
  let isRunning = false;
  let isWanted = false;
  return async () => {
    isWanted = true;
    if (isRunning) return;
    isRunning = true;
    try {
      while (isWanted) {
        isWanted = false;
        await work();
      }
    } catch {
      // The next event, poll or reconnection tries again.
    } finally {
      isRunning = false;
    }
  };
}
