/** The scenes of a film while it is made: what each says, its still, its voice, and its clips as they appear. */

import { html, nothing, repeat } from "../component.js";
import { duration } from "../format.js";
import { counted } from "../video.js";

const OPEN_CLIPS = 60; // scenes of longer films are folded

const WORDS = { waiting: "waits", rendering: "is being made", done: "is made" };
const part = (parts, scene) => parts.find((one) => one.scene === scene);

/** `clips`: where each clip belongs (GET …/clips), null until it is planned. `board`: the storyboard, or null. */
export function scenesView(video, clips, board) {
  const planned = clips ?? video.clips.map((_, index) => ({ index, scene: 0 }));
  const count = Math.max(board?.scenes.length ?? 0, ...planned.map(({ scene }) => scene + 1), 0);
  if (!count) return nothing;
  const byScene = Array.from({ length: count }, () => []);
  // The plan of another attempt may be stored before its clips are in the record.
  for (const one of planned) if (video.clips[one.index]) byScene[one.scene].push(one.index);
  return html`
    <section class="stack" aria-labelledby="scenes-title">
      <h2 id="scenes-title">${count > 1 ? "Scenes" : "Clips"}</h2>
      <ol class="scenes">${repeat(byScene, (_, index) => index, (indexes, index) =>
        _scene(video, index, indexes, board?.scenes[index], count))}</ol>
    </section>`;
}

function _scene(video, index, clips, written, count) {
  const still = part(video.stills, index);
  const voice = part(video.narrations, index);
  const text = written && (written.narration?.text || written.video.positive_prompt);
  const failed = video.failure?.scene === index || clips.includes(video.failure?.clip);
  const tiles = html`<ul class="clips">${repeat(clips, (clip) => clip, (clip) => _clip(video, clip))}</ul>`;
  return html`
    <li class="scene ${failed ? "failed" : ""}">
      ${still?.state === "done"
        ? html`<studio-still class="still" .words=${`Still of scene ${index + 1}`}
            .file=${_file(video, `scenes/${index}/still`, still)}></studio-still>`
        : nothing}
      <div class="stack">
        ${count > 1 || text
          ? html`<div class="said"><span class="number quiet">${index + 1}</span>
              <p class="written" dir="auto">${text ?? ""}</p></div>`
          : nothing}
        <div class="row small quiet">
          ${voice ? _part(video, voice, "Voice", `scenes/${index}/narration`) : nothing}
          ${still && still.state !== "done" ? html`<span class="tag">Still ${WORDS[still.state]}</span>` : nothing}
          ${clips.length ? html`<span class="number">${_done(video, clips)}</span>` : nothing}
        </div>
        ${clips.length && video.clips.length > OPEN_CLIPS
          ? html`<details ?open=${count === 1}><summary>Clips</summary>${tiles}</details>`
          : clips.length ? tiles : nothing}
      </div>
    </li>`;
}

function _part(video, made, name, path) {
  if (made.state !== "done") return html`<span class="tag">${name} ${WORDS[made.state]}</span>`;
  return html`<studio-voice .words=${`${name}${made.by ? ` (${made.by})` : ""}`} .file=${_file(video, path, made)}></studio-voice>`;
}

function _done(video, clips) {
  const done = clips.filter((clip) => video.clips[clip].state === "done").length;
  const seconds = clips.reduce((sum, clip) => sum + video.clips[clip].seconds, 0);
  return done === clips.length
    ? `${counted(done, "clip")} · ${duration(seconds)}`
    : `${done} of ${counted(clips.length, "clip")} · ${duration(seconds)}`;
}

function _clip(video, index) {
  const { state, reused } = video.clips[index];
  const name = `clip ${index + 1}`;
  if (state === "done") {
    return html`<li><studio-clip .words=${reused ? `${name}, reused` : name}
      .file=${_file(video, `clips/${index}`, video.clips[index])}></studio-clip></li>`;
  }
  const failed = video.failure?.clip === index;
  const words = failed ? "failed" : video.stage === "rendering" ? WORDS[state] : "is not made";
  return html`<li><span class="clip ${failed ? "failed" : state}" role="img" aria-label=${`Clip ${index + 1} ${words}`}>
    ${failed ? `${index + 1} · failed` : index + 1}</span></li>`;
}

const _file = (video, path, { finished_ms }) => ({ path: `videos/${video.id}/${path}`, version: `${finished_ms}` });
