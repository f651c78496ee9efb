import { make } from "./elements.js";
import { problem } from "./problem.js";

const SLOW = 10_000;

// Shows a waiting message in a line, after a while with the seconds passed; returns a function that hides it.
export function showWaiting(line, words) {
  const began = performance.now();
  line.textContent = words;
  line.hidden = false;
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1_000);
    line.textContent = `${words} Still waiting for the search server, ${seconds} s so far.`;
  }, SLOW);
  return () => {
    clearInterval(timer);
    line.hidden = true;
  };
}

// Replaces the data of an element when new data are there. Without an answer, the old data stay.
export async function refill(place, ask, show) {
  try {
    const found = await ask();
    if (place.isConnected && !place.contains(document.activeElement)) place.replaceChildren(...show(found));
  } catch { /* the page itself reports that it cannot be refreshed */ }
}

// Shows a waiting message in an element, then the data, or the error with its advice.
export async function fill(place, words, ask, show) {
  const line = make("p", { class: "hint waiting" });
  const end = showWaiting(line, words);
  place.replaceChildren(line);
  try {
    place.replaceChildren(...show(await ask()));
  } catch (error) {
    place.replaceChildren(make("div", { class: "failed" }, ...problem(error, () => fill(place, words, ask, show))));
  } finally {
    end();
  }
}
