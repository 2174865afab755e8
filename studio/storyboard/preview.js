/** A scene's still, asked for once it is seen, and its voice, asked for once it is to be heard. */

import { ApiError, get } from "../api.js";
import { Component, html, nothing } from "../component.js";
import { icon } from "../controls/icons.js";

class Still extends Component {
  #path = null;
  #url = null;
  #message = "";
  #seen = false;

  label = "";
  shape = [16, 9];

  /** `path` is that of the API with a version, or null; `message` says why there is none. */
  set source({ path, version, message }) {
    const source = path && `${path}#${version}`;
    this.#message = message;
    if (source !== this.#path) {
      this.#path = source;
      this.#url = null;
      if (this.#seen) this.#load();
    }
    this.changed();
  }

  start() {
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      seen.disconnect();
      this.#seen = true;
      this.#load();
    }, { rootMargin: "400px" });
    seen.observe(this);
    this.signal.addEventListener("abort", () => seen.disconnect());
    this.style.aspectRatio = this.shape.join(" / ");
  }

  async #load() {
    const path = this.#path;
    if (!path) return;
    try {
      const { url } = await get(path.split("#")[0], { link: "json" }, this.signal);
      if (path === this.#path) this.#url = url;
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#message = error.message;
    }
    this.changed();
  }

  view() {
    return this.#url
      ? html`<img src=${this.#url} alt=${this.label} @error=${() => {
          this.#url = null;
          this.#message = "The picture could not be loaded.";
          this.changed();
        }}>`
      : html`<p class="small quiet">${this.#message}</p>`;
  }
}

class Voice extends Component {
  #audio = null;
  #fault = "";

  path = "";
  label = "";

  start() {
    this.signal.addEventListener("abort", () => this.#stop());
  }

  async #play() {
    document.dispatchEvent(new CustomEvent("studio-voice", { detail: this })); // one at a time
    this.#fault = "";
    this.#audio = new Audio();
    const audio = this.#audio;
    audio.addEventListener("ended", () => this.#stop());
    document.addEventListener("studio-voice", () => this.#stop(), { once: true });
    this.changed();
    try {
      const { url } = await get(this.path, { link: "json" }, this.signal);
      if (audio !== this.#audio) return;
      audio.src = url;
      await audio.play();
    } catch (error) {
      if (this.signal.aborted || audio !== this.#audio) return;
      this.#stop();
      this.#fault = error instanceof ApiError ? error.message : "The voice could not be played.";
      this.changed();
    }
  }

  #stop() {
    this.#audio?.pause();
    this.#audio = null;
    this.changed();
  }

  view() {
    return html`
      <button type="button" aria-label="${this.#audio ? "Stop" : "Hear"} ${this.label}" @click=${() => (this.#audio ? this.#stop() : this.#play())}>
        ${icon(this.#audio ? "stop" : "play")} ${this.#audio ? "Stop" : "Hear"}</button>
      ${this.#fault ? html`<p class="fault" role="alert">${this.#fault}</p>` : nothing}`;
  }
}

customElements.define("studio-scene-still", Still);
customElements.define("studio-scene-voice", Voice);
