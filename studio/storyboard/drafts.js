/** Unsaved edits of storyboards, kept in the browser: {writer, etag, base, mine} for each video. */

const PREFIX = "reelworks.draft.storyboard.";
const writer = crypto.randomUUID(); // this window, until it is refreshed

export function keptDraft(videoId) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + videoId) ?? "null");
  } catch {
    return null; // of another version of the studio
  }
}

/** Returns whether the browser had room. */
export function keepDraft(videoId, draft) {
  try {
    localStorage.setItem(PREFIX + videoId, JSON.stringify({ writer, ...draft }));
    return true;
  } catch {
    return false;
  }
}

/** Forget this window's draft; another window's stays, unless `all`. */
export function forgetDraft(videoId, { all = false } = {}) {
  if (all || keptDraft(videoId)?.writer === writer) localStorage.removeItem(PREFIX + videoId);
}
