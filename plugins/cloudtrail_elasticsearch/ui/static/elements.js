// Elements are built from text only: no text from a server is ever parsed as HTML.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (number) => whole.format(number);
export const brief = (number) => short.format(number);
export const time = (text) => text.replace("T", " ").replace(/\.\d+/, "").replace(/Z|\+00:00/, " UTC");

// A button that copies an element's text; `status` shows the outcome.
export function copyButton(shown, status, label = "Copy the command") {
  const button = make("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    status.textContent = (await copy(shown)) ? "Copied." : "The browser does not allow this page to copy. The text is selected: press Ctrl+C.";
  });
  return button;
}

// Without HTTPS the clipboard API is missing, but the browser can copy a selection.
async function copy(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
