// The reader's choice in the page's address, so that a link shows the same.

/** Keep a choice in the address, beside everything else in it. @param {Record<string, string>} choice empty values are left out */
export function remember(choice) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(choice)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.size ? `?${query}` : "";
  if (search !== location.search) history.replaceState(history.state, "", location.pathname + search + location.hash);
}

/**
 * Call `act` whenever the reader goes back or forward on this page. On the way to another page the address changes before the page does:
 * such a change is passed over.
 * @param {() => void} act @param {AbortSignal} signal ends it
 */
export function onReturn(act, signal) {
  const here = location.pathname;
  addEventListener("popstate", () => location.pathname === here && act(), { signal });
}
