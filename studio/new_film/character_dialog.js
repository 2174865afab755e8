/** Makes a character from a picture. The event `made` has the new one. */

import { ApiError, post } from "../api.js";
import { Component, html, nothing } from "../component.js";
import { choiceField, lineField, textField } from "../controls/field.js";
import "../controls/file_drop.js";

const EMPTY = { name: "", description: "", voice: "", image: null };
const LONGEST_DESCRIPTION = 1_000; // characters

class CharacterDialog extends Component {
  voices = []; // of the API
  #form = { ...EMPTY };
  #faults = new Map();
  #busy = false;
  #error = "";

  open() {
    this.#form = { ...EMPTY };
    this.#faults.clear();
    this.#error = "";
    this.changed();
    this.querySelector("dialog").showModal();
  }

  async #make() {
    const { name, description, voice, image } = this.#form;
    this.#busy = true;
    this.#faults.clear();
    this.#error = "";
    this.changed();
    try {
      const body = {
        name,
        ...(description && { description }),
        ...(voice && { voice }),
        ...(image && { image: { file_id: image.file_id } }),
      };
      const made = await post("videos/characters", body);
      this.dispatchEvent(new CustomEvent("made", { detail: made }));
      this.querySelector("dialog").close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const param = error.param?.split(/[.[]/)[0];
      const field = param === "video" ? "image" : param; // either is required; this asks for a picture
      if (field in this.#form) this.#faults.set(field, error.message);
      else this.#error = error.message;
      if (field in this.#form) queueMicrotask(() => this.querySelector(`#character-${field}`)?.focus());
    } finally {
      this.#busy = false;
      this.changed();
    }
  }

  view() {
    const set = (name) => (value) => {
      this.#form[name] = value;
      this.#faults.delete(name);
      this.changed();
    };
    const shown = (name, label) => ({
      id: `character-${name}`,
      label,
      value: this.#form[name],
      fault: this.#faults.get(name),
      input: set(name),
    });
    return html`
      <dialog aria-labelledby="character-title">
        <div class="stack">
          <h2 id="character-title">New character</h2>
          ${lineField({ ...shown("name", "Name"), placeholder: "Mossy", hint: "Texts name it with @ before it." })}
          <div class="field">
            <span class="label">Picture</span>
            <studio-file-drop id="character-image" tabindex="-1" .label=${"Picture of the character"}
              .value=${this.#form.image}
              .fault=${this.#faults.get("image") ?? null}
              @file=${({ detail }) => {
                this.#busy = detail.busy;
                set("image")(detail.value);
              }}></studio-file-drop>
          </div>
          ${textField({
            ...shown("description", "How it looks"),
            most: LONGEST_DESCRIPTION,
            rows: 2,
            optional: true,
            hint: "Without it, a text model describes the picture.",
          })}
          ${choiceField({
            ...shown("voice", "Voice"),
            optional: true,
            hint: "Speaks the scenes whose speaker it is.",
            choices: [["", "None"], ...this.voices.map(({ id, language_name }) => [id, `${id} (${language_name})`])],
          })}
          ${this.#error ? html`<p class="notice bad" role="alert">${this.#error}</p>` : nothing}
          <div class="row">
            <button type="button" class="primary" ?disabled=${this.#busy} @click=${() => this.#make()}>Create</button>
            <button type="button" @click=${() => this.querySelector("dialog").close()}>Cancel</button>
          </div>
        </div>
      </dialog>`;
  }
}

customElements.define("studio-character-dialog", CharacterDialog);
