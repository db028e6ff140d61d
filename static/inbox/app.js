// Starts the inbox, moves between its pages.
import { $, data, emit, fragment, http, lazy, on, pane, recall, SessionLost, t, toast, why } from "./ui.js";
import * as bus from "./bus.js";
import * as composer from "./composer.js";
import * as list from "./list.js";
import * as outbox from "./outbox.js";
import * as thread from "./thread.js";

const PATH = /\/c\/(\d+)\/$/, tops = {}, scroller = $("[data-list-body]");
const here = () => location.pathname + location.search;
const withQuery = (path) => `${path}?${data.query}`;
let place = history.state?.place || 0, flight = null, returning = false;

/** A step in the history; each remembers where the list stood. */
function push(path, top = scroller.scrollTop) {
  if (path === here()) return;
  tops[place] = top;
  place += 1;
  history.pushState({ place }, "", path);
}

function mount() {
  thread.mount();
  composer.mount();
  const root = $(".thread", pane);
  list.mark(thread.current());
  list.setTitle(root?.dataset.name);
  emit("mounted", root);
}

/** Whoever is on the way in is no longer wanted. */
function land() {
  flight?.control.abort();
  flight = null;
  pane.removeAttribute("aria-busy");
}

/** Shows a conversation; what happened on the way follows. False if it could not be, nothing if another was wanted meanwhile. */
async function load(path) {
  land();
  const mine = flight = { c: Number(new URL(path, location.href).pathname.match(PATH)[1]), control: new AbortController() };
  pane.setAttribute("aria-busy", "true");
  let html;
  try {
    html = await (await http(path, { signal: mine.control.signal })).text();
    if (mine !== flight) return null;
  } catch (error) {
    if (mine !== flight) return null;
    land();
    list.mark(thread.current());
    if (!(error instanceof SessionLost)) toast(error.status === 404 ? t("not_yours") : error.status ? why(error) : t("not_loaded"), "danger");
    return false;
  }
  land();
  pane.replaceChildren(fragment(html));
  mount();
  if (mine.overtaken) thread.resync();
  return true;
}

async function open(path, id, focus = matchMedia("(max-width: 639px)").matches) {
  list.mark(id);
  if (!await load(path)) return;
  push(path);
  if (focus) $("[data-log]", pane)?.focus({ preventScroll: true });
}

const openPath = (path) => open(withQuery(path), Number(path.match(PATH)[1]));

function close() {
  land();
  pane.replaceChildren(document.getElementById("tpl-no-thread").content.cloneNode(true));
  mount();
}

function back() {
  const id = thread.current();
  push(withQuery(data.urlInbox));
  close();
  list.links().find((link) => Number(link.dataset.open) === id)?.focus({ preventScroll: true });
}

/** Back and forward: list, conversation and place of then. What cannot be loaded leaves everything where it was. */
async function route({ state }) {
  const from = place, wanted = list.spell(location.search), id = Number(location.pathname.match(PATH)?.[1] || 0), isReturn = returning;
  tops[from] = scroller.scrollTop;
  place = state?.place || 0;
  returning = false;
  const shown = wanted === data.query || list.show(wanted, tops[place]);
  if (!id) close();
  const loaded = !id || id === thread.current() ? true : await load(here());
  if ((loaded !== false && await shown) || isReturn || from === place) return;
  returning = true;
  history.go(from - place);
}

function onClick(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const link = event.target.closest("[data-open], [data-go]");
  if (link) {
    event.preventDefault();
    if (link.dataset.go) lazy("filters").then(() => emit("go", link.dataset.go));
    else open(withQuery(new URL(link.href).pathname) + (link.dataset.at ? `&at=${link.dataset.at}` : ""), Number(link.dataset.open), event.detail > 0 || undefined);
  }
  else if (event.target.closest("[data-back]")) { event.preventDefault(); back(); }
  else if (event.target.closest("[data-panel-toggle]")) lazy("panel").then((panel) => panel.toggle());
  else if (event.target.closest("[data-reload]")) location.reload();
}

/** The menus and forms of a thread's head come when somebody first uses them. */
async function onHead(event) {
  if (!event.target.closest(".thread-head")) return;
  if (event.type === "submit") event.preventDefault();
  try { (await lazy("head")).handle(event); } catch { toast(t("not_done"), "danger"); }
}

thread.start();
composer.start();
list.start(Number(location.pathname.match(PATH)?.[1] || 0));
mount();
on("query", ({ query, top }) => push(`${thread.current() ? location.pathname : data.urlInbox}?${query}`, top));
on("open", openPath);
on("conversation.removed", (hint) => {
  if (hint.c !== thread.current()) return;
  toast(t("removed"));
  back();
});
for (const type of ["message.created", "message.updated", "message.status"]) on(type, (hint) => { if (hint.c === flight?.c) flight.overtaken = true; });
document.addEventListener("click", onClick);
addEventListener("popstate", route);
for (const type of ["click", "change", "submit"]) pane.addEventListener(type, onHead);
outbox.start();
bus.start();
if (recall("panel")) lazy("panel").then((panel) => panel.follow());
Promise.all([lazy("filters"), lazy("aids"), ...["keys", "presence", "layout", "notify", "press"].map(async (name) => (await lazy(name)).start())])
  .then(() => { document.body.dataset.ready = ""; }); // everything answers now
