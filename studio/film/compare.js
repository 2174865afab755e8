/** Two films of a video side by side: they play in step, and what differs in their storyboards is beside them. */

import { ApiError, linkTo } from "../api.js";
import { Component, html, nothing } from "../component.js";
import { ago, cost, duration } from "../format.js";
import { counted } from "../video.js";
import { differences } from "./differences.js";
import { clock } from "./player.js";

const APART = 0.15; // seconds by which one may be ahead
const SIDES = ["Left", "Right"];

/** Shows `films` (GET …/films: the latest first, at least two) of the video `videoId`. */
class Compare extends Component {
  #wanted = "";

  start() {
    this.playing = false;
    this.at = 0;
    this.heard = 1;
    if (this.known) this.#begin();
  }

  /** Set by the template. A new film is shown beside the one before it. */
  set films(films) {
    const wanted = films.map(({ attempt }) => attempt).join();
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.known = films;
    if (this.isConnected) this.#begin();
  }

  #begin() {
    this.sides = [{ attempt: this.known[1].attempt }, { attempt: this.known[0].attempt }];
    for (const side of [0, 1]) this.#load(side);
    this.#compare();
  }

  get players() {
    return [...this.querySelectorAll("video")];
  }

  /** The longer film, by whose time both go. */
  get leader() {
    const [one, other] = this.players;
    return one.duration > other.duration ? one : other;
  }

  get seconds() {
    return Math.max(...this.sides.map(({ attempt }) => this.#film(attempt).seconds));
  }

  #film(attempt) {
    return this.known.find((film) => film.attempt === attempt);
  }

  #link(attempt, variant) {
    return linkTo(`videos/${this.videoId}/content?variant=${variant}&attempt=${attempt}`);
  }

  #choose(side, attempt) {
    this.#pause();
    this.sides[side] = { attempt };
    this.#load(side);
    this.#compare();
  }

  async #load(side) {
    const chosen = this.sides[side];
    try {
      chosen.url = await this.#link(chosen.attempt, "video");
      chosen.fault = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      chosen.fault = error.message;
    }
    this.changed();
  }

  /** A link ends after an hour: ask for another, once a minute at most. */
  #renew(side) {
    const chosen = this.sides[side];
    if (Date.now() - (chosen.renewed ?? 0) < 60_000) return;
    chosen.renewed = Date.now();
    this.#pause();
    this.#load(side);
  }

  async #compare() {
    const attempts = this.sides.map(({ attempt }) => attempt);
    this.rows = null;
    this.fault = null;
    this.changed();
    try {
      const boards = await Promise.all(attempts.map((attempt) => this.#board(attempt)));
      if (attempts.some((attempt, side) => attempt !== this.sides[side].attempt)) return;
      this.rows = differences(...boards);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.fault = error.message;
    }
    this.changed();
  }

  async #board(attempt) {
    const url = await this.#link(attempt, "storyboard");
    const answer = await fetch(url, { signal: this.signal }).catch(() => ({ ok: false, status: 0 }));
    if (!answer.ok) throw new ApiError(answer.status, { message: "A storyboard can't be loaded." });
    return answer.json();
  }

  // --- in step

  #play() {
    const { leader } = this;
    if (leader.ended) this.#seek(0);
    this.playing = true;
    for (const player of this.players) if (!player.ended) player.play().catch(() => this.#pause());
    this.changed();
  }

  #pause() {
    this.playing = false;
    for (const player of this.players) player.pause();
    this.changed();
  }

  #seek(seconds) {
    this.at = seconds;
    for (const player of this.players) player.currentTime = Math.min(seconds, player.duration || seconds);
    if (this.playing) this.#play();
    this.changed();
  }

  #moved({ target }) {
    const { leader } = this;
    if (target !== leader) return;
    this.at = leader.currentTime;
    for (const other of this.players) {
      const wanted = Math.min(this.at, other.duration || this.at);
      if (other !== leader && Math.abs(other.currentTime - wanted) > APART) other.currentTime = wanted;
    }
    this.changed();
  }

  /** One waits for its data: so does the other. */
  #stalled({ target }) {
    if (!this.playing) return;
    for (const other of this.players) if (other !== target) other.pause();
  }

  #ready() {
    if (!this.playing || this.players.some((one) => one.readyState < 3 && !one.ended)) return;
    for (const player of this.players) if (!player.ended) player.play().catch(() => this.#pause());
  }

  #ended({ target }) {
    if (target === this.leader) this.#pause();
  }

  // --- what one sees

  view() {
    return html`
      <div class="pair">${[0, 1].map((side) => this.#sideView(side))}</div>
      <div class="row pair-bar">
        <button @click=${() => (this.playing ? this.#pause() : this.#play())}>${this.playing ? "Pause both" : "Play both"}</button>
        <input type="range" min="0" max=${this.seconds} step="0.05" .value=${String(this.at)} aria-label="Moment of both films"
          aria-valuetext=${`${clock(this.at)} of ${clock(this.seconds)}`}
          @input=${({ target }) => this.#seek(Number(target.value))}>
        <span class="number quiet small">${clock(this.at)} / ${clock(this.seconds)}</span>
        <fieldset class="states">
          <legend class="hidden-text">Whose sound you hear</legend>
          ${SIDES.map((words, side) => html`<label class="choice">
            <input type="radio" name="heard" .checked=${this.heard === side} @change=${() => this.#hear(side)}>
            <span><span class="hidden-text">Hear the </span>${words}<span class="hidden-text"> film</span></span></label>`)}
        </fieldset>
      </div>
      ${this.#rowsView()}`;
  }

  #hear(side) {
    this.heard = side;
    this.changed();
  }

  #sideView(side) {
    const { attempt, url, fault } = this.sides[side];
    const film = this.#film(attempt);
    const name = `side-${side}`;
    return html`
      <div class="stack">
        <label class="hidden-text" for=${name}>${SIDES[side]} film</label>
        <select id=${name} @change=${({ target }) => this.#choose(side, Number(target.value))}>
          ${this.known.map((one) => html`<option value=${one.attempt} ?selected=${one.attempt === attempt}>
            ${`Attempt ${one.attempt}${one === this.known[0] ? ", the latest" : ""} · ${ago(one.completed_at)}`}</option>`)}
        </select>
        ${fault ? html`<p class="notice bad" role="alert">${fault}</p>` : nothing}
        <video src=${url ?? nothing} poster=${film.thumbnail_url} .muted=${this.heard !== side} playsinline preload="auto"
          aria-label=${`Film of attempt ${attempt}`}
          @timeupdate=${(event) => this.#moved(event)} @waiting=${(event) => this.#stalled(event)}
          @canplay=${() => this.#ready()} @ended=${(event) => this.#ended(event)} @error=${() => this.#renew(side)}></video>
        <p class="small quiet number">${[
          duration(film.seconds),
          film.cost === null ? "cost unknown" : cost(film.cost),
          film.new_scenes ? `${counted(film.new_scenes.length, "new scene")}` : "",
        ].filter(Boolean).join(" · ")}</p>
      </div>`;
  }

  #rowsView() {
    if (this.fault) return html`<p class="notice warn" role="status">${this.fault}</p>`;
    if (!this.rows) return html`<p class="quiet" role="status">Comparing …</p>`;
    if (!this.rows.length) return html`<p class="quiet" role="status">Their storyboards are the same.</p>`;
    return html`
      <div class="wide-table"><table class="differences">
        <caption class="hidden-text">What differs in the storyboards</caption>
        <thead><tr><th scope="col">What differs</th>${this.sides.map(({ attempt }) =>
          html`<th scope="col">Attempt ${attempt}</th>`)}</tr></thead>
        ${this.rows.map(({ what, place, fields }) => html`
          <tbody>
            <tr><th scope="rowgroup" colspan="3">${what === "film" ? "The film" : _placed(place)}</th></tr>
            ${fields.map(({ label, values }) => html`<tr><th scope="row">${label}</th>
              ${values.map((value) => html`<td class="written" dir="auto">${value ?? html`<span class="quiet">–</span>`}</td>`)}</tr>`)}
          </tbody>`)}
      </table></div>`;
  }
}

function _placed([one, other]) {
  if (one === null) return `Scene ${other + 1}, only right`;
  if (other === null) return `Scene ${one + 1}, only left`;
  return one === other ? `Scene ${one + 1}` : `Scene ${one + 1}, scene ${other + 1} right`;
}

customElements.define("studio-compare", Compare);
