/** The frame of the studio: who is signed in, which screen is shown, and what is announced. */

import { Component, html, nothing } from "./component.js";
import { session } from "./session.js";
import { finishSignIn, signOut } from "./sign_in.js";
import "./gallery.js";
import "./film.js";
import "./new_film.js";
import "./storyboard.js";

const ICON = new URL("icon.svg", import.meta.url).href;

/** A screen for each form of the address's fragment; `id` is the video's. */
const SCREENS = [
  { path: /^\/$/, title: "Films", view: () => html`<studio-gallery></studio-gallery>` },
  { path: /^\/new$/, title: "New film", view: () => html`<studio-new-film></studio-new-film>` },
  {
    path: /^\/films\/(?<id>[\w-]+)$/,
    title: "Film",
    view: ({ id }) => html`<studio-film .videoId=${id}></studio-film>`,
  },
  {
    path: /^\/films\/(?<id>[\w-]+)\/storyboard$/,
    title: "Storyboard",
    view: ({ id }) => html`<studio-storyboard .videoId=${id}></studio-storyboard>`,
  },
];

class App extends Component {
  #message = "";

  async start() {
    this.ready = false;
    session.addEventListener("change", () => this.changed(), { signal: this.signal });
    addEventListener("hashchange", () => this.#entered(), { signal: this.signal });
    // Any element may announce what happened: this.dispatchEvent(new CustomEvent("announce", {detail, bubbles: true})).
    this.addEventListener("announce", ({ detail }) => this.#announce(detail), { signal: this.signal });
    await finishSignIn();
    this.ready = true;
    this.changed();
  }

  get path() {
    return location.hash.replace(/^#/, "") || "/";
  }

  async #entered() {
    if (location.hash.startsWith("#code=")) await finishSignIn(); // a link opened in this window
    this.changed();
    queueMicrotask(() => this.querySelector("main")?.focus({ preventScroll: true }));
    scrollTo(0, 0);
  }

  #announce(message) {
    this.#message = message;
    this.changed();
  }

  view() {
    if (!this.ready) return nothing;
    if (!session.active) return html`<main id="main" tabindex="-1"><studio-sign-in></studio-sign-in></main>`;
    const [screen, found] = this.#screen();
    document.title = screen ? `${screen.title} · Reelworks Studio` : "Reelworks Studio";
    return html`
      <header class="bar">
        <a class="brand" href="#/"><img src=${ICON} alt="" width="24" height="24"> <span>Reelworks</span></a>
        <nav aria-label="Studio">
          <a href="#/" aria-current=${this.path === "/" ? "page" : nothing}>Films</a>
          <a href="#/new" aria-current=${this.path === "/new" ? "page" : nothing}>New film</a>
        </nav>
        <button class="plain" @click=${signOut}>Sign out</button>
      </header>
      <main id="main" tabindex="-1">
        ${screen
          ? screen.view(found)
          : html`<h1>There is no such page</h1><p><a href="#/">See your films</a></p>`}
      </main>
      <div class="toast" role="status">${this.#message}</div>`;
  }

  #screen() {
    for (const screen of SCREENS) {
      const match = screen.path.exec(this.path);
      if (match) return [screen, match.groups ?? {}];
    }
    return [];
  }
}

customElements.define("studio-app", App);
