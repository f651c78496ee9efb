import { problem } from "./problem.js";
import { showWaiting } from "./waiting.js";

const find = (id) => document.getElementById(id);

// Loads a page's data. It shows the answer to the latest request, even if an older request is answered later.
export class Loader {
  constructor(words, place, reset) {
    this.words = words;
    this.place = place;
    this.reset = reset;
    this.end = () => {};
  }

  async load(ask, show) {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.#begin();
    try {
      const answer = await ask(request.signal);
      if (request.signal.aborted) return;
      find("problem").hidden = true;
      document.body.dataset.view = show(answer);
    } catch (error) {
      if (request.signal.aborted) return;
      this.#fail(error, () => this.#again(ask, show));
    }
    this.end();
    this.place.setAttribute("aria-busy", "false");
    document.body.dataset.loaded = "true";
  }

  #begin() {
    this.end();
    this.end = showWaiting(find("waiting"), this.words);
    this.place.setAttribute("aria-busy", "true");
  }

  #fail(error, retry) {
    document.body.dataset.view = "failed";
    find("problem").hidden = false;
    find("problem").replaceChildren(...problem(error, retry, this.reset));
  }

  // The pressed button disappears with the error, so move the focus to the answer.
  async #again(ask, show) {
    find("problem").hidden = true;
    await this.load(ask, show);
    const next = find("problem").hidden ? this.place.querySelector("[tabindex='0'], summary, button, a") : find("problem").querySelector("button, a");
    next?.focus({ preventScroll: true });
  }
}
