/** Settings that most films leave alone: only those that the chosen engine takes. */

import { html, nothing } from "../component.js";
import { checkField, choiceField, lineField, textField } from "../controls/field.js";
import { LONGEST } from "../text_limits.js";
import { takes } from "./form.js";

export function advanced({ form, engine, engines, faults, input }) {
  const shown = (name, label, options) => ({
    id: `film-${name}`, label, value: form[name], fault: faults.get(`film-${name}`),
    input: (value) => input(name, value), ...options,
  });
  const when = (name, template) => (takes(engine, name) ? template : nothing);
  return html`
    <details class="card advanced">
      <summary>Advanced settings</summary>
      <div class="fields">
        ${when("seed", lineField(shown("seed", "Seed", { numeric: "numeric", hint: "The same request and seed give the same film." })))}
        ${when("steps", lineField(shown("steps", "Steps", { numeric: "numeric", placeholder: String(engine?.steps ?? ""), hint: "1 to 200" })))}
        ${when("guidance", lineField(shown("guidance", "Guidance", { numeric: "decimal", hint: "How closely pictures follow the prompt, 1 to 20" })))}
        ${when("speed", choiceField(shown("speed", "Speed", { choices: [["", "The engine’s"], ...(engine?.speeds ?? []).map((one) => [one, one])] })))}
        ${when("fps", lineField(shown("fps", "Frames per second", { numeric: "numeric", placeholder: String(engine?.fps[0] ?? ""), hint: engine?.film_fps })))}
        ${when("fit", choiceField(shown("fit", "If the engine’s picture has another shape", {
          choices: [["", "Crop it"], ["contain", "Show all, with black bars"], ["blur", "Show all, with blurred bars"]],
        })))}
        ${when("fps_mode", choiceField(shown("fps_mode", "If the engine’s rate is another", {
          choices: [["", "Repeat frames"], ["blend", "Blend frames"]],
        })))}
        ${when("draft_for", choiceField(shown("draft_for", "Draft for", {
          hint: "Shows the crop or bars of that engine’s film.",
          choices: [["", "No other engine"], ...engines.filter(({ draft }) => !draft).map(({ id }) => [id, id])],
        })))}
        ${when("transition", choiceField(shown("transition", "Transition between scenes", {
          choices: [["", "Cut"], ["crossfade", "Crossfade"], ["fade", "Fade through black"], ["wipe", "Wipe"]],
        })))}
        ${form.transition ? lineField(shown("transition_seconds", "Transition, in seconds", { numeric: "decimal", placeholder: "0.5", hint: "0.1 to 1" })) : nothing}
        ${when("negative_prompt", html`<div class="whole-row">${textField(shown("negative_prompt", "What the pictures must not show", {
          most: LONGEST.prompt, tokens: engine?.prompt_tokens, rows: 2, optional: true,
        }))}</div>`)}
        ${when("loras", html`<div class="whole-row">${_loras(form.loras, faults.get("film-loras"), (value) => input("loras", value))}</div>`)}
        ${when("even_out", html`<div class="whole-row">${checkField(shown("even_out", "Even out steps of brightness and colour between clips"))}</div>`)}
      </div>
    </details>`;
}

const MOST_LORAS = 4;

function _loras(loras, fault, input) {
  const set = (index, change) => input(loras.with(index, { ...loras[index], ...change }));
  return html`
    <fieldset class="field" id="film-loras" tabindex="-1">
      <legend>LoRA adapters</legend>
      ${loras.map(({ name, scale }, index) => html`
        <div class="lora">
          ${lineField({ id: `lora-${index}-name`, label: "Name", value: name, input: (value) => set(index, { name: value }) })}
          ${lineField({ id: `lora-${index}-scale`, label: "Scale", value: scale, numeric: "decimal", input: (value) => set(index, { scale: value }) })}
          <button type="button" aria-label="Remove adapter ${index + 1}" @click=${() => input(loras.toSpliced(index, 1))}>Remove</button>
        </div>`)}
      <button type="button" ?disabled=${loras.length >= MOST_LORAS} @click=${() => input([...loras, { name: "", scale: "1" }])}>Add an adapter</button>
      ${fault ? html`<p class="fault">${fault}</p>` : nothing}
    </fieldset>`;
}
