/** The screen that requests a film: of a prompt, a topic or a storyboard, with what it takes shown as one types. */

import { ApiError, get, post } from "./api.js";
import { caller } from "./caller.js";
import { Component, html, nothing, ref } from "./component.js";
import { checkField, choiceField, lineField, textField } from "./controls/field.js";
import "./controls/file_drop.js";
import "./controls/voice_sample.js";
import { cost, duration } from "./format.js";
import { advanced } from "./new_film/advanced.js";
import "./new_film/character_dialog.js";
import { cards, characterChoice, engineCards, shapeCards, shapeChoice } from "./new_film/choices.js";
import { emptyForm, forgetForm, keepForm, keptForm, requestOf, speaks, subject, takes } from "./new_film/form.js";
import { opened } from "./storyboard/document.js";
import { StoryboardEditor } from "./storyboard/editor.js";
import { LONGEST } from "./text_limits.js";
import { counted } from "./video.js";

const ESTIMATE_AFTER_MS = 500;
const KEEP_AFTER_MS = 300;
const CAPTION_STYLES = [
  ["", "Whole lines"],
  ["karaoke", "Each word lit as it is spoken"],
  ["pop", "A few large words in the middle"],
];
const CAPTION_POSITIONS = [
  ["", "As the style has it"],
  ["bottom", "At the bottom"],
  ["middle", "In the middle"],
  ["top", "At the top"],
];
const PARTS = { writing: "Writing", narration: "Voice", stills: "Stills", clips: "Clips", assembly: "Assembly" };

class NewFilm extends Component {
  #form = keptForm();
  #editor = new StoryboardEditor(this, () => this.#set("storyboard", this.#editor.storyboard));
  #engines = [];
  #voices = [];
  #characters = [];
  #faults = new Map(); // message by the control's id
  #estimate = null;
  #refused = null; // why there is no estimate: {message, control}
  #estimating = null; // AbortController
  #asked = ""; // the body of the last estimate
  #error = ""; // of the whole request
  #enhancing = false;
  #making = false;
  #sending = new Set(); // fields whose file is on its way
  #unkept = false;
  #timers = {};
  #pasted = { text: "", fault: "", busy: false };
  #dialog = null; // of pasted JSON

  start() {
    caller.addEventListener("change", () => this.changed(), { signal: this.signal });
    this.#editor.start();
    this.#editor.load(this.#form.storyboard);
    this.signal.addEventListener("abort", () => {
      this.#estimating?.abort();
      clearTimeout(this.#timers.estimate);
      if (this.#timers.keep) this.#keep();
    });
    addEventListener("pagehide", () => this.#timers.keep && this.#keep(), { signal: this.signal });
    const load = async (path, query, loaded) => {
      try {
        loaded((await get(path, query, this.signal)).data);
        this.changed();
      } catch (error) {
        if (this.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        this.#error = error.message;
        this.changed();
      }
    };
    load("models", {}, (found) => {
      this.#engines = found;
      this.#estimateSoon();
    });
    load("voices", {}, (found) => (this.#voices = found));
    load("videos/characters", { limit: 100 }, (found) => (this.#characters = found));
  }

  get #engine() {
    return this.#engines.find(({ id }) => id === this.#form.model) ?? this.#engines[0];
  }

  // --- the form

  #set(name, value) {
    this.#form = { ...this.#form, [name]: value };
    this.#faults.delete(`film-${name}`);
    this.#error = "";
    clearTimeout(this.#timers.keep);
    this.#timers.keep = setTimeout(() => this.#keep(), KEEP_AFTER_MS);
    this.#estimateSoon();
    this.changed();
  }

  #keep() {
    clearTimeout(this.#timers.keep);
    this.#timers.keep = null;
    this.#unkept = !keepForm(this.#form);
    this.changed();
  }

  #clear() {
    clearTimeout(this.#timers.keep);
    this.#timers.keep = null;
    forgetForm();
    this.#form = emptyForm();
    this.#faults.clear();
    this.#error = "";
    this.#editor.load(this.#form.storyboard);
    this.#estimateSoon();
    this.#announce("The form is empty.");
    this.querySelector("#film-way")?.focus();
  }

  #announce(detail) {
    this.dispatchEvent(new CustomEvent("announce", { detail, bubbles: true }));
  }

  // --- what it takes

  #estimateSoon() {
    clearTimeout(this.#timers.estimate);
    if (!subject(this.#form).trim() || !caller.may("create")) {
      this.#estimating?.abort();
      this.#estimate = this.#refused = null;
      this.#asked = "";
      return;
    }
    this.#timers.estimate = setTimeout(() => this.#ask(), ESTIMATE_AFTER_MS);
  }

  async #ask() {
    const body = requestOf(this.#form, this.#engine);
    if (JSON.stringify(body) === this.#asked) return;
    this.#asked = JSON.stringify(body);
    this.#estimating?.abort();
    const { signal } = (this.#estimating = new AbortController());
    try {
      this.#estimate = await post("videos?dry_run=true", body, { signal });
      this.#refused = null;
      this.#faults.clear();
      this.#editor.faults.clear();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#estimate = null;
      if (error.status !== 400) this.#asked = ""; // ask again with the next change
      this.#faults.clear();
      this.#editor.faults.clear();
      this.#refused = { message: error.message, control: this.#place(error) };
    }
    this.changed();
  }

  /** Show an error at its control and return the control's id; null if it has none. */
  #place(error) {
    const param = error.param ?? "";
    if (this.#form.way === "storyboard") {
      const control = this.#editor.fault(error, /^storyboard\./);
      if (control) return control;
    }
    const name = param.split(/[.[]/)[0];
    const control =
      { enhance: "film-prompt", review: "film-review", aspect: "film-aspect", model: "film-model" }[name] ??
      `film-${name}`;
    if (!name || !(name in this.#form || name in { aspect: 1, review: 1 })) return null;
    this.#faults.set(control, error.message);
    return control;
  }

  // --- make

  async #make() {
    if (this.#making || this.#sending.size) return;
    const body = requestOf(this.#form, this.#engine);
    const text = JSON.stringify(body);
    // The same request after a lost answer has the same key, and so makes one film.
    const sent = this.#form.sent?.body === text ? this.#form.sent : { key: crypto.randomUUID(), body: text };
    this.#form = { ...this.#form, sent };
    this.#keep();
    this.#making = true;
    this.#error = "";
    this.changed();
    try {
      const video = await post("videos", body, { headers: { "idempotency-key": sent.key } });
      clearTimeout(this.#timers.estimate);
      forgetForm();
      this.#form = emptyForm();
      location.hash = `#/films/${video.id}`;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#faults.clear();
      const control = this.#place(error);
      this.#error = error.message;
      this.#focusAfter(control ?? "film-error");
    } finally {
      this.#making = false;
      this.changed();
    }
  }

  #focusAfter(control) {
    this.changed();
    queueMicrotask(() =>
      queueMicrotask(() => {
        const found = this.querySelector(`[id="${control}"]`);
        for (let folded = found?.closest("details"); folded; folded = folded.parentElement.closest("details"))
          folded.open = true;
        found?.focus();
        found?.scrollIntoView({ block: "center" });
      }),
    );
  }

  async #enhance() {
    const prompt = this.#form.prompt;
    this.#enhancing = true;
    this.#faults.delete("film-prompt");
    this.changed();
    try {
      const {
        given,
        prompt: written,
        by,
        note,
        model,
      } = await post("prompts/enhance", {
        prompt,
        ...(this.#engine && { model: this.#engine.id }),
      });
      this.#set("enhanced", { given, prompt: written, by, note, model });
      this.#set("use", "enhanced");
      this.#announce("The enhanced prompt is ready.");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#faults.set("film-prompt", error.message);
    } finally {
      this.#enhancing = false;
      this.changed();
    }
  }

  // --- view

  drawn() {
    this.#editor.drawn();
  }

  #shown(name, label, options) {
    return {
      id: `film-${name}`,
      label,
      value: this.#form[name],
      fault: this.#faults.get(`film-${name}`),
      input: (value) => this.#set(name, value),
      ...options,
    };
  }

  view() {
    const form = this.#form;
    const ofScenes = form.way !== "prompt";
    return html`
      <div class="row spread new-film-head">
        <h1>New film</h1>
        <button type="button" class="plain" @click=${() => this.#clear()}>Clear</button>
      </div>
      <div class="new-film">
        <div class="stack new-film-form">
          ${cards({
            id: "film-way",
            legend: "Start from",
            name: "way",
            value: form.way,
            className: "ways",
            input: (value) => this.#set("way", value),
            choices: [
              ["prompt", html`<strong>A prompt</strong><span class="small quiet">one shot, as you describe it</span>`],
              ["topic", html`<strong>A topic</strong><span class="small quiet">a text model writes the scenes</span>`],
              ["storyboard", html`<strong>A storyboard</strong><span class="small quiet">you write every scene</span>`],
            ],
          })}
          ${form.way === "prompt" ? this.#prompt() : form.way === "topic" ? this.#topic() : this.#storyboard()}
          ${this.#pictures()}
          ${
            this.#engines.length === 0
              ? html`<p class="quiet" role="status">Loading the engines …</p>`
              : engineCards({
                  engines: this.#engines,
                  value: form.model,
                  chosen: this.#engine,
                  fault: this.#faults.get("film-model"),
                  input: (value) => this.#set("model", value),
                })
          }
          <div class="fields shape-and-length">
            <div>${shapeCards({
              shape: form.shape,
              size: form.size,
              engine: this.#engine,
              faults: this.#faults,
              input: (name, value) => this.#set(name, value),
            })}</div>
            ${lineField(
              this.#shown("seconds", "Length in seconds", {
                numeric: "numeric",
                optional: true,
                placeholder: ofScenes ? "" : "4",
                hint: ofScenes ? "Without it, as long as the narration takes." : undefined,
              }),
            )}
          </div>
          ${shapeChoice({
            form,
            own: form.shape,
            faults: this.#faults,
            input: (name, value) => this.#set(name, value),
          })}
          ${ofScenes ? this.#sound() : this.#music()}
          ${characterChoice({
            characters: this.#characters,
            chosen: form.characters,
            fault: this.#faults.get("film-characters"),
            toggle: (id) =>
              this.#set(
                "characters",
                form.characters.includes(id) ? form.characters.filter((one) => one !== id) : [...form.characters, id],
              ),
            create: () => this.querySelector("studio-character-dialog").open(),
          })}
          ${ofScenes ? this.#review() : nothing}
          ${advanced({
            form,
            engine: this.#engine,
            engines: this.#engines,
            faults: this.#faults,
            input: (name, value) => this.#set(name, value),
          })}
        </div>
        ${this.#takes()}
      </div>
      <studio-character-dialog .voices=${this.#voices} @made=${({ detail }) => {
        this.#characters = [detail, ...this.#characters];
        this.#set("characters", [...form.characters, detail.id]);
      }}></studio-character-dialog>`;
  }

  #prompt() {
    const { prompt, enhanced, use, enhance } = this.#form;
    const tokens = this.#engine?.prompt_tokens;
    const given = textField(
      this.#shown("prompt", enhanced ? "Your prompt" : "Prompt", {
        most: LONGEST.prompt,
        rows: 4,
        tokens: enhance && use === "given" ? undefined : tokens,
        placeholder: "A fox in the snow",
      }),
    );
    const again = html`
      <button type="button" ?disabled=${this.#enhancing || !prompt.trim()} @click=${() => this.#enhance()}>
        ${this.#enhancing ? "Enhancing …" : enhanced ? "Enhance again" : "Enhance the prompt"}</button>`;
    if (!enhanced) {
      return html`
        <div>${given}
          <div class="row">${again}
            ${checkField(this.#shown("enhance", "Let a text model write it out for the engine"))}</div>
        </div>`;
    }
    const choice = (value, text) => html`
      <label class="use"><input type="radio" name="use" .checked=${use === value}
        @change=${() => this.#set("use", value)}> ${text}</label>`;
    return html`
      <div class="prompts" role="group" aria-label="Your prompt and the enhanced one">
        <div class=${use === "given" ? "used" : ""}>${given}${choice("given", "Film mine")}</div>
        <div class=${use === "enhanced" ? "used" : ""}>
          ${textField({
            id: "film-enhanced",
            label: "Enhanced prompt",
            value: enhanced.prompt,
            most: LONGEST.prompt,
            rows: 4,
            tokens,
            hint: [`By ${enhanced.by ?? "nobody"}`, enhanced.note].filter(Boolean).join(": "),
            fault: use === "enhanced" ? this.#faults.get("film-prompt") : undefined,
            input: (value) => this.#set("enhanced", { ...enhanced, prompt: value }),
          })}${choice("enhanced", "Film the enhanced one")}
        </div>
        <div class="row">
          ${again}
          <button type="button" class="plain" @click=${() => {
            this.#set("use", "given");
            this.#set("enhanced", null);
          }}>Discard the enhanced one</button>
          ${enhanced.given.trim() === prompt.trim()
            ? nothing
            : html`<p class="warn small">You changed your prompt since.</p>`}
        </div>
      </div>`;
  }

  #topic() {
    return html`
      ${textField(this.#shown("topic", "Topic", { most: LONGEST.prompt, rows: 2, placeholder: "How kites fly" }))}
      <div class="fields">
        ${lineField(this.#shown("tone", "Tone", { optional: true, placeholder: "calm and curious" }))}
        ${lineField(this.#shown("scenes", "Scenes", { numeric: "numeric", hint: "1 to 50" }))}
        ${this.#language()}
      </div>`;
  }

  #language() {
    const languages = [
      ...new Set(this.#voices.flatMap(({ language, other_languages }) => [language, ...other_languages])),
    ].sort();
    return html`
      ${lineField(this.#shown("language", "Language", { optional: true, placeholder: "en-US", list: "languages" }))}
      <datalist id="languages">${languages.map((one) => html`<option value=${one}></option>`)}</datalist>`;
  }

  #storyboard() {
    return html`
      <div class="stack">
        <div class="row spread">
          <p class="quiet">Write each scene, or paste a storyboard as JSON.</p>
          <span class="row">
            <button type="button" ?disabled=${!this.#editor.canUndo} @click=${() => this.#editor.undo()}>Undo</button>
            <button type="button" ?disabled=${!this.#editor.canRedo} @click=${() => this.#editor.redo()}>Redo</button>
            <button type="button" @click=${() => this.#dialog.showModal()}>Paste JSON</button>
          </span>
        </div>
        <div class="board">${this.#editor.view({
          engine: this.#engine,
          voices: this.#voices,
          characters: this.#characters,
        })}</div>
        ${checkField(this.#shown("narrate", "Have a text model write narration for scenes without one"))}
      </div>
      <dialog ${ref((element) => (this.#dialog = element))} aria-labelledby="paste-title">
        <div class="stack">
          <h2 id="paste-title">Paste a storyboard</h2>
          <div class="field">
            <label for="pasted">JSON with title, style and scenes</label>
            <textarea id="pasted" rows="8" spellcheck="false" .value=${this.#pasted.text}
              aria-describedby="pasted-fault"
              aria-invalid=${this.#pasted.fault ? "true" : nothing}
              @input=${({ target }) => (this.#pasted.text = target.value)}></textarea>
            <p class="fault" id="pasted-fault" role="alert">${this.#pasted.fault}</p>
          </div>
          <div class="row">
            <button type="button" class="primary" ?disabled=${this.#pasted.busy}
              @click=${() => this.#paste()}>Use it</button>
            <button type="button" @click=${() => this.#dialog.close()}>Cancel</button>
          </div>
        </div>
      </dialog>`;
  }

  /** The API says what is wrong with a storyboard; with a topic, parts may still be missing. */
  async #paste() {
    this.#pasted = { ...this.#pasted, fault: "", busy: true };
    this.changed();
    try {
      const document = JSON.parse(this.#pasted.text);
      await post("videos?dry_run=true", { topic: "A pasted storyboard", narrate: false, storyboard: document });
      const storyboard = opened({ ...document, scenes: document.scenes ?? [{}] });
      this.#editor.load(storyboard);
      this.#set("storyboard", storyboard);
      this.#pasted.text = "";
      this.#dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof SyntaxError)) throw error;
      this.#pasted.fault = error instanceof SyntaxError ? `This is not JSON: ${error.message}.` : error.message;
    } finally {
      this.#pasted.busy = false;
      this.changed();
    }
  }

  #file(name, kind, label, hint) {
    const id = `film-${name}`;
    return html`
      <div class="field">
        <span class="label">${label} <span class="quiet small">optional</span></span>
        <studio-file-drop id=${id} tabindex="-1" .kind=${kind} .label=${label} .value=${this.#form[name]}
          .fault=${this.#faults.get(id) ?? null}
          @file=${({ detail: { value, busy } }) => {
            this.#sending[busy ? "add" : "delete"](name);
            this.#set(name, value);
          }}></studio-file-drop>
        ${hint ? html`<p class="hint">${hint}</p>` : nothing}
      </div>`;
  }

  #pictures() {
    const needed =
      this.#engine?.image === "required" && this.#form.way === "prompt" ? `${this.#engine.id} needs one.` : undefined;
    const first = this.#picture("input_reference", "First picture", needed);
    const ends = this.#engine?.last_image === "required" ? `${this.#engine.id} needs one.` : "The film ends on it.";
    const last = this.#picture("last_frame", "Last picture", ends);
    return html`<div class="fields pictures">${first}${last}</div>`;
  }

  #picture(name, label, hint) {
    if (takes(this.#engine, name)) return this.#file(name, "image", label, hint);
    return this.#form[name]
      ? html`<p class="notice warn">${this.#engine.id} takes no ${label.toLowerCase()}, so yours is left out. Choose
          another engine to use it.</p>`
      : nothing;
  }

  #music() {
    return this.#file("music", "sound", "Music");
  }

  #sound() {
    const spoken = speaks(this.#form);
    const voice = this.#voices.find(({ id }) => id === this.#form.voice) ?? this.#voices.find((one) => one.default);
    const engines = voice?.engines ?? [];
    return html`
      <div class="fields">
        ${this.#form.way === "storyboard" ? this.#language() : nothing}
        ${
          spoken
            ? html`
            ${choiceField(this.#shown("voice", "Voice", { choices: this.#voiceChoices() }))}
            ${
              engines.length > 1
                ? choiceField(
                    this.#shown("voice_engine", "Quality of the voice", {
                      choices: [["", "Usual"], ...engines.map((one) => [one, one])],
                    }),
                  )
                : nothing
            }
            ${lineField(
              this.#shown("speech_speed", "Speaking speed", { numeric: "decimal", placeholder: "1", hint: "0.5 to 2" }),
            )}
            ${
              voice && caller.may("create")
                ? html`<div><span class="label">Sample</span>
                  <studio-voice-sample .asked=${this.#sample(voice)}></studio-voice-sample></div>`
                : nothing
            }`
            : nothing
        }
        ${
          takes(this.#engine, "stills")
            ? choiceField(
                this.#shown("stills", "Stills", {
                  hint: "Each scene's first picture.",
                  choices: [
                    ["", this.#engine?.image === "required" ? "Drawn" : "None"],
                    ["standard", "Standard"],
                    ["premium", "Premium"],
                  ],
                }),
              )
            : nothing
        }
      </div>
      ${
        spoken
          ? html`<div class="row checks">
            ${checkField(this.#shown("captions", "Captions that viewers can switch on"))}
            ${checkField(this.#shown("burn_captions", "Captions drawn into the pictures"))}
            ${
              this.#form.captions || this.#form.burn_captions
                ? choiceField(
                    this.#shown("caption_style", "Style of the captions", {
                      hint: "Word by word with a voice that times its words, such as Amazon Polly's.",
                      choices: CAPTION_STYLES,
                    }),
                  )
                : nothing
            }
          </div>
          ${this.#form.captions || this.#form.burn_captions ? this.#captionLook() : nothing}`
          : nothing
      }
      ${this.#music()}`;
  }

  #captionLook() {
    const line = (name, label, options) => lineField(this.#shown(name, label, { optional: true, ...options }));
    return html`<div class="row">
      ${choiceField(this.#shown("caption_position", "Place of the captions", { choices: CAPTION_POSITIONS }))}
      ${line("caption_size", "Their size", { numeric: "decimal", placeholder: "1", hint: "0.5 to 2" })}
      ${line("caption_colour", "Their colour", { placeholder: "#FFFFFF" })}
      ${line("caption_outline", "Their outline", { placeholder: "box", hint: "box, or a colour such as #000000" })}
      ${line("caption_outline_width", "Its width", { numeric: "decimal", placeholder: "0.1", hint: "0 to 0.25" })}
      ${line("caption_font", "Their font", { placeholder: "Noto Sans" })}
    </div>`;
  }

  /** What a voice says to be heard: words of the film, otherwise its name and language. */
  #sample(voice) {
    const { way, topic, storyboard, language, speech_speed, voice_engine } = this.#form;
    const first = storyboard?.scenes.find(({ narration }) => narration?.text)?.narration.text ?? "";
    const words = way === "topic" ? topic : first;
    const request = { text: words.trim().slice(0, LONGEST.sample) || `${voice.id}. ${voice.language_name}.` };
    if (language && voice.other_languages.length) request.language = language;
    if (voice_engine) request.engine = voice_engine;
    if (Number(speech_speed)) request.speed = Number(speech_speed);
    return { voice: voice.id, request };
  }

  #voiceChoices() {
    const wanted = this.#form.language || "en-US";
    const speaking = (one) =>
      [one.language, ...one.other_languages].some((own) => own === wanted || own.split("-")[0] === wanted);
    const choice = (one) => [
      one.id,
      [one.id, one.gender?.toLowerCase(), one.default && "usual"].filter(Boolean).join(", "),
    ];
    const other = (one) => [one.id, `${one.id} (${one.language_name})`];
    const voices = Object.groupBy(this.#voices, (one) => (speaking(one) ? "fit" : "other"));
    return [
      ["", "Usual"],
      ...(voices.fit ? [{ group: `Speak ${wanted}`, choices: voices.fit.map(choice) }] : []),
      ...(voices.other ? [{ group: "Other languages", choices: voices.other.map(other) }] : []),
    ];
  }

  #review() {
    const fault = this.#faults.get("film-review");
    return html`
      <fieldset class="field" id="film-review" tabindex="-1">
        <legend>Wait for my approval</legend>
        ${checkField(this.#shown("review_storyboard", "of the storyboard, before anything is spoken or drawn"))}
        ${checkField(this.#shown("review_previews", "of voices and stills, before clips are made"))}
        ${fault ? html`<p class="fault">${fault}</p>` : nothing}
      </fieldset>`;
  }

  #takes() {
    const estimate = this.#estimate;
    return html`
      <aside class="card takes" aria-label="What the film takes">
        <div class="stack takes-more">
          ${
            estimate
              ? this.#about(estimate)
              : html`
            <p class="quiet">${
              this.#refused
                ? "As it is, the film can't be made."
                : "What the film costs and how long it takes appears here as you write."
            }</p>`
          }
          ${
            this.#refused && !this.#error
              ? html`
            <p class="notice warn">${this.#refused.message}
              ${
                this.#refused.control
                  ? html`<button type="button" class="plain"
                    @click=${() => this.#focusAfter(this.#refused.control)}>Go to it</button>`
                  : nothing
              }</p>`
              : nothing
          }
          ${estimate?.refusals.map(({ message }) => html`<p class="notice bad">${message}</p>`)}
          ${lineField(
            this.#shown("max_cost", "Cost at most, in USD", {
              numeric: "decimal",
              optional: true,
              hint: "The film stops before it costs more.",
            }),
          )}
          ${caller.may("create")
            ? nothing
            : html`<p class="notice">Your key lets you look at films, and not make any.</p>`}
          ${this.#unkept
            ? html`<p class="warn small">This browser has no room to keep the form: a refresh loses it.</p>`
            : nothing}
          ${this.#error
            ? html`<p class="notice bad" id="film-error" tabindex="-1" role="alert">${this.#error}</p>`
            : nothing}
        </div>
        <div class="takes-now">
          <dl class="takes-facts number">
            <div><dt>Price</dt><dd>${estimate ? _price(estimate.cost) : "–"}</dd></div>
            <div><dt>Time</dt><dd>${estimate ? _time(estimate.expected_seconds) : "–"}</dd></div>
          </dl>
          <button type="button" class="primary make" @click=${() => this.#make()}
            ?disabled=${this.#making || this.#sending.size > 0 || !caller.may("create")}>
            ${this.#making ? "Sending …" : this.#sending.size ? "Waiting for the file …" : "Make the film"}</button>
        </div>
      </aside>`;
  }

  #about({ costs, expected_seconds_reason, clips, seconds, size, fps, rendered_size, rendered_fps }) {
    const rendered =
      rendered_size !== size || rendered_fps !== fps ? `, rendered at ${rendered_size}, ${rendered_fps} fps` : "";
    const parts = Object.entries(PARTS)
      .map(([name, text]) => ({ text, ...costs[name] }))
      .filter((one) => one.usd !== 0);
    const unknown = parts.find((one) => one.usd === null)?.reason;
    return html`
      <p class="small quiet number">
        ${counted(clips, "clip")} · ${duration(+seconds)} of film · ${size}, ${fps} fps${rendered}
      </p>
      ${
        unknown || expected_seconds_reason
          ? html`<p class="small quiet">${_sentence(unknown ?? expected_seconds_reason)}</p>`
          : nothing
      }
      ${
        parts.length > 1
          ? html`<ul class="costs small number">
              ${parts.map(({ text, usd: own }) => html`<li>${text} <span>${cost(own)}</span></li>`)}
            </ul>`
          : nothing
      }`;
  }
}

const _price = (usd) => (usd ? `about ${cost(usd)}` : _sentence(cost(usd), ""));
const _time = (seconds) => (seconds === null ? "Unknown" : `about ${duration(seconds)}`);
const _sentence = (text, end = ".") => `${text[0].toUpperCase()}${text.slice(1)}${end}`;

customElements.define("studio-new-film", NewFilm);
