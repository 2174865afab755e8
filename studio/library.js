/** The films that the gallery has loaded, newest first. They stay while other screens are shown. */

import { get } from "./api.js";
import { session } from "./session.js";

const FIRST = 30; // what a screen shows, so that it is there at once
const MORE = 100;

class Library {
  /** null until the first page is there. */
  videos = null;
  hasMore = false;

  /** Load the newest page, and forget what is no longer in it. */
  async refresh(signal) {
    const page = await get("videos", { limit: FIRST }, signal);
    const known = this.videos ?? [];
    const last = known.findIndex(({ id }) => id === page.last_id);
    this.videos = page.data.map((video) => this.#same(video));
    if (page.has_more && last >= 0) this.videos.push(...known.slice(last + 1));
    else this.hasMore = page.has_more;
  }

  async more(signal) {
    const page = await get("videos", { limit: MORE, after: this.videos.at(-1).id }, signal);
    const known = new Set(this.videos.map(({ id }) => id));
    this.videos.push(...page.data.filter(({ id }) => !known.has(id)));
    this.hasMore = page.has_more;
  }

  put(video) {
    const place = this.videos?.findIndex(({ id }) => id === video.id) ?? -1;
    if (place >= 0) this.videos[place] = this.#same(video);
  }

  drop(id) {
    if (this.videos) this.videos = this.videos.filter((video) => video.id !== id);
  }

  forget() {
    this.videos = null;
  }

  /** Keep the link to a poster that is shown already: each answer has another. */
  #same(video) {
    const before = this.videos?.find(({ id }) => id === video.id);
    if (!before?.thumbnail_url || before.completed_at !== video.completed_at) return video;
    return { ...video, thumbnail_url: before.thumbnail_url };
  }
}

export const library = new Library();
session.addEventListener("change", () => session.active || library.forget());
