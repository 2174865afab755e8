/** The finished film: player, captions, chapters, and a strip of its pictures to find a moment. */

import { link } from "../api.js";
import { Component, html, nothing } from "../component.js";

// How lambdas/media/spritesheet.py lays tiles out: in rows of ten, at the shortest interval that needs at most 100.
const COLUMNS = 10;
const MOST_TILES = 100;
const TILE_SIDE = 160;
const INTERVALS = [0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 40, 60];
const STRIP_HEIGHT = 48; // about, in pixels

/** "1:05", of seconds. */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** Shows `video` (of the API), and `scenes` of its manifest: [{at: {start, end}, title}] or null. */
class Player extends Component {
  #version = null;
  #captions = null;
  #renewed = 0;
  #at = 0;
  chapter = -1;

  start() {
    this.signal.addEventListener("abort", () => this.#captions && URL.revokeObjectURL(this.#captions));
    addEventListener("resize", () => this.changed(), { signal: this.signal }); // the strip has as many tiles as fit
    this.#load();
  }

  /** Set by the template. The film stays the same while it plays, though each answer links to it anew. */
  set film(video) {
    this.video = video;
    if (this.isConnected) this.#load();
    this.changed();
  }

  get player() {
    return this.querySelector("video");
  }

  #load() {
    const version = `${this.video.id} ${this.video.completed_at}`;
    if (version === this.#version) return;
    this.#version = version;
    this.src = this.video.url;
    this.poster = this.video.thumbnail_url;
    this.sheet = null;
    if (this.#captions) URL.revokeObjectURL(this.#captions);
    this.#captions = null;
    if (this.video.captions) this.#loadCaptions(version);
    this.#loadSheet(version);
  }

  async #loadCaptions(version) {
    try {
      const answer = await fetch(await link(this.video.id, "captions", this.video.completed_at));
      if (!answer.ok || version !== this.#version) return;
      this.#captions = URL.createObjectURL(new Blob([await answer.text()], { type: "text/vtt" }));
      this.changed();
    } catch {
      // the film plays without them, and they can be downloaded
    }
  }

  async #loadSheet(version) {
    const url = await link(this.video.id, "spritesheet", this.video.completed_at).catch(() => null);
    if (url && version === this.#version) {
      this.sheet = url;
      this.changed();
    }
  }

  /** A link ends after an hour: ask for another, and go on where it stopped. */
  async #renew() {
    if (Date.now() - this.#renewed < 60_000) return;
    this.#renewed = Date.now();
    const at = this.player.currentTime;
    const url = await link(this.video.id, "video", this.#renewed).catch(() => null);
    if (!url) return;
    this.src = url;
    this.changed();
    this.player.addEventListener("loadedmetadata", () => (this.player.currentTime = at), { once: true });
  }

  /** The film's first frame is there, which is larger than its poster. */
  #sharp() {
    this.poster = null;
    this.changed();
  }

  seek(seconds, plays = true) {
    this.player.currentTime = seconds;
    if (plays) this.player.play().catch(() => {});
  }

  #moved() {
    const now = this.player.currentTime;
    const chapter = this.scenes?.findLastIndex(({ at }) => at.start <= now + 0.05) ?? -1;
    this.#place(now);
    if (chapter !== this.chapter) {
      this.chapter = chapter;
      this.changed();
    }
  }

  #place(seconds) {
    this.#at = seconds;
    const mark = this.querySelector(".strip .now");
    if (mark) mark.style.insetInlineStart = `${(100 * seconds) / this.#seconds}%`;
  }

  get #seconds() {
    return this.player?.duration || Number(this.video.seconds);
  }

  view() {
    const [width, height] = this.video.size.split("x").map(Number);
    return html`
      <div class="screen">
        <video controls playsinline preload="metadata" src=${this.src} poster=${this.poster ?? nothing}
          width=${width} height=${height} aria-label="The film"
          @loadeddata=${() => this.#sharp()} @timeupdate=${() => this.#moved()} @error=${() => this.#renew()}>
          ${this.#captions
            ? html`<track kind="captions" label="Captions" src=${this.#captions} default>`
            : nothing}
        </video>
        ${this.sheet ? this.#strip(width, height) : nothing}
      </div>
      ${this.scenes?.length > 1 ? this.#chapters() : nothing}`;
  }

  #chapters() {
    return html`
      <nav class="chapters" aria-label="Scenes of the film">
        <ol>${this.scenes.map(
          ({ at, title }, index) => html`
            <li><button class="chapter" aria-current=${index === this.chapter ? "true" : nothing}
              @click=${() => this.seek(at.start)}>
              <span class="number quiet">${clock(at.start)}</span>
              <span class="written" dir="auto">${title}</span>
            </button></li>`,
        )}</ol>
      </nav>`;
  }

  /** For the pointer: the keyboard has the player's own control and the chapters. */
  #strip(width, height) {
    const seconds = this.#seconds;
    const interval = INTERVALS.find((step) => seconds <= step * MOST_TILES) ?? INTERVALS.at(-1);
    const tiles = Math.ceil(seconds / interval);
    const scale = TILE_SIDE / Math.max(width, height);
    const tile = { width: Math.round(width * scale), height: Math.round(height * scale) };
    const shown = Math.max(3, Math.round(Math.min(innerWidth, 900) / (STRIP_HEIGHT * (width / height))));
    const over = (event) => {
      const { left, width: wide } = event.currentTarget.getBoundingClientRect();
      return Math.min(0.999, Math.max(0, (event.clientX - left) / wide)) * seconds;
    };
    return html`
      <div class="strip" aria-hidden="true"
        @pointermove=${(event) => {
          const at = over(event);
          this.#lookAt(event.currentTarget, at, { seconds, interval, tiles, tile });
          if (event.buttons) this.seek(at, false);
        }}
        @pointerleave=${(event) => (event.currentTarget.querySelector(".look").hidden = true)}
        @pointerdown=${(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          this.seek(over(event), false);
        }}>
        ${Array.from({ length: shown }, (_, place) => html`<span class="tile"
          .picture=${[this.sheet, Math.floor((place * tiles) / shown), tiles, tile]}></span>`)}
        <span class="now"></span>
        <span class="look" hidden><span class="tile"></span><span class="number"></span></span>
      </div>`;
  }

  drawn() {
    for (const element of this.querySelectorAll(".strip > .tile")) _tile(element, ...element.picture);
    this.#place(this.#at);
  }

  #lookAt(strip, at, { seconds, interval, tiles, tile }) {
    const look = strip.querySelector(".look");
    const [picture, time] = look.children;
    look.hidden = false;
    picture.style.width = `${tile.width}px`;
    _tile(picture, this.sheet, Math.min(tiles - 1, Math.floor(at / interval)), tiles, tile);
    time.textContent = clock(at);
    const half = look.offsetWidth / 2;
    const x = (at / seconds) * strip.offsetWidth;
    look.style.left = `${Math.min(strip.offsetWidth - half, Math.max(half, x))}px`;
  }
}

/** Show one tile of the spritesheet, at whatever width the element has. */
function _tile(element, sheet, index, tiles, { width, height }) {
  const columns = Math.min(COLUMNS, tiles);
  const rows = Math.ceil(tiles / COLUMNS);
  const [row, column] = [Math.floor(index / COLUMNS), index % COLUMNS];
  const part = (place, count) => (count > 1 ? `${(100 * place) / (count - 1)}%` : "0%");
  element.style.aspectRatio = `${width} / ${height}`;
  element.style.backgroundImage = `url("${sheet}")`;
  element.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
  element.style.backgroundPosition = `${part(column, columns)} ${part(row, rows)}`;
}

customElements.define("studio-player", Player);
