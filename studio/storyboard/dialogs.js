/** What the storyboard's screen asks: what to regenerate, whose version to keep, whether to go on. */

import { html, nothing } from "../component.js";
import { choiceField, lineField, textField } from "../controls/field.js";
import { cost, duration } from "../format.js";
import { LONGEST } from "../text_limits.js";
import { ownMaterial } from "./document.js";

/** `asked` is {index, part, note, voice, speed, seed, faults}. `parts` are those that the scene has. */
export function regenerateForm({ asked, parts, voices, ended, dirty, busy, input, send, close }) {
  const NAMES = { text: "Its words", voice: "Its voice", still: "Its still" };
  const shown = (name, label, options) => ({
    id: `regenerate-${name}`,
    label,
    value: asked[name],
    fault: asked.faults.get(name),
    input: (value) => input(name, value),
    ...options,
  });
  return html`
    <div class="stack">
      <h2 id="regenerate-title">Regenerate scene ${asked.index + 1}</h2>
      <fieldset class="field">
        <legend>What to make again</legend>
        <div class="chips">
          ${parts.map(
            (part) => html`
            <label class="chip"><input type="radio" name="part" .checked=${asked.part === part}
              @change=${() => input("part", part)}>
              ${NAMES[part]}</label>`,
          )}
        </div>
      </fieldset>
      ${textField(
        shown("note", "What should change", {
          most: LONGEST.prompt,
          rows: 3,
          optional: asked.part !== "text",
          placeholder: "Let it rain.",
          hint: asked.part === "still" ? "Without a note, the same words give another picture." : undefined,
        }),
      )}
      ${
        asked.part === "voice"
          ? html`<div class="fields">
            ${choiceField(
              shown("voice", "Voice", {
                choices: [["", "As it is"], ...voices.map(({ id, language_name }) => [id, `${id} (${language_name})`])],
              }),
            )}
            ${lineField(shown("speed", "Speaking speed", { numeric: "decimal", hint: "0.5 to 2" }))}
          </div>`
          : nothing
      }
      ${asked.part === "still"
        ? lineField(shown("seed", "Seed", { numeric: "numeric", optional: true, hint: "Without it, a random one." }))
        : nothing}
      ${ended && asked.note.trim() ? html`<p class="hint">The film is made again, as far as this changes it.</p>` : nothing}
      ${dirty ? html`<p class="hint">Your unsaved changes are saved first.</p>` : nothing}
      ${asked.error ? html`<p class="notice bad" role="alert">${asked.error}</p>` : nothing}
      <div class="row">
        <button type="button" class="primary" ?disabled=${busy}
          @click=${send}>${busy ? "Sending …" : "Regenerate"}</button>
        <button type="button" @click=${close}>Cancel</button>
      </div>
    </div>`;
}

/** Both versions of what differs. `rows` are those of merge.js. */
export function conflictForm({ rows, busy, choose, save, close }) {
  const open = rows.filter(({ choice }) => choice === null).length;
  let number = 0;
  return html`
    <div class="stack">
      <h2 id="conflict-title">Somebody else changed this storyboard</h2>
      <p>Choose whose version to keep where you differ. Nothing is saved before you do.</p>
      ${rows.map((row, index) => {
        if (row.what === "scene") number += 1;
        if (row.same) return nothing;
        const name = { title: "Title", style: "Style", lexicon: "Pronunciation" }[row.what] ?? `Scene ${number}`;
        const who = { mine: "you changed it", theirs: "they changed it" }[row.changedBy] ?? "both changed it";
        const version = (whose, text) => html`
          <label class="card-choice">
            <input type="radio" name="row-${index}" .checked=${row.choice === whose}
              @change=${() => choose(index, whose)}>
            <span class="choice-content"><strong>${text}</strong>${_version(row, whose)}</span>
          </label>`;
        return html`
          <fieldset class="cards versions">
            <legend>${name} <span class="quiet small">${who}</span></legend>
            <div class="cards-row">${version("mine", "Mine")}${version("theirs", "Theirs")}</div>
          </fieldset>`;
      })}
      <div class="row">
        <button type="button" class="primary" ?disabled=${open > 0 || busy} @click=${save}>Save what I chose</button>
        <button type="button" @click=${close}>Decide later</button>
        ${open ? html`<span class="warn small" role="status">${open} still to choose</span>` : nothing}
      </div>
    </div>`;
}

const PARTS = [
  ["Narration", (scene) => scene.narration?.text],
  [
    "Voice",
    (scene) => [scene.narration?.voice, scene.narration?.speed, scene.narration?.language].filter(Boolean).join(", "),
  ],
  ["Picture", (scene) => scene.image.positive_prompt],
  ["Not in the picture", (scene) => scene.image.negative_prompt],
  ["Motion", (scene) => scene.video.positive_prompt],
  ["Not in the motion", (scene) => scene.video.negative_prompt],
  ["Seconds", (scene) => scene.seconds],
  [
    "Joined",
    (scene) =>
      [scene.continues && "with the scene before", scene.meets_next && "with the next scene"]
        .filter(Boolean)
        .join(", "),
  ],
  [
    "Own pictures",
    (scene) => [scene.first_frame && "first", scene.last_frame && "last"].filter(Boolean).join(", "),
  ],
  ["Kept in view", (scene) => scene.focal_point],
  ["Shows", (scene) => [ownMaterial(scene), scene.title?.text, scene.title?.subtitle].filter(Boolean).join(": ")],
  ["Lower third", (scene) => [scene.lower_third?.title, scene.lower_third?.subtitle].filter(Boolean).join(": ")],
  ["Seeds", (scene) => [scene.image.seed, scene.video.seed].filter((one) => one !== undefined).join(", ")],
];

function _version(row, whose) {
  const version = row[whose],
    other = row[whose === "mine" ? "theirs" : "mine"];
  if (row.what !== "scene") return html`<span class="written">${version || "(empty)"}</span>`;
  if (!version) return html`<span class="quiet">${row.base ? "Removed" : "No such scene"}</span>`;
  const parts = PARTS.map(([name, text]) => [
    name,
    String(text(version) ?? ""),
    other ? String(text(other) ?? "") : null,
  ]);
  const shown = parts.filter(([, own, others]) => (others === null ? own : own !== others));
  return shown.length
    ? shown.map(
        ([name, own]) =>
          html`<span class="part"><span class="quiet small">${name}</span><span class="written">${own || "(empty)"}</span></span>`,
      )
    : html`<span class="quiet">At another place</span>`;
}

/** What going on makes. `plan` is {outcomes, gate, price, reuse}; `reuse`: more may be reused than is known. */
export function approveForm({ plan, video, maxCost, error, faults, busy, dirty, input, send, close }) {
  const { outcomes, gate, price, reuse } = plan;
  const title =
    { storyboard: "Approve the storyboard", previews: "Approve the previews" }[gate] ??
    (video.stage === "completed" || gate === "film" ? "Make the changes" : "Make the film");
  const waits = gate !== "previews" && video.review.requested.includes("previews");
  const steps =
    gate === "previews"
      ? "Clips are made, and the film is put together."
      : `${gate === "storyboard" ? "Voices and stills are made" : "What changed is spoken and drawn"}.
       ${waits ? "Then the film waits for you again, before clips are made." : "Then clips are made, and the film is put together."}`;
  const row = (part, name) => {
    const anew = outcomes.filter((one) => one[part] === "anew").length;
    const kept = outcomes.filter((one) => one[part] === "kept").length;
    if (!anew && !kept) return nothing;
    return html`<tr><th scope="row">${name}</th><td class="number">${anew || "none"}</td><td class="number">${kept || "none"}</td></tr>`;
  };
  return html`
    <div class="stack">
      <h2 id="approve-title">${title}</h2>
      <p>${steps}</p>
      <table>
        <thead>
          <tr><th scope="col">Scenes whose</th><th scope="col">are made anew</th><th scope="col">are reused</th></tr>
        </thead>
        <tbody>${row("voice", "voices")}${row("still", "stills")}${row("clips", "clips")}</tbody>
      </table>
      ${
        price === null
          ? html`<p class="quiet" role="status">Asking what it costs …</p>`
          : price.error
            ? html`<p class="warn">What it costs is not known: ${price.error}</p>`
            : html`<p role="status"><strong class="number">${_price(price)}</strong>${price.seconds
              ? `, about ${duration(price.seconds)}`
              : nothing}
              <span class="quiet">${price.unknown ? `(${price.unknown})` : nothing}</span></p>`
      }
      ${video.cost ? html`<p class="quiet small number">The film has cost ${cost(video.cost)} so far.</p>` : nothing}
      ${lineField({
        id: "approve-max_cost",
        label: "Cost at most, in USD",
        optional: true,
        numeric: "decimal",
        value: maxCost,
        input,
        fault: faults.get("max_cost"),
        hint:
          video.max_cost === null
            ? "Of all attempts together."
            : `Of all attempts together; now ${cost(video.max_cost)}.`,
      })}
      ${reuse ? html`<p class="hint">What an earlier attempt made is found again and costs nothing.</p>` : nothing}
      ${dirty ? html`<p class="hint">Your unsaved changes are saved first.</p>` : nothing}
      ${error ? html`<p class="notice bad" role="alert">${error}</p>` : nothing}
      <div class="row">
        <button type="button" class="primary" ?disabled=${busy} @click=${send}>${busy ? "Sending …" : title}</button>
        <button type="button" @click=${close}>Cancel</button>
      </div>
    </div>`;
}

const _price = ({ usd }) => (usd === null ? "Cost unknown" : usd === 0 ? "Free" : `About ${cost(usd)}`);
