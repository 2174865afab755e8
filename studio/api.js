/** The REST API: one function that sends a request, one error, and the links that players and pictures load. */

import { session } from "./session.js";

const ROOT = new URL("../v1/", new URL("./", document.baseURI));
const LONGEST_WAIT_MS = 30_000;

/** An answer that is an error. `message` is for people; `code` and `param` (the field) are for programs. */
export class ApiError extends Error {
  constructor(status, error, headers) {
    super(error.message);
    this.name = "ApiError";
    this.status = status;
    this.code = error.code ?? null;
    this.param = error.param ?? null;
    this.retryAfter = Number(headers?.get("retry-after")) || null; // seconds
    this.requestId = headers?.get("x-request-id") ?? null;
  }

  /** Whether the network, not the API, is at fault. */
  get offline() {
    return this.status === 0;
  }
}

/**
 * Send a request below /v1 and return {data, headers}.
 *
 * `body` is an object (sent as JSON) or FormData. A read is repeated while the API is away, with growing waits; anything
 * else is sent once. Throws an ApiError; with 401 the session ends and the page asks to sign in.
 */
export async function request(method, path, { body, query, headers = {}, signal } = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const sent = { method, signal, headers: { ...headers } };
  if (body instanceof FormData) {
    sent.body = body;
  } else if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers["content-type"] = "application/json";
  }
  const tries = method === "GET" ? 3 : 1;
  for (let attempt = 1; ; attempt++) {
    try {
      sent.headers.authorization = headers.authorization ?? `Bearer ${await session.token()}`;
      return await _exchange(url, sent);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // aborted
      if (error.status === 401) session.end("Your session has ended. Sign in again.");
      const passes = error.offline || error.status === 429 || error.status >= 500;
      if (attempt >= tries || !passes) throw error;
      await pause(Math.min(LONGEST_WAIT_MS, (error.retryAfter ?? 2 ** attempt / 2) * 1000), signal);
    }
  }
}

async function _exchange(url, sent) {
  let answer;
  try {
    answer = await fetch(url, sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { message: "The API can't be reached. Check the network; nothing you saved is lost." });
  }
  const text = await answer.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    // a gateway's own page
  }
  if (!answer.ok) {
    const fallback = { message: `The API answered ${answer.status}. Try again in a moment.` };
    throw new ApiError(answer.status, data?.error ?? fallback, answer.headers);
  }
  return { data, headers: answer.headers };
}

export const get = async (path, query, signal) => (await request("GET", path, { query, signal })).data;
export const post = async (path, body = {}, options = {}) => (await request("POST", path, { body, ...options })).data;
export const remove = async (path) => (await request("DELETE", path)).data;

/** Wait, in milliseconds; an aborted signal rejects. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const ended = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", ended);
      resolve();
    }, ms);
    signal?.addEventListener("abort", ended, { once: true });
  });
}

const links = new Map(); // path → Promise of {url, expires_at}

/** Return a link to a file, which needs no key, by its path below /v1. `version`: a part of it that was made again. */
export async function linkTo(path, version = "") {
  const known = links.get(path + version);
  if (known) {
    const { url, expires_at } = await known.catch(() => ({ expires_at: 0 }));
    if (expires_at * 1000 > Date.now() + 60_000) return url;
  }
  const asked = get(path, { link: "json" });
  links.set(path + version, asked);
  return (await asked).url;
}

/** Return a link to a file of a video (`variant`: thumbnail, video, spritesheet, captions …). */
export const link = (videoId, variant, version = "") => linkTo(`videos/${videoId}/content?variant=${variant}`, version);
