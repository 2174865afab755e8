/** The base of the studio's elements: a web component that draws itself with lit-html, into its own light DOM. */

import { render } from "./vendor/lit-html/lit-html.js";

export { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
export { keyed } from "./vendor/lit-html/directives/keyed.js";
export { live } from "./vendor/lit-html/directives/live.js";
export { ref } from "./vendor/lit-html/directives/ref.js";
export { repeat } from "./vendor/lit-html/directives/repeat.js";

/**
 * A subclass has `view()`, which returns a template, and calls `changed()` when what it shows has changed. `start()`
 * runs when the element enters the page; its `signal` aborts when the element leaves it.
 */
export class Component extends HTMLElement {
  #leaving = new AbortController();
  #waits = false;

  get signal() {
    return this.#leaving.signal;
  }

  connectedCallback() {
    this.#leaving = new AbortController();
    this.start();
    this.changed();
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  start() {}

  changed() {
    if (this.#waits) return;
    this.#waits = true;
    queueMicrotask(() => {
      this.#waits = false;
      if (this.isConnected) {
        render(this.view(), this);
        this.drawn();
      }
    });
  }

  drawn() {}
}
