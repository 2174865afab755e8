/** What is chosen by looking: the engine, the film's shape, its characters. */

import { html, nothing, svg } from "../component.js";
import { choiceField, lineField } from "../controls/field.js";
import { cost, duration } from "../format.js";

/** Radio buttons that look like cards. `choices`: [value, content]. */
export function cards({ id, legend, name, value, choices, fault, hint, className = "", input }) {
  return html`
    <fieldset class="field cards ${className}" id=${id} tabindex="-1"
      aria-describedby=${fault ? `${id}-fault` : nothing}>
      <legend>${legend}</legend>
      <div class="cards-row">
        ${choices.map(
          ([one, content]) => html`
          <label class="card-choice">
            <input type="radio" name=${name} .checked=${one === value} @change=${() => input(one)}>
            <span class="choice-content">${content}</span>
          </label>`,
        )}
      </div>
      ${hint ? html`<p class="hint">${hint}</p>` : nothing}
      ${fault ? html`<p class="fault" id="${id}-fault">${fault}</p>` : nothing}
    </fieldset>`;
}

export function engineCards({ engines, value, chosen, fault, input }) {
  return cards({
    id: "film-model",
    legend: "Engine",
    name: "model",
    value: chosen?.id ?? value,
    fault,
    input,
    className: "engines",
    choices: engines.map((engine) => [
      engine.id,
      html`
      <span class="engine-name">${engine.id}${engine.draft ? html` <span class="tag">drafts</span>` : nothing}</span>
      <span class="small quiet">${engine.summary}</span>
      <span class="small number">${_price(engine)}</span>
      <span class="small quiet">${_taken(engine)}</span>`,
    ]),
  });
}

function _price({ cost_per_second, cost_per_clip, seconds_per_clip, longest_clip }) {
  const price =
    cost_per_second === null
      ? "Price unknown"
      : cost_per_clip === 0
        ? "Free"
        : `About ${cost(cost_per_second)} a second of film`;
  return seconds_per_clip === null ? price : `${price} · ${duration(seconds_per_clip)} for a clip of ${longest_clip} s`;
}

function _taken({ image, last_image, audio, longest_clip, size }) {
  const inputs = [
    image === "required" && "needs a picture",
    image === "optional" && "takes a picture",
    last_image === "optional" && "takes a last picture",
    last_image === "required" && "needs a last picture",
    audio === "required" && "needs narration",
  ].filter(Boolean);
  return [`${size}, clips up to ${longest_clip} s`, ...inputs].join(" · ");
}

const SHAPES = [
  ["", "Engine's own"],
  ["16:9", "Wide 16:9"],
  ["9:16", "Tall 9:16"],
  ["1:1", "Square"],
  ["other", "Another size"],
];

export function shapeCards({ shape, size, engine, faults, input }) {
  const own = engine?.size.split("x").map(Number) ?? [16, 9];
  const sides = { "": own, "16:9": [16, 9], "9:16": [9, 16], "1:1": [1, 1] };
  return html`
    ${cards({
      id: "film-aspect",
      legend: "Shape",
      name: "shape",
      value: shape,
      fault: faults.get("film-aspect"),
      className: "shapes",
      input: (value) => input("shape", value),
      choices: SHAPES.map(([one, text]) => [one, html`${_picture(sides[one])}<span class="small">${text}</span>`]),
    })}
    ${
      shape === "other"
        ? lineField({
            id: "film-size",
            label: "Size",
            value: size,
            placeholder: "1280x720",
            fault: faults.get("film-size"),
            hint: engine ? `Width x height in pixels: ${engine.film_sizes}.` : nothing,
            input: (value) => input("size", value),
          })
        : nothing
    }`;
}

const ASPECTS = ["16:9", "9:16", "1:1", "4:5", "21:9"];
const SHAPE_FITS = [
  ["", "Crop it"],
  ["blur", "Show all, over a blurred copy"],
  ["contain", "Show all, with black bars"],
];
const FOCAL_POINTS = [
  ["left", "Left"],
  ["right", "Right"],
  ["top", "Top"],
  ["bottom", "Bottom"],
  ["top-left", "Top left"],
  ["top-right", "Top right"],
  ["bottom-left", "Bottom left"],
  ["bottom-right", "Bottom right"],
];

/** The further shapes in which the film is delivered. `own`: its own shape. */
export function shapeChoice({ form, own, faults, input }) {
  const toggled = (one) =>
    form.shapes.includes(one) ? form.shapes.filter((other) => other !== one) : [...form.shapes, one];
  const choice = (name, label, choices) =>
    choiceField({
      id: `film-${name}`,
      label,
      value: form[name],
      choices,
      fault: faults.get(`film-${name}`),
      input: (value) => input(name, value),
    });
  const fault = faults.get("film-shapes");
  return html`
    <fieldset class="field" id="film-shapes" tabindex="-1" aria-describedby=${fault ? "film-shapes-fault" : nothing}>
      <legend>Also in these shapes <span class="quiet small">optional</span></legend>
      <div class="chips">
        ${ASPECTS.filter((one) => one !== own || form.shapes.includes(one)).map(
          (one) => html`
          <label class="chip">
            <input type="checkbox" .checked=${form.shapes.includes(one)} @change=${() => input("shapes", toggled(one))}>
            <span class="number">${one}</span>
          </label>`,
        )}
      </div>
      <p class="hint">Made from the same clips, with captions set anew for each. You can add shapes later, too.</p>
      ${fault ? html`<p class="fault" id="film-shapes-fault">${fault}</p>` : nothing}
    </fieldset>
    ${
      form.shapes.length
        ? html`<div class="fields">
            ${choice("shapes_fit", "How the picture fills them", SHAPE_FITS)}
            ${
              form.shapes_fit
                ? nothing
                : choice("focal_point", "What the crop keeps in view", [["", "The middle"], ...FOCAL_POINTS])
            }
          </div>`
        : nothing
    }`;
}

/** A frame of that shape, 24 units on its longer side; without one, of a shape to be typed. */
function _picture(sides) {
  const [width, height] = (sides ?? [4, 3]).map((side) => (24 * side) / Math.max(...(sides ?? [4, 3])));
  return html`<svg class="shape-picture" viewBox="0 0 28 28" width="36" height="36" aria-hidden="true">${svg`
    <rect x=${14 - width / 2} y=${14 - height / 2} width=${width} height=${height} rx="2"
      stroke-dasharray=${sides ? nothing : "3 3"}></rect>`}</svg>`;
}

export function characterChoice({ characters, chosen, fault, toggle, create }) {
  return html`
    <fieldset class="field" id="film-characters" tabindex="-1">
      <legend>Characters <span class="quiet small">optional</span></legend>
      <div class="chips">
        ${characters.map(
          ({ id, name, handle }) => html`
          <label class="chip">
            <input type="checkbox" .checked=${chosen.includes(id)} @change=${() => toggle(id)}>
            <span class="written">${name}</span> <span class="quiet small written">${handle}</span>
          </label>`,
        )}
        <button type="button" @click=${create}>New character</button>
      </div>
      <p class="hint">A chosen one is in the whole film. Write its @name in a text to put it in that scene only.</p>
      ${fault ? html`<p class="fault">${fault}</p>` : nothing}
    </fieldset>`;
}
