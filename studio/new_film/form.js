/** What the form of a new film holds, how it is kept until it is sent, and the request that it makes. */

import { closed, emptyStoryboard } from "../storyboard/document.js";

const KEPT = "reelworks.draft.new_film";

const OF_CAPTIONS = [
  "caption_style",
  "caption_position",
  "caption_size",
  "caption_colour",
  "caption_outline",
  "caption_outline_width",
  "caption_font",
];

/** Values are as typed; "" is the API's default. */
export const emptyForm = () => ({
  way: "prompt",
  prompt: "",
  enhance: true,
  enhanced: null, // {given, prompt, by, note}: the text model's, as edited
  use: "given", // or "enhanced"
  topic: "",
  tone: "",
  scenes: "4",
  storyboard: emptyStoryboard(),
  narrate: false,
  model: "",
  shape: "",
  size: "",
  shapes: [],
  shapes_fit: "",
  focal_point: "",
  seconds: "",
  language: "",
  voice: "",
  voice_engine: "",
  speech_speed: "",
  captions: true,
  burn_captions: false,
  caption_style: "",
  caption_position: "",
  caption_size: "",
  caption_colour: "",
  caption_outline: "",
  caption_outline_width: "",
  caption_font: "",
  stills: "",
  input_reference: null,
  last_frame: null,
  music: null,
  characters: [],
  review_storyboard: true,
  review_previews: true,
  max_cost: "",
  negative_prompt: "",
  seed: "",
  steps: "",
  guidance: "",
  speed: "",
  fps: "",
  fit: "",
  fps_mode: "",
  draft_for: "",
  transition: "",
  transition_seconds: "",
  even_out: false,
  music_mood: "",
  cut_on_beats: false,
  music_level: "",
  music_start: "",
  music_fade_in: "",
  music_fade_out: "",
  clip_sound: "",
  stems: false,
  on_warning: "",
  vision_check: false,
  loras: [],
  sent: null, // {key, body}: what was sent without an answer
});

export function keptForm() {
  try {
    return { ...emptyForm(), ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  } catch {
    return emptyForm(); // of another version of the studio
  }
}

/** Returns whether the browser had room. */
export function keepForm(form) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(form));
    return true;
  } catch {
    return false;
  }
}

export const forgetForm = () => localStorage.removeItem(KEPT);

/** Whether a model of the API takes a field of a create. */
export function takes(engine, name) {
  if (!engine) return true;
  if (engine.refuses.includes(name)) return false;
  if (name === "input_reference" || name === "stills") return engine.image !== "none";
  if (name === "last_frame") return engine.last_image !== "none";
  if (name === "speed") return engine.speeds.length > 0;
  if (name === "loras") return engine.loras;
  if (name === "clip_sound") return engine.sound;
  if (name === "steps" || name === "guidance") return engine.steps !== null;
  return name !== "draft_for" || engine.draft;
}

/** The text that the film is of; without it there is nothing to ask. */
export function subject(form) {
  if (form.way === "storyboard") {
    const { title, scenes } = form.storyboard;
    return title + scenes.map(({ image, video }) => image.positive_prompt + video.positive_prompt).join("");
  }
  return form.way === "prompt" && form.use === "enhanced" ? form.enhanced.prompt : form[form.way];
}

/** The body of `POST /v1/videos`. Fields at their defaults, and those that the engine doesn't take, are left out. */
export function requestOf(form, engine) {
  const body = form.way === "prompt" ? _prompt(form) : _scenes(form);
  const given = (name, value = form[name]) => {
    if (value !== "" && value !== null && value !== false && takes(engine, name)) body[name] = value;
  };
  for (const name of [
    "model",
    "seconds",
    "max_cost",
    "negative_prompt",
    "seed",
    "steps",
    "guidance",
    "speed",
    "fps",
    "fit",
    "fps_mode",
    "draft_for",
    "transition",
    "even_out",
    "clip_sound",
    "stems",
    "on_warning",
    "vision_check",
  ])
    given(name);
  if (form.transition) given("transition_seconds");
  if (!form.music) given("music_mood");
  if (form.music || form.music_mood) {
    for (const name of ["music_level", "music_start", "music_fade_in", "music_fade_out"]) given(name);
    if (form.way !== "prompt") given("cut_on_beats");
  }
  if (form.shape === "other") given("size");
  else given("aspect", form.shape);
  if (form.shapes.length) {
    body.shapes = form.shapes.map((aspect) => (form.shapes_fit ? { aspect, fit: form.shapes_fit } : aspect));
    if (!form.shapes_fit) given("focal_point");
  }
  for (const name of ["input_reference", "last_frame", "music"])
    if (form[name]) given(name, { file_id: form[name].file_id });
  if (form.characters.length)
    given(
      "characters",
      form.characters.map((id) => ({ id })),
    );
  const loras = form.loras.filter(({ name }) => name.trim());
  if (loras.length)
    given(
      "loras",
      loras.map(({ name, scale }) => ({ name: name.trim(), scale: _number(scale) })),
    );
  return body;
}

function _prompt(form) {
  if (form.use === "enhanced") return { prompt: form.enhanced.prompt, enhance: false };
  return { prompt: form.prompt, enhance: form.enhance };
}

function _scenes(form) {
  const body =
    form.way === "topic" ? { topic: form.topic } : { storyboard: closed(form.storyboard), narrate: form.narrate };
  const review = ["storyboard", "previews"].filter((gate) => form[`review_${gate}`]);
  if (review.length) body.review = review;
  const names = ["language", "stills"];
  if (form.way === "topic") names.push("tone", "scenes");
  if (speaks(form)) names.push("voice", "voice_engine", "speech_speed", "captions", "burn_captions");
  if (speaks(form) && (form.captions || form.burn_captions)) names.push(...OF_CAPTIONS);
  for (const name of names) if (form[name] !== "" && form[name] !== false) body[name] = form[name];
  return body;
}

/** Whether the film has narration, so that a voice and captions make sense. */
export const speaks = (form) =>
  form.way === "topic" || form.narrate || form.storyboard.scenes.some(({ narration }) => narration?.text?.trim());

const _number = (value) => (String(value).trim() && !Number.isNaN(+value) ? +value : value);
