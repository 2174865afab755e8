/** What a video of the API means to people: its state, its stage, and how long it still takes. */

import { duration } from "./format.js";

export const STATES = { waits: "Waits for you", open: "Being made", completed: "Completed", failed: "Failed" };

/** Return a key of STATES; a cancelled film counts as failed. */
export function stateOf({ stage }) {
  if (stage === "reviewing") return "waits";
  if (stage === "completed") return "completed";
  return stage === "failed" || stage === "cancelled" ? "failed" : "open";
}

const WAITS = {
  storyboard: "The storyboard waits for you",
  previews: "Voices and stills wait for you",
  film: "The film waits for you",
};

/** Whether the film is finished and waits for its review, because its quality report warns. */
export const filmWaits = ({ stage, review }) => stage === "reviewing" && review.gate === "film";

/** The stages that a film goes through, as steps. */
export const STEPS = [
  ["planning", "Write"],
  ["preparing", "Voices and stills"],
  ["rendering", "Clips"],
  ["assembling", "Join"],
  ["publishing", "Deliver"],
];

/** "Rendering clip 3 of 8": what is done now. */
export function stageText(video) {
  const { stage, clips, review } = video;
  const done = clips.filter(({ state }) => state === "done").length;
  switch (stage) {
    case "queued": return "In the queue";
    case "planning":
      if (video.waits_for) return "Waits for the text model";
      return video.storyboard || !clips.length ? "Being written" : "Being planned";
    case "reviewing":
      return WAITS[review.gate] ?? "It waits for you";
    case "preparing": return "Voices and stills are being made";
    case "rendering":
      if (video.queue_position) return `In line for the engine, ${counted(video.queue_position, "clip")} before it`;
      return clips.length === 1 ? "The clip is being rendered" : `${done} of ${clips.length} clips rendered`;
    case "assembling": return "Clips are being joined";
    case "publishing": return "Being delivered";
    case "completed": return "Completed";
    case "cancelled": return "Cancelled";
    default: return "Failed";
  }
}

/** "about 2 min left", by the API's word or else by the pace of the clips so far; "" if nothing says. */
export function timeLeft(video) {
  const seconds = video.expected_seconds ?? _byPace(video);
  if (seconds === null) return "";
  const step = seconds > 120 ? 60 : seconds > 20 ? 5 : 1; // no more exact than it is
  return `about ${duration(Math.max(1, Math.round(seconds / step)) * step)} left`;
}

function _byPace({ stage, clips }) {
  const made = clips.filter(({ state, reused }) => state === "done" && !reused);
  if (stage !== "rendering" || !made.length) return null;
  const begun = Math.min(...made.map(({ started_ms }) => started_ms));
  const left = clips.filter(({ state }) => state !== "done").length;
  return ((Date.now() - begun) / 1000 / made.length) * left;
}

/** A film's name in lists and titles: its prompt or topic, as far as a title goes. */
export function titleOf({ prompt }) {
  const text = prompt.trim().replace(/\s+/g, " ");
  return text.length > 160 ? `${Array.from(text).slice(0, 160).join("")}…` : text || "Untitled film";
}

export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : many}`;
