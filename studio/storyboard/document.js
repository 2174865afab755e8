/**
 * A storyboard as it is edited. Each scene has an `id` of its own, which survives moves and edits, and knows which
 * scene of the stored storyboard it came `from` (an index, or null). Edits return a new storyboard; nothing is changed
 * in place.
 */

const newId = () => crypto.randomUUID();

const EMPTY = { positive_prompt: "", negative_prompt: "" };

export const emptyScene = () => ({ id: newId(), from: null, narration: { text: "" }, image: EMPTY, video: EMPTY });

export const emptyStoryboard = () => ({ title: "", style: "", lexicon: "", scenes: [emptyScene()] });

/** The API's document, to be edited; parts may be missing. */
export function opened(document) {
  const scenes = document.scenes
    .map((scene, index) => ({ ...emptyScene(), ..._filled(scene), from: index }))
    .map((scene) => ({
      ...scene,
      image: { ...EMPTY, ..._filled(scene.image) },
      video: { ...EMPTY, ..._filled(scene.video) },
    }));
  return { title: document.title ?? "", style: document.style ?? "", lexicon: _lines(document.lexicon), scenes };
}

/** A lexicon as it is edited: lines such as "GIF = jif" and "Nguyen = /ŋwiən/". */
const _lines = (lexicon = {}) =>
  Object.entries(lexicon)
    .map(([word, said]) => `${word} = ${said.ipa ? `/${said.ipa}/` : said}`)
    .join("\n");

/** The API's lexicon. A line that says nothing is sent as it is, so that the API says what is allowed. */
export function closedLexicon(lines = "") {
  const entries = lines
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => {
      const [, word, said] = /^([^=]*)=?(.*)$/.exec(line).map((part) => part.trim());
      const [, ipa] = /^\/(.*)\/$/.exec(said) ?? [];
      return [word, ipa === undefined ? said : { ipa }];
    });
  return Object.fromEntries(entries);
}

/** The document to send. What is empty is left out, so the API says what is missing. */
export function closed({ title, style, lexicon, scenes }) {
  const words = closedLexicon(lexicon);
  return { title, style, scenes: scenes.map(closedScene), ...(Object.keys(words).length && { lexicon: words }) };
}

export function closedScene(scene) {
  const { narration, image, video, seconds, continues, meets_next, first_frame, last_frame, focal_point } = scene;
  const { clip, clip_start, picture, zoom, title, lower_third } = scene;
  const heard = narration?.text?.trim() || narration?.recording;
  const said = heard
    ? _filled({ ...narration, speed: _number(narration.speed), recording: _file(narration.recording) })
    : undefined;
  return _filled({
    narration: said,
    image: _prompts(image),
    video: _prompts(video),
    seconds: _number(seconds),
    continues,
    meets_next,
    first_frame: _file(first_frame),
    last_frame: _file(last_frame),
    focal_point,
    clip,
    clip_start,
    picture,
    zoom,
    title,
    lower_third: lower_third?.title?.trim() || lower_third?.subtitle?.trim() ? lower_third : undefined,
  });
}

/** What a scene shows that no engine renders, in words; null if an engine does. */
export function ownMaterial({ clip, clip_start, picture, zoom, title }) {
  if (title) return "A title card";
  if (picture) return zoom ? `Your picture, zooming ${zoom}` : "Your picture";
  if (clip) return clip_start ? `Your clip, from second ${clip_start}` : "Your clip";
  return null;
}

// A file that was just chosen, or one that the API has.
const _file = (file) => (file?.file_id ? { file_id: file.file_id } : file);

const _prompts = ({ negative_prompt, seed, ...prompts }) => ({
  ..._filled({ ...prompts, seed: _number(seed) }),
  negative_prompt: negative_prompt ?? "",
});

// A number as typed; what is none is sent as it is, so that the API says what is allowed.
const _number = (value) => (typeof value === "string" && value.trim() && !Number.isNaN(+value) ? +value : value);

function _filled(object) {
  const kept = ([, value]) => value !== "" && value !== null && value !== undefined && value !== false;
  return Object.fromEntries(Object.entries(object).filter(kept));
}

/** A comparable form of a storyboard, scene or part of one: equal texts mean equal films. */
export const fingerprint = (value) => JSON.stringify(value, (_, one) => _sorted(one));

function _sorted(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

export const sameDocument = (one, other) => fingerprint(closed(one)) === fingerprint(closed(other));

// --- edits

/** Set `path` ("title" or "image.positive_prompt") of the storyboard, or of the scene with `id`. */
export function withField(storyboard, id, path, value) {
  if (!id) return { ...storyboard, [path]: value };
  const [part, name] = path.split(".");
  const change = (scene) => ({ ...scene, [part]: name ? { ...scene[part], [name]: value } : value });
  return _withScenes(
    storyboard,
    storyboard.scenes.map((scene) => (scene.id === id ? change(scene) : scene)),
  );
}

export function withScene(storyboard, index, scene) {
  return _withScenes(storyboard, storyboard.scenes.toSpliced(index, 0, scene));
}

export function withoutScene(storyboard, index) {
  return _withScenes(storyboard, storyboard.scenes.toSpliced(index, 1));
}

export function withDuplicate(storyboard, index) {
  return withScene(storyboard, index + 1, { ...storyboard.scenes[index], id: newId() });
}

export function withMove(storyboard, from, to) {
  const scenes = storyboard.scenes.toSpliced(from, 1);
  return _withScenes(storyboard, scenes.toSpliced(to, 0, storyboard.scenes[from]));
}

/** The first scene continues nothing. A scene meets the next one only if there is one that starts anew. */
function _withScenes(storyboard, scenes) {
  const fitting = scenes.map((scene, index) => {
    const next = scenes[index + 1];
    const continues = index > 0 && scene.continues;
    const meets_next = next && !next.continues && scene.meets_next;
    return { ...scene, ...(scene.continues && { continues }), ...(scene.meets_next && { meets_next }) };
  });
  return { ...storyboard, scenes: fitting };
}
