/** Stills, clips and voices of a film: each is loaded when it comes into view or is asked for. */

import { linkTo } from "../api.js";
import { Component, html, nothing } from "../component.js";

const near = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => target.seen(isIntersecting)),
  { rootMargin: "300px" },
);

const inSight = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => isIntersecting && target.seen()),
  { rootMargin: "64px" },
);

/** A film's poster, by its link `url`. The event `ended` says, once for each link, that it can't be loaded. */
class Poster extends Component {
  #url = null;
  #seen = false;

  start() {
    if (this.#seen) return;
    inSight.observe(this);
    this.signal.addEventListener("abort", () => inSight.unobserve(this));
  }

  /** Set by the template. */
  set url(url) {
    if (url === this.#url) return;
    this.#url = url;
    this.changed();
  }

  seen() {
    inSight.unobserve(this);
    this.#seen = true;
    this.changed();
  }

  view() {
    if (!this.#seen) return nothing;
    return html`<img src=${this.#url} alt="" decoding="async" @error=${() => this.dispatchEvent(new Event("ended"))}>`;
  }
}

/** An element whose file has a link below /v1: `path`, and a `version` that changes when it is made again. */
class Media extends Component {
  #shown = "";
  url = null;
  inView = false;

  start() {
    near.observe(this);
    this.signal.addEventListener("abort", () => near.unobserve(this));
  }

  /** Set by the template. */
  set file({ path, version }) {
    if (path === this.path && version === this.version) return;
    Object.assign(this, { path, version, url: null });
    if (this.inView) this.load();
  }

  seen(inView) {
    this.inView = inView;
    if (inView) this.load();
    else this.left();
  }

  left() {}

  async load() {
    const wanted = `${this.path} ${this.version}`;
    if (this.url && this.#shown === wanted) return this.changed();
    try {
      const url = await linkTo(this.path, this.version);
      if (wanted !== `${this.path} ${this.version}`) return;
      [this.url, this.#shown] = [url, wanted];
    } catch {
      this.url = null; // it has expired, or is being made again
    }
    this.changed();
  }
}

class Still extends Media {
  view() {
    return this.url ? html`<img src=${this.url} alt=${this.words ?? ""} decoding="async">` : nothing;
  }
}

/** The first picture of a clip, for nobody to play. */
class Frame extends Media {
  view() {
    return this.url ? html`<video src=${`${this.url}#t=0.01`} muted playsinline preload="metadata"></video>` : nothing;
  }
}

/** A clip that is made: its first picture, and the clip while the pointer or the focus is on it. */
class Clip extends Media {
  left() {
    this.url = null; // a page of 1,000 clips doesn't hold their pictures
    this.changed();
  }

  #play(plays) {
    const video = this.querySelector("video");
    if (!video) return;
    if (plays) video.play().catch(() => {}); // the pointer was gone before it began
    else video.pause();
  }

  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  view() {
    const touched = (plays) => () => this.#calm.matches || this.#play(plays);
    return html`
      <button class="clip done" @click=${() => this.#play(this.querySelector("video")?.paused)}
        @pointerenter=${touched(true)} @pointerleave=${() => this.#play(false)}
        @focus=${touched(true)} @blur=${() => this.#play(false)} aria-label=${`Play ${this.words}`}>
        ${this.url
          ? html`<video src=${`${this.url}#t=0.01`} muted loop playsinline preload="metadata" tabindex="-1"></video>`
          : nothing}
      </button>`;
  }
}

class Voice extends Media {
  start() {
    this.asked = false;
  }

  async #hear() {
    this.asked = true;
    await this.load();
  }

  view() {
    if (!this.asked || !this.url) {
      return html`<button class="small hear" @click=${() => this.#hear()}>
        <span aria-hidden="true">▶</span> ${this.words}</button>`;
    }
    return html`<audio src=${this.url} controls autoplay aria-label=${this.words}></audio>`;
  }
}

customElements.define("studio-poster", Poster);
customElements.define("studio-still", Still);
customElements.define("studio-frame", Frame);
customElements.define("studio-clip", Clip);
customElements.define("studio-voice", Voice);
