/** What a finished film was made of: files, costs by part, provenance; and what happened to any film. */

import { link } from "../api.js";
import { html, nothing } from "../component.js";
import { cost, duration } from "../format.js";

const FILES = {
  video: "Film (MP4)",
  "16x9": "16:9 (MP4)",
  "9x16": "9:16 (MP4)",
  "1x1": "1:1 (MP4)",
  "4x5": "4:5 (MP4)",
  "21x9": "21:9 (MP4)",
  captions: "Captions (WebVTT)",
  captions_srt: "Captions (SubRip)",
  captions_ass: "Captions (ASS)",
  storyboard: "Storyboard (JSON)",
  stems: "Stems (WAV, zipped)",
  quality: "Quality report (JSON)",
  manifest: "Manifest (JSON)",
  thumbnail: "Poster (WebP)",
  spritesheet: "Spritesheet (JPEG)",
};

const UNITS = ["kilobyte", "megabyte", "gigabyte"];

function _bytes(count) {
  const power = Math.min(UNITS.length, Math.max(1, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  const style = { style: "unit", unit: UNITS[power - 1], unitDisplay: "short", maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(undefined, style).format(count / 1000 ** power);
}

/** Save one of a film's files. Throws an ApiError. */
export async function save(video, variant) {
  const anchor = document.createElement("a");
  anchor.href = await link(video.id, variant, video.completed_at);
  anchor.download = "";
  anchor.target = "_blank"; // a link to another origin opens there
  anchor.click();
}

/** `saved`: what to do with the promise of a download. */
export function filesView(video, manifest, saved) {
  return html`
    <section class="card stack" aria-labelledby="files-title">
      <h2 id="files-title">Downloads</h2>
      <ul class="files">
        ${Object.keys(FILES).flatMap((variant) => {
          const one = manifest.delivered.find((file) => file.variant === variant);
          const size = one ? _bytes(one.bytes) : "";
          return one || variant === "manifest"
            ? html`<li><button class="plain" @click=${() => saved(save(video, variant))}>${FILES[variant]}
                <span class="quiet small number">${size}</span></button></li>`
            : [];
        })}
      </ul>
    </section>`;
}

const CHECKS = {
  black: "Black pictures",
  frozen: "Frozen pictures",
  flicker: "Flicker",
  sharpness: "Sharpness",
  exposure: "Exposure",
  motion: "Motion",
  joins: "Joins of clips",
  duplicates: "Duplicate scenes",
  silence: "Silence",
  clipping: "Clipping",
  loudness: "Loudness",
  speech: "Speech",
  captions: "Reading speed",
};
const VERDICTS = { pass: "Passed", warn: "Warns", not_measured: "Not measured" };
const SHOWN = 8;

/** `report`: the film's quality report. `seek`: called with the second of the film at which a finding begins. */
export function qualityView(report, seek) {
  const warned = report.checks.filter(({ status }) => status === "warn");
  return html`
    <details class="card stack" ?open=${warned.length > 0}>
      <summary>Quality: ${warned.length ? `${warned.length} of ${report.checks.length} checks warn` : "no check warns"}</summary>
      <div class="wide-table"><table>
        <thead><tr><th scope="col">Check</th><th scope="col">Result</th><th scope="col">Where</th><th scope="col">Allowed</th></tr></thead>
        <tbody>${report.checks.map((check) => html`<tr>
          <th scope="row">${CHECKS[check.name] ?? check.name}</th>
          <td>${VERDICTS[check.status]}</td>
          <td>${check.found.slice(0, SHOWN).map((one) => _finding(one, seek))}
            ${check.count > SHOWN ? html`<p class="small quiet">and ${check.count - SHOWN} more</p>` : nothing}
            ${check.note ? html`<p class="small quiet">${check.note}</p>` : nothing}</td>
          <td class="small quiet" title=${`Can't see: ${check.blind}`}>${check.allows} (${check.source})</td>
        </tr>`)}</tbody>
      </table></div>
      <p class="hint">Measured without a model. Nobody judges whether the film shows what you asked for.</p>
    </details>`;
}

function _finding(one, seek) {
  const scene = one.scene === undefined ? "" : `scene ${one.scene + 1}, `;
  return html`<p class="small"><button class="plain" @click=${() => seek(one.start)}>${scene}${one.start} s</button>
    <span class="written">${one.message}</span></p>`;
}

export function costView(manifest) {
  const scenes = manifest.scenes;
  const written = manifest.storyboard ?? manifest.prompt;
  const rows = [
    ["Writing", written ? [{ ...written, reused: false, took: null }] : []],
    ["Voices", scenes.flatMap(({ narration }) => narration ?? [])],
    ["Stills", scenes.flatMap(({ still }) => still ?? [])],
    ["Clips", scenes.flatMap(({ clips }) => clips)],
    ["Joining", [manifest.film]],
  ];
  return html`
    <section class="card stack" aria-labelledby="cost-title">
      <h2 id="cost-title">What it took</h2>
      <div class="wide-table"><table>
        <thead><tr><th scope="col">Part</th><th scope="col">Made</th><th scope="col">Time</th><th scope="col">Cost</th></tr></thead>
        <tbody>${rows.filter(([, parts]) => parts.length).map(([name, parts]) => _costRow(name, parts))}</tbody>
        <tfoot><tr><th scope="row" colspan="3">Total of this attempt</th><td class="number">${cost(manifest.cost)}</td></tr></tfoot>
      </table></div>
      <p class="hint">Estimated from list prices. What was reused costs nothing.</p>
    </section>`;
}

function _costRow(name, parts) {
  const reused = parts.filter((one) => one.reused).length;
  const took = parts.reduce((sum, one) => sum + (one.reused ? 0 : one.took ?? 0), 0);
  const usd = parts.some((one) => one.cost === null) ? null : parts.reduce((sum, one) => sum + one.cost, 0);
  const by = [...new Set(parts.map((one) => one.by).filter(Boolean))].join(", ");
  return html`<tr>
    <th scope="row">${name}${by ? html`<br><span class="quiet small written">${by}</span>` : nothing}</th>
    <td class="number">${parts.length}${reused ? html` <span class="quiet small">(${reused} reused)</span>` : nothing}</td>
    <td class="number">${took ? duration(took) : "–"}</td>
    <td class="number">${cost(usd)}</td>
  </tr>`;
}

export function provenanceView(video, manifest) {
  const { origin } = video;
  const source = origin && (origin.video
    ? html`${{ remix: "Remix of", edit: "Edit of", extend: "Extension of" }[origin.kind] ?? "Made from"}
        <a href=${`#/films/${origin.video}`}>another film</a>`
    : "A file that was sent");
  const rows = [
    ["Signed by", video.signed_by ?? "Nobody: this deployment has no certificate"],
    ["Engine", `${manifest.engine}${manifest.draft ? " (drafts)" : ""}`],
    ["Revision", manifest.revision],
    ["Seed", video.seed],
    ["Size", `${manifest.size}, ${manifest.fps} frames a second`],
    ["Rendered at", manifest.rendered_size === manifest.size && manifest.rendered_fps === manifest.fps
      ? null : `${manifest.rendered_size}, ${manifest.rendered_fps} frames a second`],
    ["Prompt, as enhanced", manifest.prompt?.by ? manifest.prompt.prompt : null],
    ["Attempt", manifest.attempt],
    ["Made from", source],
    ["Characters", video.characters.map(({ name }) => name).join(", ")],
    ["Kept until", new Date(video.expires_at * 1000).toLocaleDateString(undefined, { dateStyle: "long" })],
    ["Id", video.id],
  ];
  return html`
    <section class="card stack" aria-labelledby="provenance-title">
      <h2 id="provenance-title">Provenance</h2>
      <dl class="facts">${rows.map(([name, value]) =>
        value === null || value === "" || value === undefined ? nothing
          : html`<div><dt>${name}</dt><dd class="written" dir="auto">${value}</dd></div>`)}</dl>
      ${[...video.notes, video.storyboard?.note ?? []].flat().map((note) => html`<p class="hint written">${note}</p>`)}
    </section>`;
}

const EVENT = { started: "begun", completed: "made", failed: "failed" };

/** `events`: null until they are loaded. */
export function eventsView(events, opened) {
  return html`
    <details class="card" @toggle=${({ target }) => target.open && opened()}>
      <summary>What happened</summary>
      ${events === null
        ? html`<p class="quiet">Loading …</p>`
        : html`<ol class="events">${events.map(_event)}</ol>`}
    </details>`;
}

function _event(event) {
  const [kind, what] = event.type.split(".");
  const where = [
    event.scene !== null && kind !== "clip" ? ` of scene ${event.scene + 1}` : "",
    event.clip !== null ? ` ${event.clip + 1}` : "",
  ].join("");
  const name = kind === "video" ? what : `${kind}${where} ${event.reused ? "reused" : EVENT[what]}`;
  const facts = [event.seconds !== null && !event.reused ? duration(event.seconds) : "", event.attempt > 1 ? `attempt ${event.attempt}` : ""]
    .filter(Boolean).join(" · ");
  return html`<li>
    <time class="number quiet small" datetime=${new Date(event.at_ms).toISOString()}>${new Date(event.at_ms).toLocaleTimeString()}</time>
    <div><span class="name">${name}</span> <span class="quiet small">${facts}</span>
      ${event.reason ? html`<p class="bad small written">${`${event.reason} ${event.advice ?? ""}`}</p>` : nothing}</div>
  </li>`;
}
