/** What an approval makes anew, what it reuses, and what that costs: by the content of each scene. */

import { post } from "../api.js";
import { secondsToSpeak, spokenWords } from "../text_limits.js";
import { closed, closedLexicon, fingerprint, ownMaterial } from "./document.js";

const UNKNOWN_SECONDS = 8; // of a scene, until its narration is spoken

/** What determines each part of a scene; null if it has no such part. */
function _contents({ style, lexicon, scenes }, stills) {
  const all = closed({ title: "", style, scenes }).scenes;
  const words = Object.entries(closedLexicon(lexicon));
  const pronounced = (text) => words.filter(([word]) => text.toLowerCase().includes(word.toLowerCase()));
  // A scene with the words of an earlier one gets another picture, by its place.
  const place = (scene, index, part) =>
    scene[part].seed === undefined &&
    all.slice(0, index).some((one) => one[part].positive_prompt === scene[part].positive_prompt)
      ? index
      : 0;
  const drawn = all.map((scene, index) =>
    stills && !scene.continues && !scene.first_frame && !ownMaterial(scene)
      ? fingerprint([scene.image, place(scene, index, "image"), style])
      : null,
  );
  return all.map((scene, index) => {
    const said = scene.narration?.text ?? "";
    const voice =
      spokenWords(said) || scene.narration?.recording ? fingerprint([scene.narration, pronounced(said)]) : null;
    const still = drawn[index];
    const before = scene.continues ? fingerprint({ ...all[index - 1], focal_point: null }) : null;
    const next = all[index + 1];
    const ends = [scene.first_frame, scene.last_frame, scene.meets_next && (next?.first_frame ?? drawn[index + 1])];
    const length = scene.seconds ?? scene.narration ?? null;
    if (ownMaterial(scene)) {
      const { clip, clip_start, picture, zoom, title } = scene;
      return { voice, still, clips: fingerprint([clip, clip_start, picture, zoom, title, length]) };
    }
    const clips = fingerprint([scene.video, place(scene, index, "video"), style, still, length, before, ends]);
    return { voice, still, clips };
  });
}

/**
 * For each scene of `storyboard`: {voice, still, clips}, each "anew", "kept", or null if it has none.
 *
 * `video` tells which voices and stills of `stored` (its current storyboard) are made; `filmed` is the
 * storyboard of its film, or null.
 */
export function consequences(storyboard, { video, stored, filmed }) {
  const stills = drawsStills(video);
  const made = { voice: new Set(), still: new Set(), clips: new Set() };
  if (filmed) {
    for (const one of _contents(filmed, stills)) for (const part of Object.keys(made)) made[part].add(one[part]);
  }
  if (stored) {
    const contents = _contents(stored, stills);
    for (const { scene, state } of video.narrations) if (state === "done") made.voice.add(contents[scene]?.voice);
    for (const { scene, state } of video.stills) if (state === "done") made.still.add(contents[scene]?.still);
  }
  return _contents(storyboard, stills).map((one) =>
    Object.fromEntries(
      Object.entries(one).map(([part, print]) => [part, print && (made[part].has(print) ? "kept" : "anew")]),
    ),
  );
}

const _narrationSeconds = ({ narration }) => narration?.recording?.seconds ?? secondsToSpeak(narration?.text ?? "");

/** Whether an image model draws the film's stills. The API says it once the first of them is planned. */
export const drawsStills = (video) => video.stills.length > 0;

/**
 * About what it costs to make what is "anew", in USD, from an estimate of a film of those scenes.
 * Returns {usd, seconds, unknown}: `usd` null with the reason if a price is unknown. Throws an ApiError.
 */
export async function aboutCost(storyboard, outcomes, video, signal) {
  const chosen = storyboard.scenes
    .map((scene, index) => ({ scene, outcome: outcomes[index] }))
    .filter(({ outcome }) => Object.values(outcome).includes("anew"));
  if (!chosen.length) return { usd: 0, seconds: null, unknown: null };
  const scenes = chosen.map(({ scene }) => ({ ...scene, continues: false, meets_next: false }));
  const body = {
    storyboard: closed({ ...storyboard, title: storyboard.title || "Estimate", scenes }),
    model: video.model,
    size: video.size,
    fps: video.fps,
    narrate: false,
    ...(drawsStills(video) && { stills: "standard" }),
    ...(video.speed && { speed: video.speed }),
  };
  const estimate = await post("videos?dry_run=true", body, { signal });
  const share = (part, size) => {
    const all = chosen.reduce((sum, one) => sum + (one.outcome[part] ? size(one.scene) : 0), 0);
    return all && chosen.reduce((sum, one) => sum + (one.outcome[part] === "anew" ? size(one.scene) : 0), 0) / all;
  };
  const shares = {
    narration: share("voice", ({ narration }) => narration.text?.length ?? 0),
    stills: share("still", () => 1),
    clips: share("clips", (scene) => +scene.seconds || _narrationSeconds(scene) || UNKNOWN_SECONDS),
    assembly: 1,
  };
  const parts = Object.entries(shares)
    .filter(([, part]) => part > 0)
    .map(([name, part]) => ({ ...estimate.costs[name], part }));
  const unknown = parts.find(({ usd }) => usd === null)?.reason ?? null;
  const usd = unknown ? null : parts.reduce((sum, { usd, part }) => sum + usd * part, 0);
  return { usd, seconds: estimate.expected_seconds, unknown };
}
