/** A dialog that asks for a few fields or a confirmation, sends them, and shows what the API says in place. */

import { Component, html, nothing } from "./component.js";

/**
 * @typedef {object} Field
 * @property {string} name the request's field, by which the API names faults
 * @property {string} label
 * @property {"text" | "number"} kind
 * @property {string} [hint]
 * @property {object} [limits] attributes such as min, max, step, maxlength; a field is required unless `optional`
 * @property {boolean} [optional]
 * @property {string} [value]
 */

/**
 * Open a dialog. `send` gets the values by name and what is the same for each try at this dialog (for an
 * Idempotency-Key); when it has resolved, the dialog closes. `draft`: the name under which texts are kept in the
 * browser until they are sent.
 */
export function ask({ title, text = "", fields = [], action, danger = false, draft = null, send }) {
  const dialog = document.createElement("studio-ask");
  Object.assign(dialog, { heading: title, text, fields, action, danger, draft, send });
  document.querySelector("studio-app").append(dialog);
}

class Ask extends Component {
  start() {
    this.fault = null;
    this.sending = false;
    this.once = crypto.randomUUID();
    const typed = this.#kept ? JSON.parse(localStorage.getItem(this.#kept) ?? "{}") : {};
    this.values = { ...Object.fromEntries(this.fields.map(({ name, value = "" }) => [name, value])), ...typed };
    addEventListener("hashchange", () => this.remove(), { signal: this.signal });
  }

  drawn() {
    const dialog = this.querySelector("dialog");
    if (!dialog.open) dialog.showModal();
  }

  /** Where the browser keeps what was typed; null: nowhere. */
  get #kept() {
    return this.draft && `reelworks.draft.${this.draft}`;
  }

  #typed(name, value) {
    this.values[name] = value;
    if (this.#kept) localStorage.setItem(this.#kept, JSON.stringify(this.values));
  }

  async #send(event) {
    event.preventDefault();
    this.sending = true;
    this.fault = null;
    this.changed();
    const given = this.fields.filter(({ name }) => this.values[name] !== "");
    const values = Object.fromEntries(
      given.map(({ name, kind }) => [name, kind === "number" ? Number(this.values[name]) : this.values[name]]),
    );
    try {
      await this.send(values, this.once);
      if (this.#kept) localStorage.removeItem(this.#kept);
      this.querySelector("dialog")?.close();
    } catch (error) {
      this.fault = error;
      this.sending = false;
      this.changed();
    }
  }

  view() {
    const inField = this.fields.some(({ name }) => name === this.fault?.param);
    return html`
      <dialog aria-labelledby="ask-title" @close=${() => this.remove()}>
        <form class="stack" @submit=${(event) => this.#send(event)}>
          <h2 id="ask-title">${this.heading}</h2>
          ${this.text ? html`<p>${this.text}</p>` : nothing}
          ${this.fields.map((field) => this.#field(field))}
          <p class="fault" role="alert">${this.fault && !inField ? this.fault.message : ""}</p>
          <div class="row end">
            <button type="button" @click=${() => this.querySelector("dialog").close()}>
              ${this.danger ? "Keep it" : "Cancel"}</button>
            <button class=${this.danger ? "danger" : "primary"} ?disabled=${this.sending}>
              ${this.sending ? "Sending …" : this.action}</button>
          </div>
        </form>
      </dialog>`;
  }

  #field({ name, label, kind, hint = "", limits = {}, optional = false }) {
    const fault = this.fault?.param === name ? this.fault.message : "";
    const said = `ask-${name}-hint ask-${name}-fault`;
    const typed = ({ target }) => this.#typed(name, target.value);
    const wrong = fault ? "true" : nothing;
    return html`
      <div>
        <label for="ask-${name}">${label}${optional ? html` <span class="quiet">(optional)</span>` : nothing}</label>
        ${kind === "text"
          ? html`<textarea id="ask-${name}" class="written" dir="auto" ?required=${!optional} .value=${this.values[name]}
              maxlength=${limits.maxlength ?? nothing} aria-describedby=${said} aria-invalid=${wrong} @input=${typed}></textarea>`
          : html`<input id="ask-${name}" type="number" ?required=${!optional} .value=${this.values[name]}
              min=${limits.min ?? nothing} max=${limits.max ?? nothing} step=${limits.step ?? nothing}
              aria-describedby=${said} aria-invalid=${wrong} @input=${typed}>`}
        <p id="ask-${name}-hint" class="hint">${hint}</p>
        <p id="ask-${name}-fault" class="fault" role="alert">${fault}</p>
      </div>`;
  }
}

customElements.define("studio-ask", Ask);
