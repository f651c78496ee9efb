const MINUTE = 60_000;

// Repeats a task every minute while the page wants it and its tab is visible.
export class Refresher {
  constructor(task) {
    this.task = task;
    this.isWanted = false;
    this.began = 0;
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  // Begins a new minute, or ends the repetition.
  restart(isWanted) {
    this.isWanted = isWanted;
    this.began = Date.now();
    this.#plan();
  }

  #plan() {
    clearTimeout(this.timer);
    if (this.isWanted && !document.hidden) this.timer = setTimeout(this.task, Math.max(0, this.began + MINUTE - Date.now()));
  }
}
