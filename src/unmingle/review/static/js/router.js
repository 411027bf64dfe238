import { byId, debounced } from "./dom.js";

/** @type {{path: string, tab: string, title: string, key?: string, mount: Mount}[]} */ let routes = [];
/** @type {Page|null} */ let current = null;
let visit = new AbortController(); // of the page that is shown; aborted when somebody leaves it
/** @type {any} how the page was that is to come back, until it is there or somebody moves */ let restoring = null;
/** What is open over the page, the newest last; each has an entry of the browser's history. @type {{close: () => void, state: object}[]} */
const overlays = [];
let returning = false; // whether the browser is on its way back to an entry as it was told here
/** What is to be done once it is there. @type {(() => void)[]} */ const waiting = [];
let key = ""; // of the page that is shown; what is open over it has the same
const SETTLED = 2000; // milliseconds after which a page that came back is as it was
const WALL = "unmingle-wall"; // how all people were left, as long as the tab is there
const freshKey = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

/** The numbers in an address, where it is one of this path; else null. @param {string} path @param {string} address */
const matched = (path, address) => address.match(`^${path.replace(":id", "(\\d+)")}/?$`);

export function startRouter(/** @type {typeof routes} */ table) {
  routes = table;
  history.scrollRestoration = "manual";
  if (!history.state?.key) history.replaceState({ key: freshKey() }, "");
  addEventListener("popstate", travelled);
  for (const kind of ["scroll", "focusin"]) addEventListener(kind, rememberSoon, { passive: true });
  addEventListener("pagehide", remember);
  for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(kind, () => (restoring = null), { passive: true, capture: true });
  new ResizeObserver(comeBack).observe(byId("page"));
  document.addEventListener("click", follow);
  show();
  reconcile();
}

function closeOverlays(/** @type {number} */ depth) {
  for (const { close } of overlays.splice(depth).reverse()) close();
}

/** Goes to another page of this site. @param {string} address @param {{replace?: boolean, state?: object}} [how] state: as the page was left */
export function go(address, { replace = false, state = {} } = {}) {
  closeOverlays(0);
  waiting.push(() => {
    remember();
    const from = replace ? history.state?.from : location.pathname;
    history[replace ? "replaceState" : "pushState"]({ ...state, key: freshKey(), from }, "", address);
    show();
  });
  reconcile();
}

/** How all people were left: filter, order and search. @returns {Record<string, string>} */
export const wallQuery = () => Object.fromEntries(new URLSearchParams(JSON.parse(sessionStorage.getItem(WALL) ?? "{}").address?.split("?")[1]));

/** Back to all people, as they were left. */
export function back() {
  if (history.state?.from === "/") return history.back();
  const { address = "/", state = {} } = JSON.parse(sessionStorage.getItem(WALL) ?? "{}");
  return go(address, { state });
}

// What is open over the page gets an entry of the history, so that Back closes it first. What is returned is called once it is closed.
/** @param {() => void} close @param {object} [state] what the page needs to open it again @returns {() => void} */
export function overlay(close, state = {}) {
  const mine = { close, state: { page: history.state?.page ?? location.pathname + location.search, ...state } };
  remember();
  overlays.push(mine);
  reconcile();
  if (!returning) history.replaceState({ ...history.state, ...mine.state }, ""); // the entry may be there, after Forward
  return () => {
    const at = overlays.indexOf(mine);
    if (at < 0) return;
    overlays.splice(at);
    reconcile();
  };
}

/** As many entries of the history as there are things open. */
function reconcile() {
  if (returning) return;
  const depth = history.state?.depth ?? 0;
  if (depth > overlays.length) {
    returning = true;
    history.go(overlays.length - depth);
    return;
  }
  for (let next = depth + 1; next <= overlays.length; next += 1) history.pushState({ ...history.state, ...overlays[next - 1].state, depth: next }, "");
  for (const run of waiting.splice(0)) run();
}

/** The browser's Back and Forward: of what is open over a page first, then of pages. */
function travelled() {
  const own = returning;
  returning = false;
  if (!history.state?.key) return history.replaceState({ key }, ""); // a link within the page
  const depth = history.state.depth ?? 0;
  if (history.state.key !== key) {
    closeOverlays(0);
    show();
  } else if (!own) {
    closeOverlays(depth);
    if (depth > overlays.length) current?.reopen?.(history.state);
  }
  return reconcile();
}

/** Writes the page's settings into the address without leaving. @param {Record<string, string>} settings */
export function setQuery(settings) {
  const query = new URLSearchParams(Object.entries(settings).filter(([, value]) => value)).toString();
  history.replaceState(history.state, "", `${location.pathname}${query ? `?${query}` : ""}`);
}

/** What is open over the page has an address of its own. @param {string} address */
export function setAddress(address) {
  if (!history.state?.depth || returning) return;
  history.replaceState(history.state, "", address);
  remember();
}

export function setTitle(/** @type {string} */ words) {
  document.title = `${words} · unmingle`;
}

export const rememberSoon = debounced(remember, 120);

function remember() {
  if (!current || returning || history.state?.key !== key) return;
  const state = restoring ?? { scroll: scrollY, ...current.snapshot?.() };
  const { from, depth, page } = history.state;
  history.replaceState({ ...state, key, from, depth, page }, "");
  if (location.pathname === "/") sessionStorage.setItem(WALL, JSON.stringify({ address: location.pathname + location.search, state }));
}

function follow(/** @type {MouseEvent} */ event) {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin || link.target) return;
  if (link.hash || !routes.some(({ path }) => matched(path, link.pathname))) return;
  event.preventDefault();
  if (link.matches("[data-back]")) back();
  else go(link.pathname + link.search);
}

function show() {
  visit.abort();
  visit = new AbortController();
  current = null;
  const restore = history.state;
  const { pathname, search } = new URL((restore.depth && restore.page) || location.href, location.origin); // not of what is open over it
  const route = routes.find(({ path }) => matched(path, pathname)) ?? routes[0];
  key = restore.key;
  setTitle(route.title);
  byId("actions").replaceChildren();
  for (const link of document.querySelectorAll("[data-tab]")) link.ariaCurrent = link.matches(`[data-tab="${route.tab}"]`) ? "page" : null;
  document.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  byId("page").replaceChildren();
  scrollTo(0, 0);
  const params = (matched(route.path, pathname) ?? []).slice(1);
  restoring = restore.scroll ? restore : null;
  current = route.mount(byId("page"), { params, query: new URLSearchParams(search), restore, signal: visit.signal });
  comeBack();
  current.reopen?.(restore);
}

/** Scrolls to where the page was left, as soon as it is long enough. */
function comeBack() {
  const mine = restoring;
  if (!mine || !current) return;
  const wanted = Math.round(current.placeOf?.(mine) ?? mine.scroll);
  scrollTo(0, wanted);
  if (Math.abs(scrollY - wanted) < 2) setTimeout(() => (restoring = restoring === mine ? null : restoring), SETTLED);
}
