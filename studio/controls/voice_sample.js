/** A button that has the API say a few words in a voice, and plays them. */

import { post } from "../api.js";
import { Component, html, nothing } from "../component.js";
import { icon } from "./icons.js";

class VoiceSample extends Component {
  #audio = new Audio();
  #waits = false;
  #fault = "";

  /** `voice`: its id. `request`: the body, with the `text`. Set by the template. */
  set asked({ voice, request }) {
    const changed = voice !== this.voice || JSON.stringify(request) !== JSON.stringify(this.request);
    Object.assign(this, { voice, request });
    if (!changed) return;
    this.#fault = "";
    this.changed();
  }

  start() {
    const { signal } = this;
    for (const event of ["play", "pause", "ended"]) this.#audio.addEventListener(event, () => this.changed(), { signal });
    signal.addEventListener("abort", () => this.#audio.pause());
  }

  get #plays() {
    return !this.#audio.paused && !this.#audio.ended;
  }

  async #pressed() {
    if (this.#plays) return this.#audio.pause();
    this.#waits = true;
    this.#fault = "";
    this.changed();
    try {
      const { url } = await post(`voices/${encodeURIComponent(this.voice)}/sample`, this.request);
      if (!this.isConnected) return;
      this.#audio.src = url;
      await this.#audio.play();
    } catch (error) {
      this.#fault = error.message;
    } finally {
      this.#waits = false;
      this.changed();
    }
  }

  view() {
    const words = this.#plays ? "Stop" : this.#waits ? "Wait…" : "Hear it";
    return html`
      <button type="button" aria-disabled=${this.#waits} @click=${() => this.#waits || this.#pressed()}>
        ${icon(this.#plays ? "stop" : "play")} ${words}
      </button>
      ${this.#fault ? html`<p class="fault" role="alert">${this.#fault}</p>` : nothing}`;
  }
}

customElements.define("studio-voice-sample", VoiceSample);
