/**
 * @typedef {{unmount: () => void, snapshot?: () => object}} Page
 * snapshot: what the page needs to come back as it was
 * @typedef {(root: HTMLElement, about: {params: string[], query: URLSearchParams, restore: any}) => Page} Mount
 */

/** @type {{pattern: RegExp, tab: string, mount: Mount}[]} */
let routes = [];
/** @type {Page|null} */
let current = null;
let timer = 0;

/** @param {typeof routes} table */
export function startRouter(table) {
  routes = table;
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => show());
  addEventListener("scroll", () => {
    clearTimeout(timer);
    timer = window.setTimeout(remember, 120);
  }, { passive: true });
  addEventListener("pagehide", remember);
  document.addEventListener("click", follow);
  show();
}

/** Goes to another page of this site. @param {string} address @param {{replace?: boolean}} [how] */
export function go(address, { replace = false } = {}) {
  remember();
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  show();
}

/** Writes the page's settings into the address without leaving. @param {Record<string, string>} settings */
export function setQuery(settings) {
  const query = new URLSearchParams(Object.entries(settings).filter(([, value]) => value)).toString();
  history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}`);
}

/** @param {string} words */
export function setTitle(words) {
  document.title = `${words} · unmingle`;
}

function remember() {
  clearTimeout(timer);
  if (current) history.replaceState({ scroll: scrollY, ...current.snapshot?.() }, "");
}

/** @param {MouseEvent} event */
function follow(event) {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin || link.target) return;
  if (link.hash || !routes.some(({ pattern }) => pattern.test(link.pathname))) return;
  event.preventDefault();
  for (const dialog of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (dialog).close();
  go(link.pathname + link.search);
}

function show() {
  clearTimeout(timer);
  current?.unmount();
  current = null;
  const root = /** @type {HTMLElement} */ (document.getElementById("page"));
  const route = routes.find(({ pattern }) => pattern.test(location.pathname)) ?? routes[0];
  const restore = history.state ?? {};
  document.getElementById("actions")?.replaceChildren();
  mark(route.tab);
  root.replaceChildren();
  scrollTo(0, 0);
  const params = (location.pathname.match(route.pattern) ?? []).slice(1);
  current = route.mount(root, { params, query: new URLSearchParams(location.search), restore });
  if (restore.scroll) scrollTo(0, restore.scroll);
}

/** @param {string} tab */
function mark(tab) {
  for (const link of document.querySelectorAll("[data-tab]")) {
    const here = /** @type {HTMLElement} */ (link).dataset.tab === tab;
    if (!here) link.removeAttribute("aria-current");
    else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
