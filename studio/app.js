/** The frame of the studio: who is signed in, which screen is shown, and what is announced. */

import { caller } from "./caller.js";
import { Component, html, nothing } from "./component.js";
import { session } from "./session.js";
import { finishSignIn, signOut } from "./sign_in.js";

const SHOWN_MS = 8_000; // an announcement
const ICON = new URL("icon.svg", import.meta.url).href;

/** A screen for each form of the address's fragment; `id` is the video's. Its module is loaded when it is shown. */
const SCREENS = [
  {
    path: /^\/$/,
    title: "Films",
    load: () => import("./gallery.js"),
    view: () => html`<studio-gallery></studio-gallery>`,
  },
  {
    path: /^\/new$/,
    title: "New film",
    load: () => import("./new_film.js"),
    view: () => html`<studio-new-film></studio-new-film>`,
  },
  {
    path: /^\/films\/(?<id>[\w-]+)$/,
    title: "Film",
    load: () => import("./film.js"),
    view: ({ id }) => html`<studio-film .videoId=${id}></studio-film>`,
  },
  {
    path: /^\/films\/(?<id>[\w-]+)\/storyboard$/,
    title: "Storyboard",
    load: () => import("./storyboard.js"),
    view: ({ id }) => html`<studio-storyboard .videoId=${id}></studio-storyboard>`,
  },
  {
    path: /^\/operations$/,
    title: "Operations",
    load: () => import("./operations.js"),
    view: () => html`<studio-operations></studio-operations>`,
  },
];

class App extends Component {
  #message = "";
  #fades = 0;
  #shown = null; // the template of the screen, once its module is there

  async start() {
    session.addEventListener("change", () => this.#show(), { signal: this.signal });
    caller.addEventListener("change", () => this.changed(), { signal: this.signal });
    addEventListener("hashchange", () => this.#entered(), { signal: this.signal });
    // Any element may announce what happened: this.dispatchEvent(new CustomEvent("announce", {detail, bubbles: true})).
    this.addEventListener("announce", ({ detail }) => this.#announce(detail), { signal: this.signal });
    await finishSignIn();
    await this.#show();
  }

  get path() {
    return location.hash.replace(/^#/, "") || "/";
  }

  async #entered() {
    if (location.hash.startsWith("#code=")) await finishSignIn(); // a link opened in this window
    await this.#show();
    scrollTo(0, 0);
    queueMicrotask(() => this.querySelector("main")?.focus({ preventScroll: true }));
  }

  async #show() {
    const { path } = this;
    if (!session.active) {
      document.title = "Reelworks Studio";
      this.#shown = html`<studio-sign-in></studio-sign-in>`;
    } else {
      const screen = SCREENS.find((one) => one.path.test(path));
      document.title = `${screen?.title ?? "No such page"} · Reelworks Studio`;
      const shown = screen ? await this.#loaded(screen, screen.path.exec(path).groups ?? {}) : NO_SUCH_PAGE;
      if (path !== this.path || !session.active) return; // it was left meanwhile
      this.#shown = shown;
      if (!caller.tenant) caller.load();
    }
    this.changed();
  }

  async #loaded(screen, found) {
    try {
      await screen.load();
      return screen.view(found);
    } catch {
      return html`
        <div class="stack">
          <h1>The page can't be loaded</h1>
          <p>The network is away, or the studio was updated since you opened it. Nothing that you saved is lost.</p>
          <p><button class="primary" @click=${() => location.reload()}>Reload</button></p>
        </div>`;
    }
  }

  #announce(message) {
    this.#message = message;
    this.changed();
    clearTimeout(this.#fades);
    if (message) this.#fades = setTimeout(() => this.#announce(""), SHOWN_MS);
  }

  drawn() {
    if (this.#shown) this.querySelector(":scope > .first")?.remove(); // what index.html shows until then
  }

  view() {
    if (!this.#shown) return nothing;
    if (!session.active) return html`<main id="main" tabindex="-1">${this.#shown}</main>`;
    return html`
      <header class="bar">
        <a class="brand" href="#/"><img src=${ICON} alt="" width="24" height="24"> <span>Reelworks</span></a>
        <nav aria-label="Studio">
          <a href="#/" aria-current=${this.path === "/" ? "page" : nothing}>Films</a>
          ${caller.may("create")
            ? html`<a href="#/new" aria-current=${this.path === "/new" ? "page" : nothing}>New film</a>`
            : nothing}
          ${caller.may("operate")
            ? html`<a href="#/operations" aria-current=${this.path === "/operations" ? "page" : nothing}>Operations</a>`
            : nothing}
        </nav>
        <span class="tenant small quiet" title="Tenant">${caller.tenant}</span>
        <button class="plain" @click=${signOut}>Sign out</button>
      </header>
      <main id="main" tabindex="-1">${this.#shown}</main>
      <div class="toast" role="status">${this.#message}</div>`;
  }
}

const NO_SUCH_PAGE = html`<h1>There is no such page</h1><p><a href="#/">See your films</a></p>`;

customElements.define("studio-app", App);
