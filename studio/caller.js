/** What whoever is signed in may do: for screens that offer only that. The API decides. */

import { get } from "./api.js";
import { session } from "./session.js";

class Caller extends EventTarget {
  tenant = "";
  #scopes = null; // null: unknown, so everything is offered

  /** `scope`: read, create, admin or operate, which few have. */
  may(scope) {
    return this.#scopes?.includes(scope) ?? scope !== "operate";
  }

  async load() {
    try {
      const { tenant, scopes } = await get("caller");
      this.tenant = tenant;
      this.#scopes = scopes;
    } catch {
      this.forget(); // the screens say what the API says
    }
    this.dispatchEvent(new Event("change"));
  }

  forget() {
    this.tenant = "";
    this.#scopes = null;
  }
}

export const caller = new Caller();

session.addEventListener("change", () => {
  if (!session.active) caller.forget();
});
