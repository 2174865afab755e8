/** What runs, waits and failed, of all tenants: for operators. Films are named only; a key opens its own tenant's. */

import { get } from "./api.js";
import { Component, html, nothing } from "./component.js";
import { ago, cost } from "./format.js";
import { poll } from "./polling.js";
import { counted } from "./video.js";

const REFRESH_MS = 30_000;

class Operations extends Component {
  #found = null;

  start() {
    this.fault = null;
    poll(() => this.#ask(), { signal: this.signal, failed: (error) => this.#failed(error) });
  }

  async #ask() {
    try {
      this.#found = await get("operations", {}, this.signal);
    } catch (error) {
      if (error.status !== 403) throw error;
      this.#failed(error);
      return null; // it won't be allowed later
    }
    this.fault = null;
    this.changed();
    return REFRESH_MS;
  }

  #failed(error) {
    this.fault = error;
    this.changed();
  }

  view() {
    const found = this.#found;
    return html`
      <div class="stack operations" aria-busy=${!found && !this.fault}>
        <div class="row spread">
          <h1>Operations</h1>
          ${found
            ? html`<p class="small quiet row">
                <span>As of ${new Date(found.at * 1000).toLocaleTimeString()}</span> ${runbook(found.runbook)}</p>`
            : nothing}
        </div>
        ${this.fault ? html`<p class="notice bad" role="alert">${this.fault.message}</p>` : nothing}
        ${found ? [figures(found), openFilms(found), engines(found), failures(found), spend(found)] : nothing}
      </div>`;
  }
}

// --- parts of the page

function figures({ open, engines: loads, failures: failed, spend: spent }) {
  const sum = (name, of) => of.reduce((total, one) => total + one[name], 0);
  const shown = [
    ["Films being made", number(open.total, open.has_more)],
    ["Clips in flight", number(sum("in_flight", loads))],
    ["Clips waiting", number(sum("waiting", loads))],
    ["Films failed, 24 h", number(failed.total, failed.has_more)],
    ["Spent today", spent ? money(sum("cost", spent.today)) : "unknown"],
  ];
  return html`<dl class="figures">${shown.map(([name, value]) => html`
    <div class="card"><dt class="small quiet">${name}</dt><dd class="number">${value}</dd></div>`)}</dl>`;
}

function openFilms({ open }) {
  const stages = Object.entries(open.stages);
  return section("open", "Films being made", html`
    ${stages.length
      ? html`<p class="row">${stages.map(([stage, films]) => html`
          <span class="tag"><span class="number">${number(films, open.has_more)}</span> ${stage}</span>`)}</p>`
      : html`<p class="quiet">None. Films that wait for their users are not counted.</p>`}
    ${table("The films longest at their stage", [["Film"], ["Tenant"], ["Stage"], ["Since", "end"], ["Clips", "end"], [""]],
      open.oldest.map((film) => [
        id(film.id),
        written(film.tenant),
        html`${film.stage}${film.waits_for === "text_model" ? html`<br><span class="small quiet">waits for the text
          model</span>` : nothing}`,
        time(film.since),
        film.clips_total ? html`${film.clips_done} of ${film.clips_total}` : "–",
        film.runbook ? runbook(film.runbook) : nothing,
      ]))}`);
}

function engines({ engines: loads }) {
  return section("engines", "Engines", loads.length
    ? table("Engines", [["Engine"], ["In flight", "end"], ["Waiting", "end"], ["Of tenants"], ["Oldest", "end"],
        ["Instances", "end"], [""]],
      loads.map((load) => [
        written(load.name),
        load.in_flight,
        load.waiting,
        load.waiting_by_tenant.length
          ? html`<ul class="plain-list">${load.waiting_by_tenant.map(({ tenant, clips }) => html`
              <li>${written(tenant)} ${clips}</li>`)}</ul>`
          : "–",
        load.waiting_since ? time(load.waiting_since) : "–",
        load.instances === null
          ? html`<span class="quiet">unknown</span>`
          : html`${load.instances} <span class="small quiet">${ago(load.instances_at)}</span>`,
        load.runbook ? runbook(load.runbook) : nothing,
      ]))
    : html`<p class="quiet">None has a queue: clips are drawn by functions.</p>`);
}

function failures({ failures: failed }) {
  if (!failed.total) return section("failures", "Failed within 24 hours", html`<p class="quiet">None.</p>`);
  return section("failures", "Failed within 24 hours", html`
    ${table("Failures by step and code", [["Step"], ["Code"], ["Films", "end"], [""]], failed.kinds.map((kind) => [
      written(kind.step), written(kind.code), kind.films, runbook(kind.runbook),
    ]))}
    ${failed.has_more ? html`<p class="small quiet">There are more; the latest are counted.</p>` : nothing}
    <h3>The latest</h3>
    ${table("The latest failed films", [["Film"], ["Tenant"], ["When", "end"], ["Step"], ["Reason", "wide"]],
      failed.latest.map((film) => [
        id(film.id), written(film.tenant), time(film.at), written(film.step), written(film.reason),
      ]))}`);
}

function spend({ spend: spent, spend_reason: reason }) {
  if (!spent) return section("spend", "Spend", html`<p class="quiet">${`Unknown. ${reason}`}</p>`);
  const today = new Map(spent.today.map((row) => [row.model, row]));
  return section("spend", "Spend", html`
    <p class="small quiet">By list prices, of films that ended, in UTC: today, and since ${spent.week_from}.
      ${runbook(spent.runbook)}</p>
    ${spent.week.length
      ? table("Spend by engine", [["Engine"], ["Today", "end"], ["7 days", "end"], ["Films", "end"], ["Failed", "end"],
          ["Clips", "end"]],
        spent.week.map((row) => [
          written(row.model),
          usd(today.get(row.model)),
          usd(row),
          row.films, row.failed, row.clips,
        ]))
      : html`<p class="quiet">No film has ended.</p>`}`);
}

// --- words

const section = (name, title, content) => html`
  <section class="card stack" aria-labelledby=${name}><h2 id=${name}>${title}</h2>${content}</section>`;

/** `columns`: [name, class]. The roles stay when a narrow page shows rows as lists, each cell with its column's name. */
function table(label, columns, rows) {
  if (!rows.length) return nothing;
  return html`
    <table class="data" role="table" aria-label=${label}>
      <thead role="rowgroup"><tr role="row">${columns.map(([name, kind = ""]) => html`
        <th role="columnheader" scope="col" class=${kind}>${name || html`<span class="hidden-text">Runbook</span>`}</th>`)}
      </tr></thead>
      <tbody role="rowgroup">${rows.map((cells) => html`<tr role="row">${cells.map((cell, place) => html`
        <td role="cell" class=${cell === nothing ? "none" : columns[place][1] ?? ""} data-label=${columns[place][0]}>
          <div>${cell}</div></td>`)}</tr>`)}
      </tbody>
    </table>`;
}

const id = (text) => html`<code class="written small">${text}</code>`;
const written = (text) => html`<span class="written" dir="auto">${text}</span>`;
const number = (count, more = false) => `${more ? "≥ " : ""}${count.toLocaleString()}`;
const time = (at) => html`<time datetime=${new Date(at * 1000).toISOString()}
  title=${new Date(at * 1000).toLocaleString()}>${ago(at)}</time>`;

const money = (usd) => (usd === 0 ? "$0" : cost(usd));

function usd(row) {
  if (!row) return "–";
  const unpriced = row.unknown ? html`<br><span class="small quiet">${counted(row.unknown, "film")} unpriced</span>` : nothing;
  return html`${money(row.cost)}${unpriced}`;
}

/** A link to a runbook, named like its page. The setting may be a folder that is no address. */
function runbook(link) {
  const page = link.split("/").at(-1).replace(/\.md$/, "");
  const name = page === "index" ? "Runbooks" : `Runbook: ${page.replaceAll("-", " ")}`;
  if (!/^https?:/.test(link)) return html`<span class="written small">${link}</span>`;
  return html`<a class="small" href=${link} target="_blank" rel="noopener">${name}</a>`;
}

customElements.define("studio-operations", Operations);
