/** Settings that most films leave alone: only those that the chosen engine takes. */

import { html, nothing } from "../component.js";
import { checkField, choiceField, lineField, textField } from "../controls/field.js";
import { LONGEST } from "../text_limits.js";
import { takes } from "./form.js";

const FITS = [
  ["", "Crop it"],
  ["contain", "Show all, with black bars"],
  ["blur", "Show all, with blurred bars"],
];
const FPS_MODES = [
  ["", "Repeat frames"],
  ["blend", "Blend frames"],
];
const TRANSITIONS = [
  ["", "Cut"],
  ["crossfade", "Crossfade"],
  ["fade", "Fade through black"],
  ["wipe", "Wipe"],
];
const MOODS = [
  ["", "None"],
  ...["calm", "dreamy", "uplifting", "playful", "tense", "sad", "epic", "driving"].map((mood) => [mood, mood]),
];
const CLIP_SOUNDS = [
  ["", "Lower it while someone speaks"],
  ["keep", "Always as loud"],
  ["drop", "Leave it out"],
];

const ON_WARNINGS = [
  ["", "Deliver the film"],
  ["retry_once", "Render clips that warn once more"],
  ["review", "Wait for me before it is delivered"],
];

export function advanced({ form, engine, engines, faults, input }) {
  const shown = (name, label, options) => ({
    id: `film-${name}`,
    label,
    value: form[name],
    fault: faults.get(`film-${name}`),
    input: (value) => input(name, value),
    ...options,
  });
  const when = (name, template) => (takes(engine, name) ? template : nothing);
  const number = (name, label, hint, placeholder = "") =>
    when(name, lineField(shown(name, label, { numeric: "decimal", hint, placeholder: String(placeholder ?? "") })));
  const choice = (name, label, choices, hint) => when(name, choiceField(shown(name, label, { choices, hint })));
  const speeds = [["", "The engine's"], ...(engine?.speeds ?? []).map((one) => [one, one])];
  const drafted = [["", "No other engine"], ...engines.filter(({ draft }) => !draft).map(({ id }) => [id, id])];
  const avoided = { most: LONGEST.prompt, tokens: engine?.prompt_tokens, rows: 2, optional: true };
  return html`
    <details class="card advanced">
      <summary>Advanced settings</summary>
      <div class="fields">
        ${number("seed", "Seed", "The same request and seed give the same film.")}
        ${number("steps", "Steps", "1 to 200", engine?.steps)}
        ${number("guidance", "Guidance", "How closely pictures follow the prompt, 1 to 20")}
        ${choice("speed", "Speed", speeds)}
        ${number("fps", "Frames per second", engine?.film_fps, engine?.fps[0])}
        ${choice("fit", "If the engine's picture has another shape", FITS)}
        ${choice("fps_mode", "If the engine's rate is another", FPS_MODES)}
        ${choice("draft_for", "Draft for", drafted, "Shows the crop or bars of that engine's film.")}
        ${choice("transition", "Transition between scenes", TRANSITIONS)}
        ${form.transition ? number("transition_seconds", "Transition, in seconds", "0.1 to 1", 0.5) : nothing}
        ${form.music ? nothing : choice("music_mood", "Music made for the film", MOODS, "Simple, and free to use")}
        ${form.music || form.music_mood ? music(number) : nothing}
        ${choice("clip_sound", "The clips' own sound", CLIP_SOUNDS)}
        ${choice("on_warning", "If the quality report warns", ON_WARNINGS)}
        <div class="whole-row">
          ${when("negative_prompt", textField(shown("negative_prompt", "What the pictures must not show", avoided)))}
        </div>
        <div class="whole-row">
          ${when(
            "loras",
            _loras(form.loras, faults.get("film-loras"), (value) => input("loras", value)),
          )}
          ${
            (form.music || form.music_mood) && form.way !== "prompt"
              ? when("cut_on_beats", checkField(shown("cut_on_beats", "Cut between scenes on the music's beats")))
              : nothing
          }
          ${when("stems", checkField(shown("stems", "Deliver narration, music and the clips' sound apart, too, as WAV")))}
          ${when("vision_check", checkField(shown("vision_check", "Ask a model that sees pictures whether clips show what is asked for")))}
          ${when("even_out", checkField(shown("even_out", "Even out steps of brightness and colour between clips")))}
        </div>
      </div>
    </details>`;
}

const music = (number) => html`
  ${number("music_level", "Music level, in dB", "Against speech, −40 to 0", -6)}
  ${number("music_start", "Start of the music, in seconds", "Where in it it begins", 0)}
  ${number("music_fade_in", "Music fades in, in seconds", "0 to 30", 0)}
  ${number("music_fade_out", "Music fades out, in seconds", "0 to 30", 3)}`;

const MOST_LORAS = 4;

function _loras(loras, fault, input) {
  const line = (lora, index, name, label, numeric) =>
    lineField({
      id: `lora-${index}-${name}`,
      label,
      value: lora[name],
      numeric,
      input: (value) => input(loras.with(index, { ...lora, [name]: value })),
    });
  return html`
    <fieldset class="field" id="film-loras" tabindex="-1">
      <legend>LoRA adapters</legend>
      ${loras.map(
        (lora, index) => html`
          <div class="lora">
            ${line(lora, index, "name", "Name")} ${line(lora, index, "scale", "Scale", "decimal")}
            <button type="button" aria-label="Remove adapter ${index + 1}"
              @click=${() => input(loras.toSpliced(index, 1))}>Remove</button>
          </div>`,
      )}
      <button type="button" ?disabled=${loras.length >= MOST_LORAS}
        @click=${() => input([...loras, { name: "", scale: "1" }])}>Add an adapter</button>
      ${fault ? html`<p class="fault">${fault}</p>` : nothing}
    </fieldset>`;
}
