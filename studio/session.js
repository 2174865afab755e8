/** Who is signed in. The token is kept in this window's session storage: it ends with the window. */

const KEPT = "reelworks.session";

class Session extends EventTarget {
  #kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null"); // {token} or {token, expires, refresh}
  #refreshing = null;

  /** Set by sign_in.js: exchanges a refresh token for {token, expires, refresh}. */
  refresh = null;

  /** Why nobody is signed in, for the page that asks to. */
  reason = "";

  /** Whether it is renewed from time to time: Cognito's. */
  get renews() {
    return Boolean(this.#kept?.refresh);
  }

  get active() {
    return this.#kept !== null;
  }

  begin(kept) {
    this.#kept = kept;
    this.reason = "";
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
    this.dispatchEvent(new Event("change"));
  }

  end(reason = "") {
    if (!this.active) return;
    this.#kept = null;
    sessionStorage.removeItem(KEPT);
    this.fail(reason);
  }

  /** Say why nobody could sign in. */
  fail(reason) {
    this.reason = reason;
    this.dispatchEvent(new Event("change"));
  }

  /** Return the token to send, refreshed if it is about to expire. Throws an ApiError if that fails for a moment. */
  async token() {
    const kept = this.#kept;
    if (kept?.refresh && kept.expires < Date.now() + 60_000) {
      this.#refreshing ??= this.refresh(kept.refresh)
        .then((fresh) => this.begin(fresh))
        .catch((error) => {
          if (!(error.status >= 400 && error.status < 500)) throw error; // the network, or their server's fault
          this.end("Your session has ended. Sign in again.");
        })
        .finally(() => (this.#refreshing = null));
      await this.#refreshing;
    }
    return this.#kept?.token ?? "";
  }
}

export const session = new Session();
