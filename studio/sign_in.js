/** Signing in: by a PC's one-time link, by Cognito (code + PKCE), or with an API key. */

import { ApiError, request } from "./api.js";
import { Component, html, nothing } from "./component.js";
import { session } from "./session.js";

const STARTED = "reelworks.sign_in"; // {state, verifier, hash} while Cognito's page is open

const config = (() => {
  let asked = null;
  return () => (asked ??= _json(fetch("config.json")).catch((error) => { asked = null; throw error; }));
})();

session.refresh = async (refreshToken) => {
  const { cognito } = (await config()).sign_in;
  return _tokens(cognito, { grant_type: "refresh_token", refresh_token: refreshToken });
};

/** Finish what the address says was begun, if anything, and remove it from the address before anything else. */
export async function finishSignIn() {
  const link = /^#code=(.+)$/.exec(location.hash)?.[1];
  const query = new URLSearchParams(location.search);
  const started = JSON.parse(sessionStorage.getItem(STARTED) ?? "null");
  const back = query.has("code") || query.has("error");
  if (!link && !back) return;
  history.replaceState(null, "", location.pathname + (back && started ? started.hash : ""));
  sessionStorage.removeItem(STARTED);
  try {
    session.begin(await (link ? _byLink(decodeURIComponent(link)) : _byCognito(query, started)));
  } catch (error) {
    session.fail(error.message);
  }
}

/** End the session, and Cognito's, which would sign in again without asking. */
export async function signOut() {
  const { renews } = session;
  session.end();
  if (!renews) return;
  const { domain, client_id } = (await config()).sign_in.cognito;
  const url = new URL("/logout", domain);
  url.search = new URLSearchParams({ client_id, logout_uri: _here() });
  location.assign(url);
}

async function _byLink(code) {
  const asked = fetch("session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
  });
  return { token: (await _json(asked)).api_key };
}

async function _byCognito(query, started) {
  const failed = query.get("error_description") ?? query.get("error");
  if (failed) throw new Error(`You aren't signed in: ${failed}.`);
  if (!started || query.get("state") !== started.state) {
    throw new Error("This sign-in was not begun in this window. Sign in here.");
  }
  const { cognito } = (await config()).sign_in;
  const code = { grant_type: "authorization_code", code: query.get("code"), code_verifier: started.verifier };
  return _tokens(cognito, { ...code, redirect_uri: _here() });
}

async function _beginCognito({ domain, client_id }) {
  const [state, verifier] = [_random(), _random()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(STARTED, JSON.stringify({ state, verifier, hash: location.hash }));
  const url = new URL("/oauth2/authorize", domain);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: _here(),
    scope: "openid",
    state,
    code_challenge: _base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(url);
}

/** Return what the session keeps: the API takes the id token. A refresh keeps its refresh token. */
async function _tokens({ domain, client_id }, fields) {
  const body = new URLSearchParams({ client_id, ...fields });
  const answer = await _json(fetch(new URL("/oauth2/token", domain), { method: "POST", body }));
  return {
    token: answer.id_token,
    expires: Date.now() + answer.expires_in * 1000,
    refresh: answer.refresh_token ?? fields.refresh_token,
  };
}

/** Return the JSON of an answer. Throws an ApiError. */
async function _json(asked) {
  const answer = await asked.catch(() => {
    throw new ApiError(0, { message: "The studio's server can't be reached. Check the network and try again." });
  });
  const data = await answer.json().catch(() => null);
  if (answer.ok && data) return data;
  const message = data?.error?.message ?? data?.error_description ?? `The server answered ${answer.status}.`;
  throw new ApiError(answer.status, { message });
}

const _here = () => location.origin + location.pathname;
const _random = () => _base64url(crypto.getRandomValues(new Uint8Array(32)));
const _base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

class SignIn extends Component {
  async start() {
    this.fault = "";
    this.asking = false;
    session.addEventListener("change", () => this.changed(), { signal: this.signal });
    await this.#ask();
  }

  async #ask() {
    try {
      this.ways = (await config()).sign_in;
      this.failed = "";
    } catch (error) {
      this.failed = error.message;
    }
    this.changed();
  }

  async #withKey(event) {
    event.preventDefault();
    const key = this.querySelector("#key").value.trim();
    this.fault = "";
    if (!/^[\x21-\x7e]+$/.test(key)) {
      this.fault = "An API key has letters, digits and punctuation, without spaces.";
    } else {
      this.asking = true;
      this.changed();
      try {
        await request("GET", "videos", { query: { limit: 1 }, headers: { authorization: `Bearer ${key}` } });
        session.begin({ token: key });
        return;
      } catch (error) {
        this.fault = error.status === 401 ? "The API doesn't know this key. Check that it is whole." : error.message;
      }
    }
    this.asking = false;
    this.changed();
    this.querySelector("#key").focus();
  }

  view() {
    const { ways } = this;
    return html`
      <div class="sign-in stack">
        <h1>Reelworks Studio</h1>
        <p class="quiet">See, change and approve every stage of your films.</p>
        ${session.reason ? html`<p class="notice warn" role="status">${session.reason}</p>` : nothing}
        ${this.failed
          ? html`<p class="notice bad" role="alert">${this.failed}</p>
              <button @click=${() => this.#ask()}>Try again</button>`
          : nothing}
        ${ways?.cognito
          ? html`<button class="primary" @click=${() => _beginCognito(ways.cognito)}>Sign in</button>`
          : nothing}
        ${ways?.link
          ? html`<div class="card"><h2>On this PC</h2>
              <p>Run <code>reel studio</code>. It opens this page, signed in.</p></div>`
          : nothing}
        ${ways ? this.#keyForm(ways.cognito ? "" : "primary") : nothing}
      </div>`;
  }

  #keyForm(kind) {
    return html`
      <form class="card stack" @submit=${(event) => this.#withKey(event)}>
        <div>
          <label for="key">API key</label>
          <input id="key" type="password" autocomplete="off" spellcheck="false" required
            aria-invalid=${this.fault ? "true" : nothing} aria-describedby="key-hint key-fault">
          <p id="key-hint" class="hint">It is kept until you close this window.</p>
          <p id="key-fault" class="fault" role="alert">${this.fault}</p>
        </div>
        <div><button class=${kind} ?disabled=${this.asking}>Use this key</button></div>
      </form>`;
  }
}

customElements.define("studio-sign-in", SignIn);
