/** Small pictures for buttons, whose text is their label. */

import { html } from "../component.js";

const SHAPES = {
  up: "M12 19V5m-6 6 6-6 6 6",
  down: "M12 5v14m6-6-6 6-6-6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  remove: "M6 6l12 12M18 6 6 18",
  grip: "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m15 14 5-5-5-5m5 5H10a6 6 0 0 0 0 12h3",
  add: "M12 5v14M5 12h14",
  play: "M7 4.5v15l12-7.5z",
  stop: "M6 6h12v12H6z",
};

export const icon = (name) => html`
  <svg class="icon-picture" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
    <path d=${SHAPES[name]}></path>
  </svg>`;
