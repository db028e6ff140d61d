// Starts the inbox, moves between its pages; alone speaks to htmx.
import { $, csrf, data, emit, isLogin, lazy, on, pane, recall, t, tick, toast } from "./ui.js";
import * as bus from "./bus.js";
import * as composer from "./composer.js";
import * as list from "./list.js";
import * as outbox from "./outbox.js";
import * as thread from "./thread.js";

const htmx = window.htmx;
const PATH = /\/c\/(\d+)\/$/;
const here = () => location.pathname + location.search;
const withQuery = (path) => `${path}?${data.query}`;

function mount() {
  thread.mount();
  composer.mount();
  const root = $(".thread", pane);
  list.mark(thread.current());
  list.setTitle(root?.dataset.name);
  emit("mounted", root);
}

let loading = 0, overtaken = false;

/** Shows a conversation; what happened on the way follows. */
async function load(path) {
  loading = Number(new URL(path, location.href).pathname.match(PATH)[1]);
  overtaken = false;
  pane.setAttribute("aria-busy", "true");
  await htmx.ajax("GET", path, { source: pane, target: pane, swap: "innerHTML" });
  pane.removeAttribute("aria-busy");
  loading = 0;
  if (overtaken) thread.resync();
}

async function open(path, id, focus = matchMedia("(max-width: 639px)").matches) {
  list.mark(id);
  await load(path);
  if (thread.current() !== id) { list.mark(thread.current()); return; }
  if (path !== here()) history.pushState(null, "", path);
  if (focus) $("[data-log]", pane)?.focus({ preventScroll: true });
}

const openPath = (path) => open(withQuery(path), Number(path.match(PATH)[1]));

function close() {
  pane.replaceChildren(document.getElementById("tpl-no-thread").content.cloneNode(true));
  mount();
}

function back() {
  const id = thread.current();
  history.pushState(null, "", withQuery(data.urlInbox));
  close();
  list.links().find((link) => Number(link.dataset.open) === id)?.focus({ preventScroll: true });
}

async function route() {
  const wanted = list.spell(location.search);
  if (location.search && wanted !== data.query) list.show(wanted);
  const id = Number(location.pathname.match(PATH)?.[1] || 0);
  if (!id) close();
  else if (id !== thread.current()) await load(here());
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

/** What htmx needs: token, session, errors. */
function bindHtmx() {
  document.addEventListener("htmx:config:request", (event) => {
    event.detail.ctx.request.headers["X-CSRFToken"] = csrf();
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { raw } = event.detail.ctx.response;
    if (raw.status !== 401 && raw.status !== 403 && !isLogin(raw)) return;
    event.preventDefault();
    emit("session-lost");
  });
  document.addEventListener("htmx:response:error", (event) => {
    const { status } = event.detail.ctx.response;
    if (status === 404) toast(t("not_yours"), "danger");
    else if (status !== 409) toast(t("not_done"), "danger");
  });
  document.addEventListener("htmx:error", (event) => { if (event.detail.ctx) toast(t("not_loaded"), "danger"); });
  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = event.detail;
    if (ctx.target === pane && ctx.response.status < 400) mount();
    else { tick(pane); emit("row", thread.current()); }
  });
}

bindHtmx();
thread.start();
composer.start();
list.start(Number(location.pathname.match(PATH)?.[1] || 0));
mount();
on("swapped", (element) => htmx.process(element));
on("query", (query) => history.pushState(null, "", `${thread.current() ? location.pathname : data.urlInbox}?${query}`));
on("open", openPath);
on("conversation.removed", (hint) => {
  if (hint.c !== thread.current()) return;
  toast(t("removed"));
  back();
});
for (const type of ["message.created", "message.updated", "message.status"]) on(type, (hint) => { overtaken ||= hint.c === loading; });
document.addEventListener("click", onClick);
addEventListener("popstate", route);
for (const type of ["click", "change", "submit"]) pane.addEventListener(type, onHead);
outbox.start();
bus.start();
if (recall("panel")) lazy("panel").then((panel) => panel.follow());
for (const name of ["keys", "presence", "layout", "notify"]) lazy(name).then((module) => module.start());
