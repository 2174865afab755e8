/** Two people changed one storyboard: what each changed, and the storyboard of what was chosen. */

import { closedScene, fingerprint } from "./document.js";

const print = (scene) => (scene ? fingerprint(closedScene(scene)) : null);

/**
 * Compare two storyboards that were made from `base`. Returns rows in the order of the film: {what, base, mine, theirs,
 * choice}. `what` is "title", "style", "lexicon" or "scene"; a version is null where there is no such scene. `choice` is
 * "mine" or "theirs" where only one changed something, "same", and null where a person must choose.
 */
export function compare(base, mine, theirs) {
  const texts = ["title", "style", "lexicon"].map((what) => {
    const of = (storyboard) => storyboard[what] ?? ""; // an older draft has no lexicon
    const versions = { base: of(base), mine: of(mine), theirs: of(theirs) };
    return { what, ...versions, choice: _choice(versions.base, versions.mine, versions.theirs) };
  });
  return [...texts, ..._scenes(base.scenes, mine.scenes, theirs.scenes)];
}

/** The storyboard that the choices make, as an edit of theirs. */
export function merged(rows, theirs) {
  const chosen = (row) => (row.choice === "mine" ? row.mine : row.theirs);
  const places = new Map(theirs.scenes.map((scene, index) => [scene, index]));
  const scenes = rows
    .filter((row) => row.what === "scene" && chosen(row))
    .map((row) => ({ ...chosen(row), id: (row.theirs ?? row.mine).id, from: places.get(row.theirs) ?? null }));
  const [title, style, lexicon] = rows.map(chosen);
  return { title, style, lexicon, scenes };
}

function _choice(base, mine, theirs) {
  if (mine === theirs) return "same";
  if (mine === base) return "theirs";
  return theirs === base ? "mine" : null;
}

function _scenes(base, mine, theirs) {
  const own = _first(mine.map(({ from }) => from));
  const other = _matches(base, theirs);
  const untouched = mine.length === base.length && own.every((from, index) => from === index);
  const rows = [];
  const [lead, leads, follow, follows] = untouched ? [theirs, other, mine, own] : [mine, own, theirs, other];
  const row = (from, led, followed) => {
    const [one, two] = untouched ? [followed, led] : [led, followed];
    const before = from === null ? null : base[from];
    return {
      what: "scene",
      base: before,
      mine: one ?? null,
      theirs: two ?? null,
      choice: _choice(print(before), print(one), print(two)),
    };
  };
  lead.forEach((scene, index) => {
    const from = leads[index];
    rows.push(row(from, scene, from === null ? null : follow[follows.indexOf(from)]));
  });
  // What only the other has comes behind what it follows there.
  follow.forEach((scene, index) => {
    if (follows[index] !== null && leads.includes(follows[index])) return;
    const before = index
      ? rows.findIndex((one) => one.mine === follow[index - 1] || one.theirs === follow[index - 1])
      : -1;
    rows.splice(before + 1, 0, row(follows[index], null, scene));
  });
  return rows;
}

/** A scene that was duplicated comes from its original once. */
function _first(origins) {
  return origins.map((from, index) => (from !== null && origins.indexOf(from) === index ? from : null));
}

/** For each scene of theirs, the index of the scene it was in `base`; null if it is new. */
function _matches(base, theirs) {
  const prints = base.map(print);
  const free = new Set(base.keys());
  const found = theirs.map(() => null);
  const match = (index, from) => {
    if (found[index] !== null || !free.has(from)) return;
    found[index] = from;
    free.delete(from);
  };
  theirs.forEach((scene, index) => print(scene) === prints[index] && match(index, index));
  theirs.forEach((scene, index) => {
    for (const from of free) if (print(scene) === prints[from]) match(index, from);
  });
  // A changed scene is still where it was: behind the same one.
  theirs.forEach((_, index) => match(index, index ? (found[index - 1] ?? -2) + 1 : 0));
  theirs.forEach((_, index) => theirs.length === base.length && match(index, index));
  return found;
}
