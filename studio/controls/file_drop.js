/** A file by drop, paste or choice. It is sent ahead of the request, so that it is kept with a draft. */

import { ApiError, post } from "../api.js";
import { Component, html, nothing } from "../component.js";

const SOUND = {
  accept: "audio/*,video/mp4",
  allowed: /^(audio\/[a-z0-9.+-]{1,40}|video\/mp4)$/,
  said: "an audio file (WAV, MP3, Ogg, FLAC, M4A)",
};
const KINDS = {
  image: {
    noun: "picture",
    accept: "image/png,image/jpeg,image/webp",
    allowed: /^image\/(png|jpeg|webp)$/,
    said: "a PNG, JPEG or WebP picture",
  },
  sound: { noun: "song", ...SOUND },
  recording: { noun: "recording", ...SOUND },
};
const THUMBNAIL = 240; // pixels

/**
 * `value` is {file_id, name, bytes?, thumbnail?} or null. The event `file` tells of a new value, and of `busy`.
 * `pastes`: whether it takes what is pasted anywhere on the page.
 */
class FileDrop extends Component {
  #value = null;
  #fault = null; // of the request that named the file
  #state = null; // {name, share} while a file is sent; {fault} if that failed
  #sending = null;
  #over = false;

  kind = "image";
  label = "";
  pastes = true;

  set value(value) {
    this.#value = value ?? null;
    this.changed();
  }

  set fault(message) {
    this.#fault = message;
    this.changed();
  }

  start() {
    document.addEventListener("paste", (event) => this.#pasted(event), { signal: this.signal });
    this.signal.addEventListener("abort", () => this.#sending?.abort());
    // A file that misses the field would replace the page.
    for (const kind of ["dragover", "drop"]) {
      document.addEventListener(kind, (event) => event.preventDefault(), { signal: this.signal });
    }
  }

  #pasted(event) {
    const dialog = document.querySelector("dialog[open]");
    if ((dialog && !dialog.contains(this)) || event.defaultPrevented) return;
    const focused = document.activeElement?.closest("studio-file-drop");
    if (focused && focused !== this && focused.kind === this.kind) return; // it is meant for that one
    if (!this.pastes && focused !== this) return;
    const file = [...event.clipboardData.files].find((one) => KINDS[this.kind].allowed.test(one.type));
    if (!file) return;
    event.preventDefault();
    this.#take(file);
  }

  async #take(file) {
    if (!file) return;
    const { allowed, said } = KINDS[this.kind];
    if (!allowed.test(file.type)) {
      this.#state = { fault: `${file.name} is not ${said}.` };
      this.changed();
      return;
    }
    this.#sending?.abort();
    const sending = (this.#sending = new AbortController());
    this.#state = { name: file.name, share: 0 };
    this.#tell(null, true);
    try {
      const thumbnail = this.kind === "image" ? await _thumbnail(file) : undefined;
      const file_id = await _send(file, sending.signal, (share) => {
        this.#state = { name: file.name, share };
        this.changed();
      });
      this.#state = null;
      this.#tell({ file_id, name: file.name, bytes: file.size, thumbnail }, false);
    } catch (error) {
      if (sending.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#state = { fault: error.message };
      this.#tell(null, false);
    }
  }

  #stop() {
    this.#sending?.abort();
    this.#state = null;
    this.#tell(null, false);
  }

  #tell(value, busy) {
    this.#value = value;
    this.#fault = null;
    this.dispatchEvent(new CustomEvent("file", { detail: { value, busy } }));
    this.changed();
  }

  view() {
    const { noun, accept } = KINDS[this.kind];
    const fault = this.#state?.fault ?? this.#fault;
    const drop = (over) => (event) => {
      event.preventDefault();
      this.#over = over;
      if (event.type === "drop") this.#take(event.dataTransfer.files[0]);
      this.changed();
    };
    return html`
      <div class="drop ${this.#over ? "over" : ""} ${fault ? "wrong" : ""}"
        @dragover=${drop(true)} @dragleave=${drop(false)} @drop=${drop(false)}>
        ${this.#content(noun)}
        <input type="file" class="hidden-text" accept=${accept} tabindex="-1" aria-hidden="true"
          @change=${({ target }) => {
            this.#take(target.files[0]);
            target.value = "";
          }}>
      </div>
      ${fault ? html`<p class="fault" id="${this.id}-fault">${fault}</p>` : nothing}`;
  }

  #content(noun) {
    const choose = (text) => html`
      <button type="button" aria-label="${text}: ${this.label}" aria-describedby=${this.id
        ? `${this.id}-fault`
        : nothing}
        @click=${() => this.querySelector("input").click()}>${text}</button>`;
    const sent = this.#state && !this.#state.fault ? this.#state : null;
    if (sent) {
      return html`
        <div class="drop-text"><p class="written">${sent.name}</p>
          <progress max="1" .value=${sent.share} aria-label="Sending ${sent.name}"></progress></div>
        <button type="button" @click=${() => this.#stop()}>Stop</button>`;
    }
    if (!this.#value) {
      return html`
        <p class="drop-text quiet small">Drop ${this.kind === "image" ? "or paste a picture" : `a ${noun}`} here</p>
        ${choose("Choose a file")}`;
    }
    const { name, bytes, thumbnail } = this.#value;
    return html`
      ${thumbnail ? html`<img src=${thumbnail} alt="" class="drop-picture">` : nothing}
      <p class="drop-text"><span class="written">${name}</span> <span class="quiet small">${bytes === undefined ? "" : _size(bytes)}</span></p>
      ${choose("Change")}
      <button type="button" aria-label="Remove: ${this.label}" @click=${() => this.#stop()}>Remove</button>`;
  }
}

const _size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** A small picture that a draft has room for; none if the browser can't read the file: the API says why. */
async function _thumbnail(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return undefined;
  }
  const scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/webp", 0.8);
}

/** Send a file ahead of the request that names it, and return its id. Only XMLHttpRequest tells how much is sent. */
async function _send(file, signal, progressed) {
  const name = file.name.replace(/\p{C}/gu, "").slice(-255);
  const body = { mime_type: file.type, bytes: file.size, ...(name && { filename: name }) };
  const upload = await post("uploads", body, { signal });
  const form = new FormData();
  for (const [field, value] of Object.entries(upload.fields)) form.append(field, value);
  form.append("file", file);
  await new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    const failed = (message) => reject(new ApiError(sent.status, { message }));
    sent.upload.addEventListener("progress", ({ loaded, total }) => progressed(loaded / total));
    sent.addEventListener("load", () =>
      sent.status < 300 ? resolve() : failed("The storage refused the file. Choose it again, or choose another one."),
    );
    sent.addEventListener("error", () => failed("The file could not be sent. Check the network and choose it again."));
    sent.addEventListener("abort", () => failed("Stopped."));
    signal.addEventListener("abort", () => sent.abort());
    sent.open("POST", upload.url);
    sent.send(form);
  });
  return upload.id;
}

customElements.define("studio-file-drop", FileDrop);
