// Elements are made of text alone: nothing that the server says is ever read as HTML.
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

// A button that copies what an element shows, and says so.
export function copyButton(shown, told, label = "Copy the command") {
  const button = make("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    told.textContent = (await copied(shown)) ? "Copied." : "The browser does not let this page copy: press Ctrl+C.";
  });
  return button;
}

// Without HTTPS there is no clipboard to write to, but a selection can be copied.
async function copied(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
