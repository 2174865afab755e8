/** The gallery: all films, what waits, what is being made, and what failed and why. */

import { ApiError, link, request } from "./api.js";
import { caller } from "./caller.js";
import { Component, html, nothing, repeat } from "./component.js";
import "./film/media.js";
import { ago, duration } from "./format.js";
import { library } from "./library.js";
import { poll } from "./polling.js";
import { STATES, counted, stageText, stateOf, timeLeft, titleOf } from "./video.js";

const REFRESH_MS = 60_000; // films that others begin
const MOST_WATCHED = 8;
// Of films without a picture: a pen, a clapperboard, a cross.
const MARKS = {
  waits: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  open: "M3 10h18v10H3zM3 10l1-4 16-3 .7 3.3zM8 5.3l2.5 3.6M13 4.4l2.5 3.6",
  failed: "M6 6l12 12M18 6L6 18",
};
const kept = { search: "", state: "all", scroll: 0 }; // for the way back

class Gallery extends Component {
  #loading = false;
  #refreshed = 0;

  start() {
    this.fault = null;
    this.#refreshed = 0;
    this.scroll = library.videos ? kept.scroll : 0;
    addEventListener("scroll", () => (kept.scroll = scrollY), { signal: this.signal, passive: true });
    caller.addEventListener("change", () => this.changed(), { signal: this.signal });
    addEventListener("keydown", (event) => this.#shortcut(event), { signal: this.signal });
    this.end = new IntersectionObserver(([entry]) => entry.isIntersecting && this.#more(), { rootMargin: "1200px" });
    this.signal.addEventListener("abort", () => this.end.disconnect());
    poll(() => this.#ask(), { signal: this.signal, failed: (error) => this.#failed(error) });
  }

  async #ask() {
    if (Date.now() - this.#refreshed >= REFRESH_MS) {
      await library.refresh(this.signal);
      this.#refreshed = Date.now();
      this.changed();
    }
    let next = REFRESH_MS;
    for (const { id } of library.videos.filter((one) => stateOf(one) === "open").slice(0, MOST_WATCHED)) {
      try {
        const { data, headers } = await request("GET", `videos/${id}`, { signal: this.signal });
        library.put(data);
        next = Math.min(next, Math.max(2_000, Number(headers.get("openai-poll-after-ms"))));
      } catch (error) {
        if (error.status !== 404) throw error;
        library.drop(id);
      }
    }
    this.fault = null;
    this.changed();
    return next;
  }

  #failed(error) {
    this.fault = error;
    this.changed();
  }

  /** Load the next page: at the end of what is shown, or while a search has not found a screen of films. */
  async #more() {
    if (this.#loading || !library.videos || !library.hasMore || this.signal.aborted) return;
    this.#loading = true;
    const { signal } = this;
    try {
      await library.more(signal);
    } catch (error) {
      if (!(error instanceof ApiError)) return;
      this.#failed(error);
    } finally {
      this.#loading = false;
    }
    this.changed();
  }

  drawn() {
    if (this.scroll) scrollTo(0, this.scroll);
    this.scroll = 0;
    const mark = this.querySelector(".more");
    if (!mark || this.fault) return;
    this.end.disconnect();
    this.end.observe(mark); // anew, so that it tells if the mark is still in view
  }

  /** With a modifier: a key alone would be in the way of people who speak to their browser (WCAG 2.1.4). */
  #shortcut(event) {
    if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.querySelector("#search")?.focus();
  }

  /** Arrow keys go to the nearest film in that direction. */
  #arrow(event) {
    const film = event.target.closest(".film");
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!film || !(x || y) || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const middle = (one) => {
      const { left, top, width, height } = one.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    };
    const [fromX, fromY] = middle(film);
    let [best, least] = [null, Infinity];
    for (const other of this.querySelectorAll(".film")) {
      const [toX, toY] = middle(other);
      const [along, across] = x ? [(toX - fromX) * x, toY - fromY] : [(toY - fromY) * y, toX - fromX];
      const far = along + 4 * Math.abs(across);
      if (along > 8 && far < least) [best, least] = [other, far];
    }
    if (best) {
      event.preventDefault();
      best.focus();
    }
  }

  #found() {
    const words = kept.search.toLowerCase().split(/\s+/).filter(Boolean);
    return library.videos.filter(
      (video) =>
        (kept.state === "all" || stateOf(video) === kept.state) &&
        words.every((word) => video.prompt.toLowerCase().includes(word)),
    );
  }

  view() {
    if (!library.videos) {
      return html`<h1>Films</h1>${this.#faultView()}
        ${this.fault ? nothing : html`<p class="quiet" role="status">Loading …</p>`}`;
    }
    if (!library.videos.length) {
      return html`
        <div class="empty stack">
          ${caller.may("create")
            ? html`<h1>Make your first film</h1>
                <p class="quiet">Write a sentence, and watch it become a film, scene by scene.</p>
                <p><a class="button primary" href="#/new">New film</a></p>`
            : html`<h1>No films yet</h1>
                <p class="quiet">You may look at films, and not make any.</p>`}
          ${this.#faultView()}
        </div>`;
    }
    const found = this.#found();
    const narrowed = kept.search.trim() || kept.state !== "all";
    return html`
      <div class="gallery stack">
        <div class="row spread">
          <h1>Films</h1>
          ${caller.may("create") ? html`<a class="button primary" href="#/new">New film</a>` : nothing}
        </div>
        <form class="finder" role="search" @submit=${(event) => event.preventDefault()}>
          <div class="search">
            <label class="hidden-text" for="search">Search films</label>
            <input id="search" type="search" placeholder="Search films" .value=${kept.search}
              aria-keyshortcuts="Control+K Meta+K"
              @input=${({ target }) => this.#narrow({ search: target.value })}>
          </div>
          <fieldset class="states">
            <legend class="hidden-text">Show</legend>
            ${Object.entries({ all: "All", ...STATES }).map(
              ([state, words]) => html`
                <label class="choice">
                  <input type="radio" name="state" .checked=${kept.state === state}
                    @change=${() => this.#narrow({ state })}>
                  ${words}
                </label>`,
            )}
          </fieldset>
        </form>
        ${this.#faultView()}
        <div class="groups" @keydown=${(event) => this.#arrow(event)}>
          ${narrowed ? this.#narrowedView(found) : this.#groupsView(found)}
        </div>
        ${library.hasMore ? html`<p class="more quiet" role="status">Loading more films …</p>` : nothing}
      </div>`;
  }

  #narrow(change) {
    Object.assign(kept, change);
    this.changed();
  }

  #narrowedView(found) {
    if (!found.length && library.hasMore) return nothing;
    return html`
      <h2 class="small quiet" role="status">${found.length
        ? counted(found.length, "film")
        : "No film matches. Try other words or another state."}</h2>
      ${this.#grid(found)}`;
  }

  #groupsView(films) {
    const of = (...states) => films.filter((video) => states.includes(stateOf(video)));
    const [waiting, open, rest] = [of("waits"), of("open"), of("completed", "failed")];
    return html`
      ${waiting.length ? html`<h2>${STATES.waits} <span class="count">${waiting.length}</span></h2>${this.#grid(waiting)}` : nothing}
      ${open.length ? html`<h2>${STATES.open} <span class="count">${open.length}</span></h2>${this.#grid(open)}` : nothing}
      ${waiting.length || open.length ? html`<h2>Earlier</h2>` : html`<h2 class="hidden-text">All films</h2>`}
      ${this.#grid(rest)}`;
  }

  #grid(films) {
    return html`<div class="films">${repeat(films, ({ id }) => id, (video) => this.#film(video))}</div>`;
  }

  #film(video) {
    const state = stateOf(video);
    const [width, height] = video.size.split("x").map(Number);
    const shape = width > height * 1.2 ? "wide" : "";
    return html`
      <a class="film ${state}" href=${state === "waits" ? `#/films/${video.id}/storyboard` : `#/films/${video.id}`}>
        <span class="poster ${shape}">
          ${this.#picture(video, state)}
          ${state === "completed" ? html`<span class="length number">${duration(Number(video.seconds))}</span>` : nothing}
          ${state === "open"
            ? html`<progress max="100" .value=${video.progress} aria-label="Progress"></progress>`
            : nothing}
        </span>
        <h3 class="written" dir="auto">${titleOf(video)}</h3>
        ${this.#stateLine(video, state)}
      </a>`;
  }

  /** The poster, or what there is of a film that has none yet. */
  #picture(video, state) {
    if (video.thumbnail_url) {
      return html`<studio-poster .url=${video.thumbnail_url} @ended=${() => this.#expired(video)}></studio-poster>`;
    }
    const mark = html`
      <svg class="no-picture" viewBox="0 0 24 24" aria-hidden="true"><path d=${MARKS[state]}></path></svg>`;
    const still = video.stills.find((one) => one.state === "done");
    const clip = video.clips.findIndex((one) => one.state === "done");
    if (still) {
      const file = { path: `videos/${video.id}/scenes/${still.scene}/still`, version: `${still.finished_ms}` };
      return html`${mark}<studio-still .file=${file}></studio-still>`;
    }
    if (clip >= 0) {
      const file = { path: `videos/${video.id}/clips/${clip}`, version: `${video.clips[clip].finished_ms}` };
      return html`${mark}<studio-frame .file=${file}></studio-frame>`;
    }
    return mark;
  }

  #stateLine(video, state) {
    switch (state) {
      case "waits": return html`<p class="small warn">${stageText(video)}</p>`;
      case "open":
        return html`<p class="small quiet number">${[`${video.progress} %`, stageText(video), timeLeft(video)]
          .filter(Boolean).join(" · ")}</p>`;
      case "completed": return html`<p class="small quiet">${ago(video.completed_at)}${video.draft ? " · draft" : ""}</p>`;
      default:
        return video.failure
          ? html`<p class="small bad written reason">${`Failed: ${video.failure.reason}`}</p>`
          : html`<p class="small quiet">${`Cancelled · ${ago(video.created_at)}`}</p>`;
    }
  }

  /** A link to a poster ends after an hour: ask for another. */
  async #expired(video) {
    const url = await link(video.id, "thumbnail", video.completed_at).catch(() => null);
    if (url) library.put({ ...video, thumbnail_url: url });
    this.changed();
  }

  #faultView() {
    if (!this.fault) return nothing;
    const again = () => {
      this.fault = null;
      this.changed();
      if (library.videos && library.hasMore) this.#more();
    };
    return html`<p class="notice bad" role="alert">${this.fault.message}
      ${library.videos ? html`<button @click=${again}>Try again</button>` : nothing}</p>`;
  }
}

customElements.define("studio-gallery", Gallery);
