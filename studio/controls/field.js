/** A labelled control with its hint, its limits as one types, and what is wrong with it. */

import { html, live, nothing } from "../component.js";
import { characters, estimateTokens } from "../text_limits.js";

const numbers = new Intl.NumberFormat();

/** What the page shows of a control: `fault` is a message, `hint` and `counts` are texts or templates. */
export function field({ id, label, hint, counts, fault, optional, control }) {
  return html`
    <div class="field">
      <label for=${id}>${label}${optional ? html` <span class="quiet small">optional</span>` : nothing}</label>
      ${control}
      ${counts ? html`<p class="counts number" id="${id}-counts">${counts}</p>` : nothing}
      ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : nothing}
      ${fault ? html`<p class="fault" id="${id}-fault">${fault}</p>` : nothing}
    </div>`;
}

/** The ids of the texts that describe a control. */
export function described(id, { hint, counts, fault }) {
  const parts = [fault && `${id}-fault`, counts && `${id}-counts`, hint && `${id}-hint`].filter(Boolean);
  return parts.join(" ") || nothing;
}

/** A text of several lines. `most`: characters, if they are counted; `tokens`: the engine's; `shortened`: more is cut, not refused. */
export function textField(options) {
  const { id, value = "", most, tokens, shortened, more, rows = 3, readonly, placeholder, input, spellcheck } = options;
  const counts = readonly || !most
    ? undefined
    : html`${_count(value, most)}${tokens ? html` · ${_tokens(value, tokens, shortened)}` : nothing}${
        more ? html` · ${more}` : nothing
      }`;
  const shown = { ...options, counts, optional: options.optional && !readonly };
  return field({
    ...shown,
    control: html`<textarea
      id=${id} class="written" dir="auto" rows=${rows} .value=${live(value)} ?readonly=${readonly}
      placeholder=${placeholder ?? nothing} spellcheck=${spellcheck ?? nothing}
      aria-invalid=${options.fault || characters(value) > most ? "true" : nothing}
      aria-describedby=${described(id, shown)}
      @input=${({ target }) => input(target.value)}></textarea>`,
  });
}

function _count(value, most) {
  const count = characters(value);
  const text = `${numbers.format(count)} / ${numbers.format(most)}`;
  return count > most
    ? html`<strong class="bad">${text} characters, ${numbers.format(count - most)} too many</strong>`
    : html`${text}<span class="hidden-text"> characters</span>`;
}

function _tokens(value, most, shortened) {
  const count = value.trim() ? estimateTokens(value) : 0;
  if (count <= most) return `about ${count} / ${most} tokens`;
  const after = shortened ? "the engine reads a shortened text" : "shorten it";
  return html`<strong class=${shortened ? "warn" : "bad"}>about ${count} / ${most} tokens: ${after}</strong>`;
}

/** A text of one line; also a number, which the API checks. */
export function lineField(options) {
  const { id, value = "", numeric, readonly, placeholder, input, list } = options;
  return field({
    ...options,
    control: html`<input
      id=${id} class="written" dir="auto" .value=${live(String(value ?? ""))} ?readonly=${readonly}
      inputmode=${numeric ?? nothing} placeholder=${placeholder ?? nothing} list=${list ?? nothing} autocomplete="off"
      aria-invalid=${options.fault ? "true" : nothing} aria-describedby=${described(id, options)}
      @input=${({ target }) => input(target.value)}>`,
  });
}

/** One of `choices`: [value, text] or {group, choices}. */
export function choiceField(options) {
  const { id, value = "", choices, disabled, input } = options;
  const option = ([one, text]) => html`<option value=${one} .selected=${one === value}>${text}</option>`;
  return field({
    ...options,
    control: html`<select
      id=${id} ?disabled=${disabled} aria-invalid=${options.fault ? "true" : nothing}
      aria-describedby=${described(id, options)} @change=${({ target }) => input(target.value)}>
      ${choices.map((one) =>
        Array.isArray(one) ? option(one) : html`<optgroup label=${one.group}>${one.choices.map(option)}</optgroup>`,
      )}
    </select>`,
  });
}

export function checkField({ id, label, value, hint, fault, disabled, input }) {
  return html`
    <div class="check">
      <input type="checkbox" id=${id} .checked=${live(Boolean(value))} ?disabled=${disabled}
        aria-describedby=${described(id, { hint, fault })}
        @change=${({ target }) => input(target.checked)}>
      <div>
        <label for=${id}>${label}</label>
        ${hint ? html`<p class="hint" id="${id}-hint">${hint}</p>` : nothing}
        ${fault ? html`<p class="fault" id="${id}-fault">${fault}</p>` : nothing}
      </div>
    </div>`;
}
