"""Functions for `Page.evaluate` that measure a page as a person sees it."""

from __future__ import annotations

GREYS = """async (png) => {
  const picture = await createImageBitmap(new Blob([new Uint8Array(png)]));
  const pen = new OffscreenCanvas(14, 14).getContext("2d");
  pen.drawImage(picture, 0, 0, 14, 14);
  const { data } = pen.getImageData(0, 0, 14, 14);
  return Array.from({ length: data.length / 4 }, (_, at) => data[4 * at]);
}"""
"""How bright a picture is, point by point, whatever its size."""

FAINT = """(theme) => {
  document.documentElement.dataset.theme = theme;
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const seen = (colours) => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    const [r, g, b] = Array.from(pen.getImageData(0, 0, 1, 1).data, (part) => part / 255)
      .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => (element
    ? [...behind(element.parentElement), getComputedStyle(element).backgroundColor] : ["white"]);
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.checkVisibility() && !element.disabled && !element.closest("table, svg"))
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .filter((element) => {
      const ground = behind(element);
      const [low, high] = [seen(ground), seen([...ground, getComputedStyle(element).color])].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05) < 4.5;
    })
    .map((element) => `${element.tagName} ${element.className}: ${element.textContent.slice(0, 40)}`);
}"""
"""The elements with text that is too faint, under a theme."""
