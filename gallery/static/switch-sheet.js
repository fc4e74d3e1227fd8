// The passage's switches on a narrow screen: one button opens them as a sheet. And what else depends on the reader's device.

import { all, only } from "./dom.js";

const NARROW = "(max-width: 1099px)";

/** Return what the line for numbers says before a word is chosen: to a finger or to a mouse. @param {HTMLElement} line */
export function hintOf(line) {
  return (matchMedia("(hover: none)").matches ? line.dataset.touch : line.dataset.empty) ?? "";
}

/** Make the switches a sheet that a button opens, as long as the screen is narrow. @param {HTMLElement} words @param {AbortSignal} signal ends it */
export function offerSheet(words, signal) {
  const [form] = all(words, ".g-switch", HTMLFormElement);
  const [button] = all(words, ".g-sheet", HTMLButtonElement);
  if (!form || !button || !("popover" in form)) return;
  const narrow = matchMedia(NARROW);
  const fit = () => {
    form.popover = narrow.matches ? "auto" : null;
    button.hidden = !narrow.matches;
  };
  button.setAttribute("popovertarget", form.id);
  narrow.addEventListener("change", fit, { signal });
  fit();
}

/** Offer to share the address, by the device's own sheet or by copying. @param {HTMLElement} words */
export function offerSharing(words) {
  const button = only(words, ".g-share", HTMLButtonElement);
  const label = button.textContent ?? "";
  button.hidden = !navigator.share && !navigator.clipboard;
  button.onclick = async () => {
    try {
      if (navigator.share) await navigator.share({ title: document.title, url: location.href });
      else {
        await navigator.clipboard.writeText(location.href);
        button.textContent = button.dataset.done ?? "";
        setTimeout(() => (button.textContent = label), 2000);
      }
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // the reader has closed the sheet, or the browser forbids it
    }
  };
}

/** Write address and date under a page as it is printed. @param {AbortSignal} signal ends it */
export function dateInPrint(signal) {
  const line = document.querySelector(".g-printed");
  const print = () => line instanceof HTMLElement && line.replaceChildren(`${location.href} · ${new Date().toLocaleDateString(line.lang || undefined)}`);
  addEventListener("beforeprint", print, { signal });
}
