/** What differs between the storyboards of two films. */

const LABELS = {
  "narration.text": "Narration",
  "narration.speaker": "Speaker",
  "narration.voice": "Voice",
  "narration.recording.sha256": "Recording",
  "narration.speed": "Speed of the voice",
  "narration.language": "Language",
  "image.positive_prompt": "Picture",
  "image.negative_prompt": "Not in the picture",
  "image.seed": "Seed of the picture",
  "video.positive_prompt": "Motion",
  "video.negative_prompt": "Not in the motion",
  "video.seed": "Seed of the motion",
  seconds: "Length in seconds",
  continues: "Continues the scene before",
  meets_next: "Meets the next scene",
  "first_frame.sha256": "First picture",
  "last_frame.sha256": "Last picture",
  "clip.sha256": "Your clip",
  clip_start: "Second of your clip at which it starts",
  "picture.sha256": "Your picture",
  zoom: "Zoom",
  "title.text": "Title card",
  "title.subtitle": "Title card's subtitle",
  "lower_third.title": "Lower third",
  "lower_third.subtitle": "Lower third's second line",
};

/**
 * Compare two storyboards. Returns what differs, in the order of the film: [{what, place: [in one, in other], fields}].
 * `what` is "film" or "scene"; a place is the scene's index, null where there is no such scene. `fields`:
 * [{label, values: [of one, of other]}], null where there is no such text.
 */
export function differences(one, other) {
  const texts = ({ title, style, lexicon }) => ({ title, style, lexicon });
  const whole = _fields(texts(one), texts(other));
  const rows = whole.length ? [{ what: "film", place: [null, null], fields: whole }] : [];
  for (const [left, right] of _pairs(one.scenes, other.scenes)) {
    const fields = _fields(one.scenes[left], other.scenes[right]);
    if (fields.length) rows.push({ what: "scene", place: [left ?? null, right ?? null], fields });
  }
  return rows;
}

function _fields(one, other) {
  const [before, after] = [_flat(one), _flat(other)];
  return [...new Set([...Object.keys(LABELS), ...Object.keys(before), ...Object.keys(after)])]
    .filter((path) => before[path] !== after[path])
    .map((path) => ({ label: LABELS[path] ?? _words(path), values: [before[path] ?? null, after[path] ?? null] }));
}

/** {"narration.text": …}, of a scene. */
function _flat(value, path = "") {
  if (value === undefined || value === null || value === "") return {};
  if (typeof value !== "object") return { [path]: value };
  return Object.assign({}, ...Object.entries(value).map(([name, part]) => _flat(part, path ? `${path}.${name}` : name)));
}

const _words = (path) => path.charAt(0).toUpperCase() + path.slice(1).replaceAll(/[._]/g, " ");

/** Pair scenes: the same ones in the longest order that both have, and between those one by one. */
function _pairs(one, other) {
  const [left, right] = [one, other].map((scenes) => scenes.map((scene) => JSON.stringify(_flat(scene))));
  const longest = Array.from({ length: left.length + 1 }, () => Array(right.length + 1).fill(0));
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      longest[i][j] = left[i] === right[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  let [ones, others] = [[], []]; // since the last pair of the same
  const paired = () => {
    for (let k = 0; k < Math.max(ones.length, others.length); k++) pairs.push([ones[k], others[k]]);
    [ones, others] = [[], []];
  };
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      paired();
      pairs.push([i++, j++]);
    } else if (j === right.length || (i < left.length && longest[i + 1][j] >= longest[i][j + 1])) {
      ones.push(i++);
    } else {
      others.push(j++);
    }
  }
  paired();
  return pairs;
}
