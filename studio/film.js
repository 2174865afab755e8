/** One film: its progress while it is made, why it failed, and the film itself with what can be made of it. */

import { ApiError, get, link, post, remove, request } from "./api.js";
import { ask } from "./ask.js";
import { caller } from "./caller.js";
import { Component, html, nothing } from "./component.js";
import "./film/compare.js";
import { costView, eventsView, filesView, provenanceView, qualityView, save } from "./film/details.js";
import "./film/media.js";
import "./film/player.js";
import { scenesView } from "./film/scenes.js";
import { ago, cost, duration } from "./format.js";
import { library } from "./library.js";
import { poll } from "./polling.js";
import { STEPS, filmWaits, stageText, stateOf, timeLeft, titleOf } from "./video.js";

const WAITING_MS = 15_000; // for a person
const ENDED_MS = 600_000; // only another window can change it, and its links end

class Film extends Component {
  #polling = null;

  start() {
    caller.addEventListener("change", () => this.changed(), { signal: this.signal });
    this.#forget();
    this.#watch();
  }

  /** Set by the template. */
  set videoId(id) {
    if (id === this.wanted) return;
    this.wanted = id;
    if (!this.isConnected) return;
    this.#forget();
    this.#watch();
    this.changed();
  }

  #forget() {
    Object.assign(this, { video: null, fault: null, told: null, clips: null, board: null, manifest: null, events: null, films: null, waiting: null, quality: null });
    this.manifestFault = null;
    this.comparing = false;
    this.read = {};
  }

  /** Ask for the film at once, and then as often as the API says. */
  #watch() {
    this.#polling?.abort();
    this.#polling = new AbortController();
    const signal = AbortSignal.any([this.signal, this.#polling.signal]);
    poll(() => this.#ask(signal), { signal, failed: (error) => this.#failed(error) });
  }

  async #ask(signal) {
    const { data, headers } = await request("GET", `videos/${this.wanted}`, { signal });
    this.#take(data);
    await this.#readParts(signal);
    const state = stateOf(data);
    if (state === "waits") return WAITING_MS;
    return state === "open" ? Math.max(1_000, Number(headers.get("openai-poll-after-ms")) || 2_000) : ENDED_MS;
  }

  #failed(error) {
    this.fault = error;
    this.changed();
  }

  #take(video) {
    const before = this.video;
    this.video = video;
    this.fault = null;
    if (before && before.stage !== video.stage) this.#say(stageText(video));
    library.put(video);
    document.title = `${titleOf(video)} · Reelworks Studio`;
    this.changed();
  }

  #say(detail) {
    this.dispatchEvent(new CustomEvent("announce", { detail, bubbles: true }));
  }

  /** Read what the film's parts are, each once for each version of it. */
  async #readParts(signal) {
    const { video } = this;
    const id = video.id;
    const finished = video.url && video.completed_at;
    await Promise.all([
      this.#once("board", video.storyboard?.sha256, () => get(`videos/${id}/storyboard`, {}, signal)),
      this.#once("clips", video.clips.length && `${video.attempt} ${video.clips.length}`, async () =>
        (await get(`videos/${id}/clips`, {}, signal)).data),
      this.#once("manifest", finished && `${finished}`, () => this.#readManifest(signal)),
      this.#once("films", finished && video.attempt > 1 && `${finished}`, async () =>
        (await get(`videos/${id}/films`, {}, signal)).data),
      this.#once("events", this.eventsShown && JSON.stringify([video.stages.length, video.progress]), () =>
        this.#readEvents(signal)),
    ]);
    const reported = finished && this.manifest?.delivered.some(({ variant }) => variant === "quality");
    const waits = filmWaits(video) && `review ${video.attempt}`;
    await this.#once("quality", waits || (reported && `${finished}`), () => this.#readFile("quality", signal));
    await this.#once("waiting", waits, () => this.#readWaiting(waits));
  }

  async #once(name, version, read) {
    if (!version || this.read[name] === version) return;
    try {
      this[name] = await read();
      this.read[name] = version;
      this.changed();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 401) throw error;
      if (name === "manifest") this.manifestFault = error; // the next time it may be there
    }
  }

  /** The film that waits, as the player shows a finished one. */
  async #readWaiting(version) {
    const { video } = this;
    const [url, thumbnail_url] = await Promise.all(["video", "thumbnail"].map((one) => link(video.id, one, version)));
    return { ...video, url, thumbnail_url, completed_at: version };
  }

  async #readManifest(signal) {
    const manifest = await this.#readFile("manifest", signal);
    this.manifestFault = null;
    return manifest;
  }

  async #readFile(variant, signal) {
    const message = `Its ${variant === "quality" ? "quality report" : variant} can't be loaded.`;
    const version = filmWaits(this.video) ? `review ${this.video.attempt}` : this.video.completed_at;
    const url = await link(this.wanted, variant, version);
    const answer = await fetch(url, { signal }).catch((error) => {
      throw error.name === "AbortError" ? error : new ApiError(0, { message });
    });
    if (!answer.ok) throw new ApiError(answer.status, { message });
    return answer.json();
  }

  async #readEvents(signal) {
    return (await get(`videos/${this.wanted}/events`, {}, signal)).data;
  }

  async #eventsOpened() {
    this.eventsShown = true;
    await this.#readParts(this.signal).catch(() => {});
  }

  // --- what one can do

  /** Do something, which may answer the film as it is then. What the API says against it is shown in place. */
  async #act(act) {
    this.told = null;
    this.changed();
    try {
      const video = await act();
      if (!video) return;
      this.#take(video);
      this.#watch();
    } catch (error) {
      this.told = error;
      this.changed();
    }
  }

  #retry() {
    const { video } = this;
    if (video.max_cost === null) {
      this.#act(() => post(`videos/${video.id}/retry`));
      return;
    }
    ask({
      title: "Retry this film",
      text: "What was made is reused.",
      fields: [_maxCost(`All attempts together. Until now ${cost(video.max_cost)}.`, video.max_cost)],
      action: "Retry",
      send: async ({ max_cost }) => {
        this.#take(await post(`videos/${video.id}/retry`, {}, { query: { max_cost } }));
        this.#watch();
      },
    });
  }

  #deliver() {
    const { id } = this.video;
    this.#act(() => post(`videos/${id}/approve`, {}, { query: { gate: "film" } }));
  }

  #cancel() {
    const { id } = this.video;
    ask({
      title: "Cancel this film?",
      text: "What was made is kept for a while, so a retry goes on from here.",
      action: "Cancel the film",
      danger: true,
      send: async () => {
        this.#take(await post(`videos/${id}/cancel`));
        this.#watch();
      },
    });
  }

  #delete() {
    const { video } = this;
    const open = stateOf(video) === "open" || stateOf(video) === "waits";
    ask({
      title: "Delete this film?",
      text: `“${titleOf(video)}” is deleted with all its files${open ? ", and is no longer made" : ""}. This can't be undone.`,
      action: "Delete the film",
      danger: true,
      send: async () => {
        await remove(`videos/${video.id}`);
        library.drop(video.id);
        this.#say("The film is deleted.");
        location.hash = "#/";
      },
    });
  }

  /** Ask for a new film of this one, and go there. */
  #derive({ name, title, text, path, of, fields }) {
    ask({
      title,
      text,
      action: "Make the film",
      draft: `${name}.${this.video.id}`,
      fields: [...fields, _maxCost("The new film fails before it costs more.")],
      send: async (values, once) => {
        const headers = { "idempotency-key": once };
        const made = await post(path, { ...values, ...of }, { headers });
        location.hash = `#/films/${made.id}`;
      },
    });
  }

  #remix() {
    this.#derive({
      name: "remix",
      title: "Remix this film",
      text: "A new film with a change. What doesn't change is reused and costs nothing.",
      path: `videos/${this.video.id}/remix`,
      of: {},
      fields: [_prompt("What should change?", "For example: make it a night scene.")],
    });
  }

  #edit() {
    this.#derive({
      name: "edit",
      title: "Edit this film's pictures",
      text: "A new film whose changed clips keep the motion of these, if the engine can do that.",
      path: "videos/edits",
      of: { video: { id: this.video.id } },
      fields: [
        _prompt("What should change?", "For example: paint it in watercolour."),
        { name: "strength", label: "How much is redrawn", kind: "number", optional: true, limits: { min: 0.05, max: 1, step: 0.05 },
          hint: "Above 0, up to 1; by default 0.8. Only for engines that take a video." },
      ],
    });
  }

  #extend() {
    this.#derive({
      name: "extend",
      title: "Extend this film",
      text: "A new film: this one, and a scene that continues it.",
      path: "videos/extensions",
      of: { video: { id: this.video.id } },
      fields: [
        _prompt("What comes next?", "For example: the kite lands."),
        { name: "seconds", label: "How many seconds longer", kind: "number", value: "4", limits: { min: 1, max: 3600, step: 1 } },
      ],
    });
  }

  #reshape() {
    const { video } = this;
    ask({
      title: "Deliver this film in another shape, too",
      text: "It is made from the same clips, with captions set anew. Nothing is rendered again.",
      action: "Make the shape",
      fields: [
        { name: "aspect", label: "Shape", kind: "text", limits: { maxlength: 5 }, hint: "16:9, 9:16, 1:1, 4:5 or 21:9" },
        { name: "fit", label: "How the film fills it", kind: "text", value: "cover", limits: { maxlength: 7 },
          hint: "cover crops the picture; blur and contain show all of it, over a blurred copy or black." },
      ],
      send: async (shape) => {
        this.#take(await post(`videos/${video.id}/shapes`, { shapes: [shape] }));
        this.#watch();
      },
    });
  }

  // --- what one sees

  view() {
    const { video, fault } = this;
    if (!video) return this.#nothingYet();
    const state = stateOf(video);
    return html`
      <article class="stack">
        <header class="stack film-head">
          <a class="small back" href="#/"><span aria-hidden="true">←</span> Films</a>
          <div class="row spread top">
            <h1 class="written ${video.prompt.length > 60 ? "long" : ""}" dir="auto">${this.board?.title ?? titleOf(video)}</h1>
            <span class="tag state-${state}">${stageText(video)}</span>
          </div>
          ${this.#facts(video)}
        </header>
        ${fault ? html`<p class="notice warn" role="status">${fault.message}</p>` : nothing}
        ${state === "waits" ? this.#waitsView(video) : nothing}
        ${filmWaits(video) ? this.#waitingFilm() : nothing}
        ${state === "open" ? this.#progressView(video) : nothing}
        ${state === "failed" ? this.#failureView(video) : nothing}
        ${video.url ? this.#filmView(video, state) : nothing}
        ${this.told ? html`<p class="notice bad" role="alert">${this.told.message}</p>` : nothing}
        ${state === "completed" ? this.#makeMore(video) : nothing}
        ${this.films?.length > 1 ? this.#compareView(video) : nothing}
        ${state === "completed" && this.manifest ? this.#made(video) : nothing}
        ${this.manifestFault && !this.manifest
          ? html`<p class="notice warn">${this.manifestFault.message} Its scenes and costs are missing here.</p>`
          : nothing}
        ${state === "completed" ? nothing : scenesView(video, this.clips, this.board)}
        ${eventsView(this.events, () => this.#eventsOpened())}
        ${state === "completed"
          ? nothing
          : mayChange(html`<div><button class="danger" @click=${() => this.#delete()}>Delete the film</button></div>`)}
      </article>`;
  }

  #nothingYet() {
    if (!this.fault) return html`<p class="quiet" role="status">Loading …</p>`;
    if (this.fault.status === 404) {
      return html`<div class="stack"><h1>There is no such film</h1>
        <p>It was deleted, has expired, or isn't yours.</p><p><a class="button" href="#/">See your films</a></p></div>`;
    }
    return html`<div class="stack"><h1>The film can't be shown</h1><p class="notice bad" role="alert">${this.fault.message}</p>
      <p><button @click=${() => this.#watch()}>Try again</button></p></div>`;
  }

  #facts(video) {
    const facts = [
      `${duration(Number(video.seconds))}`,
      video.size.replace("x", " × "),
      video.draft ? `${video.model}, a draft` : video.model,
      video.attempt > 1 ? `attempt ${video.attempt}` : "",
      video.cost ? cost(video.cost) : "",
      ago(video.completed_at ?? video.created_at),
    ];
    return html`<p class="small quiet number">${facts.filter(Boolean).join(" · ")}</p>`;
  }

  /** The finished film, and what its quality report warns of. */
  #waitingFilm() {
    return html`
      ${this.waiting ? html`<studio-player class="player" .film=${this.waiting}></studio-player>` : nothing}
      ${this.quality ? qualityView(this.quality, (seconds) => this.querySelector("studio-player")?.seek(seconds)) : nothing}`;
  }

  #waitsView(video) {
    const until = video.review.until * 1000;
    const films = filmWaits(video);
    const edited = films && video.storyboard && !video.storyboard.filmed;
    const title = films
      ? "Watch the film: its quality report warns"
      : video.review.gate === "storyboard" ? "Read the storyboard" : "Hear the voices, look at the stills";
    return html`
      <section class="notice warn call">
        <div>
          <h2>${title}</h2>
          <p class="small">${films
            ? "It is not delivered until you approve it."
            : "Nothing is made until you approve."} It waits until
            ${new Date(until).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}, and waiting costs nothing.</p>
        </div>
        <div class="row">
          ${films
            ? html`${edited ? nothing : mayChange(html`<button class="primary" @click=${() => this.#deliver()}>Deliver it</button>`)}
                ${_boardLink(video, edited ? "Make the changes" : "Edit scenes")}`
            : html`<a class="button primary" href=${`#/films/${video.id}/storyboard`}>Review</a>`}
          ${mayChange(html`<button @click=${() => this.#cancel()}>Cancel</button>`)}
        </div>
      </section>`;
  }

  #progressView(video) {
    const at = STEPS.findIndex(([stage]) => stage === video.stage);
    const steps = STEPS.filter(([stage]) => stage !== "preparing" || video.narrations.length || video.stills.length || video.storyboard);
    const left = timeLeft(video);
    return html`
      <section class="card stack" aria-label="Progress">
        <div class="row spread">
          <p><strong class="number percent">${video.progress} %</strong> <span class="quiet number">${left}</span></p>
          ${mayChange(html`<button @click=${() => this.#cancel()}>Cancel</button>`)}
        </div>
        <progress max="100" .value=${video.progress} aria-label="Progress of the film"></progress>
        <ol class="steps small">
          ${steps.map(([stage, words]) => {
            const place = STEPS.findIndex(([one]) => one === stage);
            return html`<li class=${place < at ? "past" : ""} aria-current=${place === at ? "step" : nothing}>${words}</li>`;
          })}
        </ol>
      </section>`;
  }

  #failureView(video) {
    const { failure } = video;
    const where = failure && [
      failure.scene === null ? "" : `scene ${failure.scene + 1}`,
      failure.clip === null ? "" : `clip ${failure.clip + 1}`,
      failure.shape ? `shape ${failure.shape}` : "",
    ].filter(Boolean).join(", ");
    return html`
      <section class="notice bad call">
        <div>
          <h2>${failure ? `It failed${where ? ` at ${where}` : ""}` : "It was cancelled"}</h2>
          ${failure ? html`<p class="written">${failure.reason}</p><p class="written"><strong>${failure.advice}</strong></p>
            <p class="small quiet">${failure.step} · ${failure.code}</p>` : html`<p>What was made is reused if you retry.</p>`}
        </div>
        <div class="row">
          ${mayChange(html`<button class="primary" @click=${() => this.#retry()}>Retry</button>`)}
          ${_boardLink(video, "Edit the storyboard")}
        </div>
      </section>`;
  }

  #filmView(video, state) {
    const scenes = this.manifest?.scenes.map(({ index, at, narration, clips }) => ({
      at,
      title: narration?.text ?? clips[0]?.prompt ?? `Scene ${index + 1}`,
    }));
    return html`
      ${state === "completed" ? nothing : html`<h2>The film of an earlier attempt</h2>`}
      <studio-player class="player" .film=${video} .scenes=${scenes}></studio-player>`;
  }

  #compareView(video) {
    return html`
      <details class="card" @toggle=${({ target }) => this.#compares(target.open)}>
        <summary>Compare with an earlier film</summary>
        ${this.comparing ? html`<studio-compare class="stack" .videoId=${video.id} .films=${this.films}></studio-compare>` : nothing}
      </details>`;
  }

  #compares(open) {
    this.comparing = open;
    this.changed();
  }

  #makeMore(video) {
    return html`
      <div class="row actions">
        <button class="primary" @click=${() => this.#act(() => save(video, "video"))}>Download</button>
        ${mayChange(html`
          <button @click=${() => this.#remix()}>Remix</button>
          <button @click=${() => this.#extend()}>Extend</button>
          <button @click=${() => this.#edit()}>Edit the pictures</button>
          <button @click=${() => this.#reshape()}>Add a shape</button>
        `)}
        ${_boardLink(video, "Edit scenes")}
        ${mayChange(html`<button class="danger last" @click=${() => this.#delete()}>Delete</button>`)}
      </div>`;
  }

  #made(video) {
    const { manifest } = this;
    return html`
      ${this.quality ? qualityView(this.quality, (seconds) => this.querySelector("studio-player").seek(seconds)) : nothing}
      <div class="made">
        ${filesView(video, manifest, (saved) => this.#act(() => saved))}
        ${costView(manifest)}
        ${provenanceView(video, manifest)}
      </div>`;
  }
}

const mayChange = (template) => (caller.may("create") ? template : nothing);

const _boardLink = (video, words) =>
  video.storyboard
    ? html`<a class="button" href=${`#/films/${video.id}/storyboard`}>${caller.may("create") ? words : "See the storyboard"}</a>`
    : nothing;

const _prompt = (label, hint) => ({ name: "prompt", label, kind: "text", hint, limits: { maxlength: 2000 } });

const _maxCost = (hint, value) => ({
  name: "max_cost", label: "Most it may cost, in USD", kind: "number", hint, optional: true, value,
  limits: { min: 0.01, max: 1_000_000, step: 0.01 },
});

customElements.define("studio-film", Film);
