/** The screen that shows and edits a film's storyboard: while the film waits for a person, and after it has ended. */

import { ApiError, get, link, post, request } from "./api.js";
import { caller } from "./caller.js";
import { Component, html, nothing, ref } from "./component.js";
import { icon } from "./controls/icons.js";
import "./film/media.js";
import { poll } from "./polling.js";
import { aboutCost, consequences, drawsStills } from "./storyboard/changes.js";
import { approveForm, conflictForm, regenerateForm } from "./storyboard/dialogs.js";
import { opened, closed, ownMaterial, sameDocument } from "./storyboard/document.js";
import { forgetDraft, keepDraft, keptDraft } from "./storyboard/drafts.js";
import { StoryboardEditor } from "./storyboard/editor.js";
import { compare, merged } from "./storyboard/merge.js";
import { spokenWords } from "./text_limits.js";
import { filmWaits } from "./video.js";

const LIVE_MS = 2_000; // while the film is being made
const IDLE_MS = 15_000; // while it waits: somebody else may change it
const KEEP_AFTER_MS = 300;
const MAKING = {
  queued: "It waits for its turn.",
  planning: "Its scenes are being written.",
  preparing: "Voices and stills are being made.",
  rendering: "Its clips are being made.",
  assembling: "It is being put together.",
  publishing: "It is being published.",
};
const GATES = { storyboard: "the storyboard", previews: "voices and stills", film: "the film" };
const NAMES = { voice: "voice", still: "still", clips: "clips" };

class StoryboardScreen extends Component {
  #video = null;
  #etag = null;
  #base = null; // the stored storyboard, opened for edits
  #filmed = null; // the storyboard of the film, and of which attempt
  #editor = new StoryboardEditor(this, () => this.#edited());
  #models = [];
  #voices = [];
  #characters = [];
  #error = ""; // why there is nothing to show
  #message = null; // {text, kind}: what happened
  #busy = ""; // what is being sent
  #away = ""; // why the API could not be asked
  #watching = null; // AbortController
  #stale = false; // somebody else saved another storyboard
  #unkept = false;
  #timer = null;
  #dialogs = {};
  #regeneration = null;
  #conflict = null;
  #approval = null;

  #id = "";

  get videoId() {
    return this.#id;
  }

  set videoId(id) {
    if (id === this.#id) return;
    if (this.#timer) this.#keep();
    this.#id = id;
    this.#video = this.#etag = this.#base = this.#filmed = this.#message = null;
    this.#regeneration = this.#conflict = this.#approval = null;
    this.#error = "";
    this.#stale = false;
    if (this.isConnected) this.#watch();
  }

  start() {
    this.#editor.start();
    caller.addEventListener("change", () => this.changed(), { signal: this.signal });
    this.signal.addEventListener("abort", () => this.#timer && this.#keep());
    addEventListener("pagehide", () => this.#timer && this.#keep(), { signal: this.signal });
    // An unsaved text is kept in the browser, so leaving asks nothing.
    Promise.all([
      get("models", {}, this.signal),
      get("voices", {}, this.signal),
      get("videos/characters", { limit: 100 }, this.signal),
    ]).then(
      ([models, voices, characters]) => {
        this.#models = models.data;
        this.#voices = voices.data;
        this.#characters = characters.data;
        this.changed();
      },
      (error) => this.#failed(error),
    );
    this.#watch();
  }

  /** Ask the API at once, and then again and again. */
  #watch() {
    this.#watching?.abort();
    this.#watching = new AbortController();
    poll(() => this.#follow(), {
      signal: AbortSignal.any([this.signal, this.#watching.signal]),
      failed: (error) => {
        this.#away = error.message;
        this.#failed(error);
      },
    });
  }

  #failed(error) {
    if (this.signal.aborted) return;
    if (!(error instanceof ApiError)) throw error;
    if (!this.#base) this.#error = error.message;
    else if (!this.#away) this.#say(error.message, "bad");
    this.changed();
  }

  get #editable() {
    return (
      caller.may("create") &&
      Boolean(this.#video) &&
      (this.#video.stage === "reviewing" || this.#ended) &&
      this.#video.storyboard !== null
    );
  }

  get #ended() {
    return ["completed", "failed", "cancelled"].includes(this.#video.stage);
  }

  get #dirty() {
    return this.#base !== null && !sameDocument(this.#editor.storyboard, this.#base);
  }

  get #engine() {
    return this.#models.find(({ id }) => id === this.#video?.model);
  }

  // --- what the API has

  async #follow() {
    await this.#refresh();
    return this.#ended || this.#video.stage === "reviewing" ? IDLE_MS : LIVE_MS;
  }

  async #refresh() {
    const before = this.#video;
    const video = await get(`videos/${this.videoId}`, {}, this.signal);
    this.#video = video;
    this.#error = this.#away = "";
    if (video.storyboard?.sha256 && this.#etag !== `"${video.storyboard.sha256}"`) {
      if (this.#dirty) this.#stale = true;
      else await this.#load();
    } else if (!video.storyboard && !before) {
      await this.#explain();
    }
    if ((video.status === "completed" || filmWaits(video)) && this.#filmed?.attempt !== video.attempt)
      await this.#loadFilmed();
    if (before && before.stage !== video.stage && this.#editable) {
      this.#editor.announce(this.#ended ? `The film is ${video.stage}.` : "The film waits for your approval.");
      this.#message = null;
    }
    this.changed();
  }

  /** A film of one prompt has no storyboard; others have none yet. */
  async #explain() {
    try {
      await get(`videos/${this.videoId}/storyboard`, {}, this.signal);
    } catch (error) {
      if (error.status === 404 || this.#ended) this.#error = error.message;
      else if (error.status !== 409) throw error;
    }
  }

  async #load() {
    const first = this.#base === null;
    const { data, headers } = await request("GET", `videos/${this.videoId}/storyboard`, { signal: this.signal });
    const draft = first ? keptDraft(this.videoId) : null;
    const etag = headers.get("etag");
    const stored = opened(data);
    if (draft && !sameDocument(draft.mine, stored)) {
      this.#etag = draft.etag;
      this.#base = draft.base;
      this.#editor.load(draft.mine);
      if (draft.etag === etag) this.#say("Your unsaved changes are back.");
      else this.#compare(stored, etag);
      return;
    }
    if (this.#dirty) {
      // typed meanwhile
      this.#stale = true;
      return;
    }
    this.#accept(stored, etag);
    this.#editor.load(stored);
    if (!first) this.#say("The storyboard changed, and this is the new one.");
  }

  /** The storyboard that was filmed; without it the screen can't say which clips are reused. */
  async #loadFilmed() {
    const { attempt, storyboard } = this.#video;
    if (storyboard?.filmed) {
      this.#filmed = { attempt, storyboard: this.#base };
      return;
    }
    if (filmWaits(this.#video)) {
      // only a delivered film has its storyboard
      this.#filmed = { attempt, storyboard: null };
      return;
    }
    const answer = await fetch(await link(this.videoId, "storyboard", String(attempt)), { signal: this.signal }).catch(
      () => null,
    );
    this.#filmed = { attempt, storyboard: answer?.ok ? opened(await answer.json()) : null };
  }

  // --- edits

  #edited() {
    this.#message = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), KEEP_AFTER_MS);
  }

  #keep() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#dirty) forgetDraft(this.videoId);
    else this.#unkept = !keepDraft(this.videoId, { etag: this.#etag, base: this.#base, mine: this.#editor.storyboard });
    this.changed();
  }

  #discard() {
    clearTimeout(this.#timer);
    this.#timer = null;
    forgetDraft(this.videoId, { all: true });
    this.#editor.load(this.#base);
    this.#message = null;
    this.#editor.announce("Your changes are discarded.");
    this.#watch();
  }

  #say(text, kind = "") {
    this.#message = { text, kind };
    this.changed();
  }

  /** Save what was edited. Returns whether the stored storyboard is now the one that is shown. */
  async #save() {
    if (!this.#dirty) return true;
    const mine = this.#editor.storyboard;
    this.#busy = "save";
    this.changed();
    try {
      const { data, headers } = await request("PUT", `videos/${this.videoId}/storyboard`, {
        body: closed(mine),
        headers: { "if-match": this.#etag },
      });
      this.#etag = headers.get("etag");
      this.#base = this.#identified(data, mine);
      // What was typed meanwhile stays unsaved.
      if (this.#editor.storyboard === mine) this.#editor.load(this.#base);
      clearTimeout(this.#timer);
      this.#keep();
      this.#say("Saved.", "good");
      this.#editor.announce("Saved.");
      await this.#refresh();
      this.#watch();
      return true;
    } catch (error) {
      await this.#unsaved(error);
      return false;
    } finally {
      this.#busy = "";
      this.changed();
    }
  }

  /** The stored document with the ids of the scenes that were sent, so that focus and order stay. */
  #identified(document, sent) {
    const storyboard = opened(document);
    return {
      ...storyboard,
      scenes: storyboard.scenes.map((scene, index) => ({ ...scene, id: sent.scenes[index].id })),
    };
  }

  async #unsaved(error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 412) {
      try {
        await this.#merge();
      } catch (other) {
        this.#failed(other);
      }
      return;
    }
    const control = this.#editor.fault(error);
    this.#say(error.message, "bad");
    if (control) this.#focus(control);
    if (error.status === 409) this.#watch();
  }

  #focus(control) {
    this.changed();
    queueMicrotask(() =>
      queueMicrotask(() => {
        const found = this.querySelector(`[id="${control}"]`);
        const folded = found?.closest("details");
        if (folded) folded.open = true;
        found?.focus();
        found?.scrollIntoView({ block: "center" });
      }),
    );
  }

  // --- two people at once

  /** Get the stored storyboard and show it beside the edited one. */
  async #merge() {
    const { data, headers } = await request("GET", `videos/${this.videoId}/storyboard`, { signal: this.signal });
    const etag = headers.get("etag");
    const theirs = opened(data);
    if (!sameDocument(this.#editor.storyboard, theirs)) {
      this.#compare(theirs, etag);
      return;
    }
    this.#accept(theirs, etag);
    this.#editor.load(theirs);
    this.#keep();
    this.#say("Somebody else saved the same.");
  }

  /** Show theirs beside the edited one. Until a person chose, edits are of the old one, so saving asks again. */
  #compare(theirs, etag) {
    const rows = compare(this.#base, this.#editor.storyboard, theirs).map((row) => ({
      ...row,
      same: row.choice === "same",
      changedBy: row.choice,
    }));
    this.#stale = true;
    this.#conflict = { rows, theirs, etag };
    this.#show("conflict");
  }

  #accept(storyboard, etag) {
    this.#base = storyboard;
    this.#etag = etag;
    this.#stale = false;
  }

  #show(name) {
    this.changed();
    queueMicrotask(() => queueMicrotask(() => this.#dialogs[name]?.showModal()));
  }

  #choose(index, choice) {
    this.#conflict.rows = this.#conflict.rows.with(index, { ...this.#conflict.rows[index], choice });
    this.changed();
  }

  async #saveChosen() {
    const { rows, theirs, etag } = this.#conflict;
    this.#dialogs.conflict.close();
    this.#conflict = null;
    this.#accept(theirs, etag);
    this.#editor.load(merged(rows, theirs));
    this.#keep();
    if (this.#editable) await this.#save();
  }

  // --- regenerate

  #askRegeneration(index) {
    const part = this.#parts(index)[0];
    this.#regeneration = { index, part, note: "", voice: "", speed: "", seed: "", faults: new Map(), error: "" };
    this.#show("regenerate");
  }

  #parts(index) {
    const scene = this.#editor.storyboard.scenes[index];
    const own = ownMaterial(scene);
    return [
      !own && "text",
      scene.narration && spokenWords(scene.narration.text ?? "") && "voice",
      drawsStills(this.#video) && !scene.continues && !scene.first_frame && !own && "still",
    ].filter(Boolean);
  }

  async #regenerate() {
    const { index, part, note, voice, speed, seed } = this.#regeneration;
    const body = { part, ...(note.trim() && { note }) };
    if (part === "voice" && voice) body.voice = voice;
    if (part === "voice" && speed) body.speed = _number(speed);
    if (part === "still" && seed) body.seed = _number(seed);
    await this.#send("regenerate", () => this.#regeneration, ["note", "voice", "speed", "seed"], async () => {
      await post(`videos/${this.videoId}/scenes/${index}/regenerate`, body);
      this.#say(`Scene ${index + 1} is being made again.`);
      this.#watch();
    });
  }

  /**
   * Save, then send what a dialog asks for, and close it. What the API says against it is shown there: `asked()` gets
   * the fault of one of its `fields`, or an error. If somebody else changed the storyboard, both are shown instead.
   */
  async #send(name, asked, fields, send) {
    const dialog = this.#dialogs[name];
    if (!(await this.#save())) {
      dialog.close();
      return;
    }
    this.#busy = name;
    this.changed();
    try {
      await send();
      dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 412) {
        dialog.close();
        await this.#unsaved(error);
        return;
      }
      const inField = fields.includes(error.param);
      asked().faults = new Map(inField ? [[error.param, error.message]] : []);
      asked().error = inField ? "" : error.message;
      if (inField) queueMicrotask(() => this.querySelector(`#${name}-${error.param}`)?.focus());
    } finally {
      this.#busy = "";
      this.changed();
    }
  }

  // --- approve

  get #outcomes() {
    return consequences(this.#editor.storyboard, {
      video: this.#video,
      stored: this.#base,
      filmed: this.#filmed?.storyboard ?? null,
    });
  }

  async #askApproval() {
    const gate = this.#ended ? null : this.#video.review.gate;
    const reuse = (this.#ended || filmWaits(this.#video)) && !this.#filmed?.storyboard;
    const plan = { gate, outcomes: this.#outcomes, price: null, reuse };
    this.#approval = { plan, maxCost: "", error: "", faults: new Map() };
    this.#show("approve");
    try {
      plan.price = await aboutCost(this.#editor.storyboard, plan.outcomes, this.#video, this.signal);
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      plan.price = { error: error.message };
    }
    if (plan === this.#approval?.plan) this.changed();
  }

  async #approve() {
    const { plan, maxCost } = this.#approval;
    await this.#send("approve", () => this.#approval, ["max_cost"], async () => {
      const headers = { "if-match": this.#etag };
      const query = { gate: plan.gate, max_cost: maxCost.trim() };
      await post(`videos/${this.videoId}/approve`, {}, { headers, query });
      location.hash = `#/films/${this.videoId}`;
    });
  }

  // --- view

  drawn() {
    this.#editor.drawn();
  }

  view() {
    const video = this.#video;
    if (this.#error && !this.#base) {
      return html`
        <h1>Storyboard</h1>
        <p class="notice bad">${this.#error}</p>
        <p><a href="#/films/${this.videoId}">See the film</a></p>`;
    }
    if (!video) return html`<h1>Storyboard</h1><p class="quiet" role="status">Loading …</p>`;
    return html`
      <div class="board">
        <div class="board-title">
          <h1>Storyboard</h1>
          <p class="quiet">
            <a href="#/films/${this.videoId}">The film</a> · ${video.model} · ${video.size} · ${this.#state()}
          </p>
          ${video.storyboard?.note ? html`<p class="hint written">${video.storyboard.note}</p>` : nothing}
        </div>
        ${this.#base
          ? this.#board()
          : html`<p class="notice" role="status">${MAKING[video.stage]} The storyboard appears here.</p>`}
      </div>
      ${this.#dialog(
        "regenerate",
        this.#regeneration &&
          regenerateForm({
            asked: this.#regeneration,
            parts: this.#parts(this.#regeneration.index),
            voices: this.#voices,
            ended: this.#ended,
            dirty: this.#dirty,
            busy: this.#busy !== "",
            send: () => this.#regenerate(),
            close: () => this.#dialogs.regenerate.close(),
            input: (name, value) => {
              this.#regeneration = { ...this.#regeneration, [name]: value, faults: new Map(), error: "" };
              this.changed();
            },
          }),
      )}
      ${this.#dialog(
        "conflict",
        this.#conflict &&
          conflictForm({
            rows: this.#conflict.rows,
            busy: this.#busy !== "",
            choose: (index, choice) => this.#choose(index, choice),
            save: () => this.#saveChosen(),
            close: () => this.#dialogs.conflict.close(),
          }),
        "wide-dialog",
      )}
      ${this.#dialog(
        "approve",
        this.#approval &&
          approveForm({
            ...this.#approval,
            video,
            dirty: this.#dirty,
            busy: this.#busy !== "",
            send: () => this.#approve(),
            close: () => this.#dialogs.approve.close(),
            input: (value) => {
              this.#approval = { ...this.#approval, maxCost: value, faults: new Map(), error: "" };
              this.changed();
            },
          }),
      )}`;
  }

  #dialog(name, content, className = "") {
    return html`<dialog class=${className} aria-labelledby="${name}-title"
      ${ref((element) => (this.#dialogs[name] = element))}>
      ${content ?? nothing}</dialog>`;
  }

  #state() {
    const { stage, review } = this.#video;
    if (stage === "reviewing") return `waits for you: ${GATES[review.gate] ?? "its review"}`;
    return this.#ended ? stage : "being made";
  }

  #board() {
    const outcomes = this.#editable ? this.#outcomes : [];
    const shape = this.#video.size.split("x").map(Number);
    const stills = drawsStills(this.#video);
    return html`
      ${this.#notices()}
      ${this.#bar(outcomes)}
      ${this.#editor.view({
        engine: this.#engine,
        voices: this.#voices,
        characters: this.#characters,
        readonly: !this.#editable,
        shape,
        media: stills ? (scene, index) => this.#media(scene, index, shape, outcomes[index]) : undefined,
        marks: (scene, index) => this.#marks(scene, outcomes[index]),
        actions: (scene, index) => html`
          ${
            this.#editable && this.#parts(index).length
              ? html`<button type="button" ?disabled=${this.#busy !== ""} aria-label="Regenerate scene ${index + 1}"
                @click=${() => this.#askRegeneration(index)}>Regenerate …</button>`
              : nothing
          }
          ${stills ? nothing : this.#voice(scene, index, outcomes[index])}`,
      })}`;
  }

  #notices() {
    const { stage, failure } = this.#video;
    return html`
      ${
        MAKING[stage]
          ? html`<p class="notice" role="status">${MAKING[stage]} You can read the storyboard; it can be edited
        when the film waits for you or has ended.</p>`
          : nothing
      }
      ${caller.may("create")
        ? nothing
        : html`<p class="notice">Your key lets you read the storyboard, and not change it.</p>`}
      ${failure && this.#ended
        ? html`<p class="notice bad"><span class="written">${failure.reason}. ${failure.advice}</span></p>`
        : nothing}
      ${
        this.#stale
          ? html`
        <div class="notice warn row spread"><span>Somebody else saved another version.</span>
          <button type="button"
            @click=${() => this.#merge().catch((error) => this.#failed(error))}>Compare the two</button></div>`
          : nothing
      }
      ${this.#away ? html`<p class="notice warn" role="status">${this.#away}</p>` : nothing}
      ${
        this.#message
          ? html`<p class="notice ${this.#message.kind}" role=${this.#message.kind === "bad" ? "alert" : "status"}>
        <span class="written">${this.#message.text}</span></p>`
          : nothing
      }
      ${this.#unkept
        ? html`<p class="notice warn">This browser has no room to keep unsaved changes. Save them before you leave.</p>`
        : nothing}`;
  }

  #bar(outcomes) {
    if (!this.#editable) return nothing;
    const { stage, review, storyboard } = this.#video;
    const dirty = this.#dirty;
    const busy = this.#busy !== "";
    const waits = stage === "reviewing" && !filmWaits(this.#video);
    // At the second gate what changed is made and shown again, so there is nothing to approve yet.
    const shown = waits && dirty && review.gate === "previews";
    const changed = dirty || (!waits && ((stage !== "completed" && !filmWaits(this.#video)) || !storyboard.filmed));
    const anew = outcomes.filter((one) => Object.values(one).includes("anew")).length;
    return html`
      <div class="board-bar">
        <button type="button" class="icon" aria-label="Undo" title="Undo" ?disabled=${!this.#editor.canUndo}
          @click=${() => this.#editor.undo()}>${icon("undo")}</button>
        <button type="button" class="icon" aria-label="Redo" title="Redo" ?disabled=${!this.#editor.canRedo}
          @click=${() => this.#editor.redo()}>${icon("redo")}</button>
        <span class="quiet small bar-state">${
          dirty
            ? "Unsaved; kept in this browser"
            : changed && !waits
              ? `Saved; ${anew} ${anew === 1 ? "scene" : "scenes"} to make anew`
              : "Saved"
        }</span>
        ${dirty
          ? html`<button type="button" class="plain" ?disabled=${busy} @click=${() => this.#discard()}>Discard</button>`
          : nothing}
        <button type="button" class=${shown ? "primary" : ""} ?disabled=${!dirty || busy} @click=${() => this.#save()}>
          ${this.#busy === "save" ? "Saving …" : shown ? "Save and make the changes" : "Save"}</button>
        ${
          shown
            ? nothing
            : waits
              ? html`<button type="button" class="primary" ?disabled=${busy} @click=${() => this.#askApproval()}>
              ${review.gate === "previews" ? "Approve the previews" : "Approve the storyboard"} …</button>`
              : html`<button type="button" class="primary" ?disabled=${busy || !changed}
                @click=${() => this.#askApproval()}>${stage === "completed" || filmWaits(this.#video) ? "Make the changes" : "Make the film"} …</button>`
        }
      </div>`;
  }

  #marks(scene, outcome) {
    if (!outcome || (this.#video.stage === "reviewing" && !this.#changedScene(scene))) return nothing;
    const anew = Object.keys(NAMES)
      .filter((part) => outcome[part] === "anew")
      .map((part) => NAMES[part]);
    if (!anew.length) return nothing;
    return html`<span class="tag">${scene.from === null ? "new: " : ""}${anew.join(", ")} to make</span>`;
  }

  #changedScene(scene) {
    const stored = this.#base.scenes[scene.from];
    return (
      !stored || !sameDocument({ ...this.#base, scenes: [stored] }, { ...this.#editor.storyboard, scenes: [scene] })
    );
  }

  /** What is made of a part of a scene, and its path; null if it isn't made, or another one is stored. */
  #made(scene, parts, name) {
    if (scene.from === null || this.#stale) return null;
    const part = parts.find((one) => one.scene === scene.from && one.state === "done");
    return part ? { path: `videos/${this.videoId}/scenes/${scene.from}/${name}`, version: part.finished_ms } : null;
  }

  #media(scene, index, shape, outcome) {
    const still = this.#made(scene, this.#video.stills, "still");
    const none = this.#stale
      ? "Compare the two versions first."
      : scene.continues
        ? "No still"
        : scene.first_frame
          ? "Starts from your picture"
          : (ownMaterial(scene) ?? "Not drawn yet");
    const outdated = still && outcome?.still === "anew";
    return html`
      <div class="board-still ${outdated ? "outdated" : ""}"
        ${ref((element) => element?.style.setProperty("aspect-ratio", shape.join(" / ")))}>
        ${
          still
            ? html`<studio-still .file=${still} .words=${`Still of scene ${index + 1}`}></studio-still>`
            : html`<p class="small quiet">${none}</p>`
        }
      </div>
      ${outdated ? html`<p class="small warn">Your changes draw another one.</p>` : nothing}
      ${this.#voice(scene, index, outcome)}`;
  }

  #voice(scene, index, outcome) {
    const voice = this.#made(scene, this.#video.narrations, "narration");
    return voice
      ? html`<div class="row"><studio-voice .file=${voice} .words=${`Hear scene ${index + 1}`}></studio-voice>
          ${outcome?.voice === "anew" ? html`<span class="small warn">as it was</span>` : nothing}</div>`
      : nothing;
  }
}

const _number = (value) => (value.trim() && !Number.isNaN(+value) ? +value : value);

customElements.define("studio-storyboard", StoryboardScreen);
