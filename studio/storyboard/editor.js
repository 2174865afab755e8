/** Edits a storyboard in place: its texts, and the order of its scenes, with undo. Two screens show it. */

import { html, nothing, repeat } from "../component.js";
import { checkField, choiceField, lineField, textField } from "../controls/field.js";
import "../controls/file_drop.js";
import { icon } from "../controls/icons.js";
import { LONGEST, MOST_SCENES, secondsToSpeak, spokenWords, wordsWithin } from "../text_limits.js";
import { counted } from "../video.js";
import * as documents from "./document.js";

const ONE_EDIT_MS = 3_000; // what is typed without a longer pause is undone at once
const MOST_UNDOS = 200;

export class StoryboardEditor {
  #host;
  #past = [];
  #future = [];
  #typing = { control: null, at: 0 };
  #focus = null; // what to focus once it is drawn
  #dragged = null; // the id of a scene
  #target = null; // {id, after}: where it would be dropped

  storyboard = documents.emptyStoryboard();
  /** What is wrong, by the id of the control. */
  faults = new Map();

  /** `edited` hears of each edit. */
  constructor(host, edited) {
    this.#host = host;
    this.edited = edited;
  }

  /** Listen for the keys of undo and redo while the host is on the page. */
  start() {
    const keys = (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
      if (event.target.closest?.("input, textarea, select, dialog") || this.readonly) return;
      event.preventDefault();
      event.shiftKey ? this.redo() : this.undo();
    };
    document.addEventListener("keydown", keys, { signal: this.#host.signal });
  }

  load(storyboard) {
    this.storyboard = storyboard;
    this.#past = [];
    this.#future = [];
    this.faults.clear();
    this.#host.changed();
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  undo() {
    this.#step(this.#past, this.#future, "Undone");
  }

  redo() {
    this.#step(this.#future, this.#past, "Done again");
  }

  #step(from, to, said) {
    if (!from.length) return;
    to.push(this.storyboard);
    this.#typing.control = null;
    this.#focus = document.activeElement?.id; // a scene that moves loses it
    this.storyboard = from.pop();
    this.faults.clear();
    this.announce(said);
    this.edited();
    this.#host.changed();
  }

  announce(detail) {
    this.#host.dispatchEvent(new CustomEvent("announce", { detail, bubbles: true }));
  }

  #replace(storyboard, said) {
    this.#past.push(this.storyboard);
    this.#past.splice(0, this.#past.length - MOST_UNDOS);
    this.#future = [];
    this.#typing.control = null;
    this.storyboard = storyboard;
    if (said) this.announce(said);
    this.edited();
    this.#host.changed();
  }

  #type(scene, path, value) {
    const control = controlId(scene, path);
    const storyboard = documents.withField(this.storyboard, scene?.id, path, value);
    this.faults.delete(control);
    const now = Date.now();
    if (this.#typing.control === control && now - this.#typing.at < ONE_EDIT_MS) {
      this.storyboard = storyboard;
      this.edited();
      this.#host.changed();
    } else {
      this.#replace(storyboard);
    }
    this.#typing = { control, at: now };
  }

  // --- scenes

  add(index = this.storyboard.scenes.length) {
    const scene = documents.emptyScene();
    this.#focus = controlId(scene, "narration.text");
    this.#replace(documents.withScene(this.storyboard, index, scene), `Scene ${index + 1} added`);
  }

  #remove(index) {
    const next = this.storyboard.scenes[index + 1] ?? this.storyboard.scenes[index - 1];
    this.#focus = controlId(next, "remove");
    this.#replace(documents.withoutScene(this.storyboard, index), `Scene ${index + 1} removed`);
  }

  #duplicate(index) {
    const storyboard = documents.withDuplicate(this.storyboard, index);
    this.#focus = controlId(storyboard.scenes[index + 1], "narration.text");
    this.#replace(storyboard, `Scene ${index + 1} duplicated`);
  }

  #move(from, to, action) {
    const last = this.storyboard.scenes.length - 1;
    if (to < 0 || to > last || from === to) return;
    const ended = (action === "up" && to === 0) || (action === "down" && to === last);
    if (action)
      this.#focus = controlId(this.storyboard.scenes[from], ended ? (action === "up" ? "down" : "up") : action);
    this.#replace(
      documents.withMove(this.storyboard, from, to),
      `Scene ${from + 1} is now scene ${to + 1} of ${last + 1}`,
    );
  }

  // --- what the API finds wrong

  /** Show an error of the API at its control. Returns the control's id, or null if no control has it. */
  fault({ param, message }, prefix = "") {
    const path = (param ?? "").replace(prefix, "");
    const [, index, name] = /^scenes\[(\d+)\]\.(.+)$/.exec(path) ?? [];
    const scene = this.storyboard.scenes[index];
    if (index && !scene) return null;
    const whole = ["title", "style", "scenes", "lexicon"].find((one) => path === one || path.startsWith(`${one}.`));
    const known = scene ? SCENE_CONTROLS.get(name) : whole;
    if (!known) return null;
    const control = controlId(scene, known);
    this.faults.set(control, message);
    return control;
  }

  /** Focus what an edit asked for. Call it once the host is drawn. */
  drawn() {
    if (!this.#focus) return;
    this.#host.querySelector(`[id="${this.#focus}"]`)?.focus();
    this.#focus = null;
  }

  // --- view

  /**
   * `engine` is a model of the API or undefined; `voices` and `characters` too. `shape` is [width, height]. `media`,
   * `marks` and `actions` return a template for a scene: its still, what becomes of it, and more buttons.
   */
  view({ engine, voices = [], characters = [], readonly = false, shape = [16, 9], media, marks, actions }) {
    this.readonly = readonly;
    const shown = { engine, voices, characters, readonly, shape, media, marks, actions };
    const { title, style, lexicon, scenes } = this.storyboard;
    const text = (path, label, options) =>
      textField({
        id: controlId(null, path),
        label,
        value: this.storyboard[path],
        fault: this.faults.get(controlId(null, path)),
        readonly,
        input: (value) => this.#type(null, path, value),
        ...options,
      });
    const fault = this.faults.get(controlId(null, "scenes"));
    return html`
      <div class="board-head">
        ${text("title", "Title", { most: LONGEST.title, rows: 1, value: title })}
        ${text("style", "Style that all scenes share", {
          most: LONGEST.prompt,
          rows: 1,
          value: style,
          optional: true,
          placeholder: "Soft watercolour; a girl of eight with a red scarf; low evening sun.",
        })}
      </div>
      ${fault ? html`<p class="fault" id=${controlId(null, "scenes")} tabindex="-1">${fault}</p>` : nothing}
      <ol class="board-scenes" @dragover=${(event) => this.#over(event)} @drop=${(event) => this.#drop(event)}>
        ${repeat(
          scenes,
          ({ id }) => id,
          (scene, index) => this.#scene(scene, index, shown),
        )}
      </ol>
      ${
        readonly
          ? nothing
          : html`<button type="button" class="add-scene" ?disabled=${scenes.length >= MOST_SCENES}
            @click=${() => this.add()}>
            ${icon("add")} Add a scene${scenes.length >= MOST_SCENES ? html` (${MOST_SCENES} are the most)` : nothing}
          </button>`
      }
      ${
        readonly && !lexicon
          ? nothing
          : text("lexicon", "Pronunciation, a word on each line", {
              rows: 2,
              value: lexicon,
              optional: true,
              placeholder: "GIF = jif",
              hint: "A word = what is said, or its /phonemes/. Captions keep the word.",
            })
      }`;
  }

  #scene(scene, index, { engine, voices, characters, readonly, media, marks, actions }) {
    const text = (path, label, options) => {
      const [part, name] = path.split(".");
      const id = controlId(scene, path);
      return textField({
        id,
        label,
        value: scene[part]?.[name] ?? "",
        fault: this.faults.get(id),
        readonly,
        input: (value) => this.#type(scene, path, value),
        ...options,
      });
    };
    const tokens = { most: LONGEST.prompt, rows: 4, tokens: engine?.prompt_tokens, shortened: true };
    const target = this.#target?.id === scene.id ? (this.#target.after ? "drop-after" : "drop-before") : "";
    const marked = marks?.(scene, index) ?? nothing;
    const own = documents.ownMaterial(scene);
    return html`
      <li class="board-scene ${target} ${this.#dragged === scene.id ? "dragged" : ""}" data-scene=${scene.id}>
        <div class="scene-head">
          ${
            readonly
              ? nothing
              : html`
            <span class="grip" draggable="true" title="Drag to move"
              @dragstart=${(event) => this.#drag(event, scene)}
                @dragend=${() => this.#dropped()}>${icon("grip")}</span>`
          }
          <h2>Scene ${index + 1}</h2>
          <div class="scene-marks">${marked}</div>
          <div class="scene-actions">
            ${actions?.(scene, index) ?? nothing}
            ${readonly ? nothing : this.#buttons(scene, index)}
          </div>
        </div>
        <div class="scene-parts">
          ${media ? html`<div class="scene-media">${media(scene, index)}</div>` : nothing}
          ${text("narration.text", "Narration", { most: LONGEST.narration, rows: 4, optional: true, more: _speech(scene) })}
          ${
            own
              ? this.#own(scene, own, text)
              : html`${text("image.positive_prompt", "Picture", tokens)}
                ${text("video.positive_prompt", "Motion", tokens)}`
          }
          <div class="scene-length">${this.#length(scene, readonly)}</div>
        </div>
        ${this.#more(scene, index, { text, engine, voices, characters, readonly })}
      </li>`;
  }

  #own(scene, own, text) {
    if (!scene.title) {
      return html`<div class="field" id=${controlId(scene, "shows")} tabindex="-1"><p class="quiet">${own}. No engine is asked for this scene.</p></div>`;
    }
    return html`
      ${text("title.text", "Title card", { most: LONGEST.title, rows: 2 })}
      ${text("title.subtitle", "Subtitle", { most: LONGEST.title, rows: 2, optional: true })}`;
  }

  #buttons(scene, index) {
    const { length } = this.storyboard.scenes;
    const button = (name, label, run, disabled) => html`
      <button type="button" class="plain icon" id=${controlId(scene, name)} ?disabled=${disabled}
        aria-label="${label} scene ${index + 1}" title=${label} @click=${run}>${icon(name)}</button>`;
    return html`
      ${button("up", "Move up", () => this.#move(index, index - 1, "up"), index === 0)}
      ${button("down", "Move down", () => this.#move(index, index + 1, "down"), index === length - 1)}
      ${button("copy", "Duplicate", () => this.#duplicate(index), length >= MOST_SCENES)}
      ${button("remove", "Remove", () => this.#remove(index), length === 1)}`;
  }

  #length(scene, readonly) {
    const id = controlId(scene, "seconds");
    const { text = "", speed, recording } = scene.narration ?? {};
    const needed = recording?.seconds ?? secondsToSpeak(text, speed || 1);
    const hint = scene.seconds
      ? undefined
      : needed
        ? `as its narration: about ${needed.toFixed(1)} s`
        : "as the film's length gives it";
    return lineField({
      id,
      label: "Seconds",
      value: scene.seconds ?? "",
      numeric: "decimal",
      readonly,
      hint,
      fault: this.faults.get(id),
      input: (value) => this.#type(scene, "seconds", value),
    });
  }

  #more(scene, index, { text, engine, voices, characters, readonly }) {
    const id = (path) => controlId(scene, path);
    const line = (path, label, options) => {
      const [part, name] = path.split(".");
      return lineField({
        id: id(path),
        label,
        value: scene[part]?.[name] ?? "",
        fault: this.faults.get(id(path)),
        optional: true,
        readonly,
        input: (value) => this.#type(scene, path, value),
        ...options,
      });
    };
    const choice = (path, label, choices) => {
      const [part, name] = path.split(".");
      return choiceField({
        id: id(path),
        label,
        value: scene[part]?.[name] ?? "",
        disabled: readonly,
        fault: this.faults.get(id(path)),
        input: (value) => this.#type(scene, path, value),
        choices,
      });
    };
    const speakers = _speakers(characters, scene.narration?.speaker);
    const check = (path, label, hint) =>
      checkField({
        id: id(path),
        label,
        value: scene[path],
        hint,
        disabled: readonly,
        fault: this.faults.get(id(path)),
        input: (value) => this.#type(scene, path, value),
      });
    const file = (path, label, taken, kind, name) => {
      const [part, inner] = path.split(".");
      const given = inner ? scene[part]?.[inner] : scene[part];
      const value = given && { name, ...given };
      if (!(value || taken) || readonly) return value ? html`<p class="small quiet">${label}: yours</p>` : nothing;
      return html`
        <div class="field">
          <span class="label">${label} <span class="quiet small">optional</span></span>
          <studio-file-drop id=${id(path)} tabindex="-1" .label="${label} of scene ${index + 1}" .kind=${kind}
            .pastes=${false}
            .value=${value} .fault=${this.faults.get(id(path)) ?? null}
            @file=${({ detail: { value: chosen, busy } }) => busy || this.#type(scene, path, chosen)}></studio-file-drop>
        </div>`;
    };
    const picture = (path, label, taken) => file(path, label, taken, "image", "Your picture");
    const next = this.storyboard.scenes[index + 1];
    const mayMeet = next && !next.continues && !documents.ownMaterial(next) && (engine?.last_image ?? "none") !== "none";
    const rendered = () => html`
      ${picture("first_frame", "First picture", (engine?.image ?? "none") !== "none" && !scene.continues)}
      ${picture("last_frame", "Last picture", (engine?.last_image ?? "none") !== "none" && !scene.meets_next)}
      ${line("image.seed", "Picture's seed", { numeric: "numeric" })}
      ${line("video.seed", "Motion's seed", { numeric: "numeric" })}
      ${text("image.negative_prompt", "Not in the picture", { most: LONGEST.prompt, rows: 2, optional: true })}
      ${text("video.negative_prompt", "Not in the motion", { most: LONGEST.prompt, rows: 2, optional: true })}
      ${index === 0 ? nothing : check("continues", "Starts from the last picture of the scene before")}
      ${
        mayMeet || scene.meets_next
          ? check("meets_next", "Ends on the first picture of the next scene", "Needs stills.")
          : nothing
      }`;
    return html`
      <details class="scene-more">
        <summary>More: voice, own pictures, what not to show, seeds</summary>
        <div class="scene-more-fields">
          ${
            speakers.length
              ? choice("narration.speaker", "Speaker", [["", "The narrator"], ...speakers])
              : nothing
          }
          ${choice("narration.voice", "Voice", [
            ["", scene.narration?.speaker ? "The speaker's" : "The film's"],
            ..._voices(voices, scene.narration?.voice),
          ])}
          ${line("narration.speed", "Speaking speed", { numeric: "decimal", hint: "0.5 to 2; by default 1" })}
          ${line("narration.language", "Language", { placeholder: "en-US" })}
          ${file("narration.recording", "Recording instead of a voice", true, "recording", "Your recording")}
          ${line("lower_third.title", "Lower third", { hint: "a name over the scene's first seconds" })}
          ${line("lower_third.subtitle", "Lower third's second line")}
          ${line("focal_point", "Kept in view where another shape crops it", {
            value: scene.focal_point ?? "",
            placeholder: "the film's",
            hint: "left, right, top, bottom, center, a corner such as top-left, or x,y from 0,0 to 1,1",
          })}
          ${documents.ownMaterial(scene) ? nothing : rendered()}
        </div>
      </details>`;
  }

  // --- drag

  #drag(event, scene) {
    this.#dragged = scene.id;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    const row = event.target.closest(".board-scene");
    event.dataTransfer.setDragImage(row, 20, 20);
    setTimeout(() => this.#host.changed()); // once the browser has drawn the row
  }

  #over(event) {
    const row = event.target.closest(".board-scene");
    if (!this.#dragged || !row) return;
    event.preventDefault();
    const { top, height } = row.getBoundingClientRect();
    const target = { id: row.dataset.scene, after: event.clientY > top + height / 2 };
    if (target.id === this.#target?.id && target.after === this.#target.after) return;
    this.#target = target;
    this.#host.changed();
  }

  #drop(event) {
    if (!this.#dragged || !this.#target) return;
    event.preventDefault();
    const place = (id) => this.storyboard.scenes.findIndex((scene) => scene.id === id);
    const from = place(this.#dragged);
    const before = place(this.#target.id) + (this.#target.after ? 1 : 0);
    this.#dropped();
    this.#move(from, before > from ? before - 1 : before);
  }

  #dropped() {
    this.#dragged = this.#target = null;
    this.#host.changed();
  }
}

// The path of each field in a document, and of its control.
const SCENE_CONTROLS = new Map([
  ["narration", "narration.text"],
  ["image", "image.positive_prompt"],
  ["video", "video.positive_prompt"],
  ...[
    "narration.text",
    "narration.speaker",
    "narration.voice",
    "narration.speed",
    "narration.language",
    "narration.recording",
    "image.positive_prompt",
    "image.seed",
    "image.negative_prompt",
    "video.positive_prompt",
    "video.seed",
    "video.negative_prompt",
    "seconds",
    "continues",
    "meets_next",
    "first_frame",
    "last_frame",
    "focal_point",
    "title.text",
    "title.subtitle",
    "lower_third.title",
    "lower_third.subtitle",
  ].map((path) => [path, path]),
  ["narration.recording.file_id", "narration.recording"],
  ["first_frame.file_id", "first_frame"],
  ["last_frame.file_id", "last_frame"],
  ["clip", "shows"],
  ["clip_start", "shows"],
  ["picture", "shows"],
  ["zoom", "shows"],
]);

/** The id of the control of a scene's field, or of the storyboard's. */
export const controlId = (scene, path) => `${scene ? `scene-${scene.id}` : "storyboard"}-${path.replace(".", "-")}`;

function _voices(voices, own) {
  const known = voices.map(({ id, language_name }) => [id, `${id} (${language_name})`]);
  return own && !voices.some(({ id }) => id === own) ? [...known, [own, own]] : known;
}

function _speakers(characters, own) {
  const known = characters.filter(({ voice }) => voice).map(({ name, voice }) => [name, `${name} (${voice})`]);
  return own && !known.some(([name]) => name === own) ? [...known, [own, own]] : known;
}

function _speech(scene) {
  const text = scene.narration?.text ?? "";
  const speed = +scene.narration?.speed || 1;
  const needed = secondsToSpeak(text, speed);
  if (!needed) return undefined;
  const said = `about ${needed.toFixed(1)} s`;
  const seconds = +scene.seconds;
  if (!seconds || needed <= seconds) return said;
  const over = Math.max(1, Math.ceil(spokenWords(text) - wordsWithin(seconds, speed)));
  return html`<strong class="bad">${said}, but the scene has ${seconds} s: about ${counted(over, "word")} too many</strong>`;
}
