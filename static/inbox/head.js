// The head of a thread: its menus, and changes that leave one after the other, each from the state the last one left.
import { $, $$, announce, emit, fragment, http, lazy, pane, Refused, SessionLost, t, tick, toast } from "./ui.js";
import { neighbour } from "./list.js";

const FRESH = 300;
const newest = new Map();
let turn = Promise.resolve(), asked = 0, typing = 0;

const head = () => $(".thread-head", pane);
const idOf = (element) => Number(element.id.slice(4));

/** Sends a change of the conversation whose head this is; `done` follows if it was made and the agent is still there, `undo` if not. */
function change(from, name, form, done, undo) {
  const { id } = from, url = from.dataset[`url${name}`], version = Number(from.dataset.version);
  turn = turn.then(() => send({ id, url, form, version, done, undo }));
}

async function send({ id, url, form, version, done, undo }) {
  const c = Number(id.slice(4));
  try {
    const answer = await http(url, { form: { version: Math.max(version, newest.get(id) || 0), ...form } });
    if (answer.status === 204) { emit("conversation.removed", { c }); return; }
    const fresh = $(".thread-head", fragment(await answer.text()));
    newest.set(id, Number(fresh.dataset.version));
    swap(fresh);
    emit("row", c);
    const shown = document.getElementById(id);
    if (shown) done?.(shown);
  } catch (error) {
    if (error instanceof SessionLost) return;
    const now = error instanceof Refused && $(".thread-head", fragment(error.html));
    undo?.();
    if (now) swap(now);
    else toast((error instanceof Refused && error.reason) || t("not_done"), "danger");
  }
}

/** Puts a head in the place of the one shown, unless that one is newer: focus and an open menu stay. */
export function swap(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || Number(fresh.dataset.version) < Number(old.dataset.version)) return;
  const focus = old.contains(document.activeElement) && document.activeElement;
  const open = $(":popover-open", old), twin = open && $(`#${open.id}`, fresh);
  if (twin && "keep" in open.dataset) twin.replaceChildren(...open.childNodes);
  old.replaceWith(fresh);
  if (twin) {
    const source = $(`[popovertarget="${twin.id}"]`, fresh);
    source.focus({ preventScroll: true }); // where the focus returns to when it closes
    twin.showPopover({ source });
  }
  if (focus) ((focus.id && document.getElementById(focus.id)) || $("[data-log]", pane)).focus({ preventScroll: true });
  tick(fresh);
  emit("swapped", fresh);
}

async function renew() {
  const { dataset } = $(".thread", pane);
  try { swap($(".thread-head", fragment(await (await http(dataset.urlHeader)).text()))); } catch { /* what is shown still works */ }
}

async function showTags(menu, wanted = "") {
  const here = ++asked, list = $("[data-tag-list]", menu);
  clearTimeout(typing);
  try {
    const html = await (await http(`${head().dataset.urlTags}?q=${encodeURIComponent(wanted)}`)).text();
    if (here !== asked) return;
    list.replaceChildren(fragment(html));
    list.dataset.q = wanted;
    if (wanted) announce(t("found", { n: $$("input", list).length }));
  } catch (error) {
    if (!(error instanceof SessionLost)) toast(t("not_loaded"), "danger");
  }
}

const copy = async (text) => (await lazy("deeds")).copy(text);

/** Opens the next conversation of the list, or goes back to it after the last. */
function leave(c) {
  const other = [1, -1].map(neighbour).find((link) => link && Number(link.dataset.open) !== c);
  return (fresh) => {
    const link = other?.isConnected ? other : other && $(`.row-link[data-open="${other.dataset.open}"]`);
    if (!link) { $("[data-back]", fresh)?.click(); return; }
    link.focus();
    link.click();
  };
}

const actions = {
  status: (button, from) => change(from, "Status", { status: button.value }),
  "resolve-next": (_, from) => change(from, "Status", { status: "resolved" }, leave(idOf(from))),
  snooze: (button, from) => change(from, "Snooze", { until: button.value }, (fresh) => toast($("[data-snoozed]", fresh)?.textContent)),
  priority: (button, from) => change(from, "Priority", { priority: button.value }),
  pin: (button, from) => change(from, "Pin", { pinned: button.value }),
  take: (_, from) => change(from, "Assign", { assignee: "me" }),
  unread: (_, from) => change(from, "Unread", {}, (fresh) => $("[data-back]", fresh).click()),
  "make-tag": (button, from) => change(from, "Tags", { name: button.value }, (fresh) => {
    const menu = $("[data-keep]", fresh);
    $("[data-tag-search]", menu).value = "";
    $("[data-tag-search]", menu).focus();
    showTags(menu);
  }),
  copy: (button) => copy(button.dataset.copy),
  link: () => copy(new URL($(".thread", pane).dataset.url, location.href).href),
  find: () => emit("key:find"),
  "snooze-menu": (_, from) => { if (Date.now() / 1000 - from.dataset.made > FRESH) renew(); },
  "tags-menu": (_, from) => {
    const menu = $("[data-keep]", from);
    setTimeout(() => { if (menu.matches(":popover-open")) showTags(menu, $("[data-tag-search]", menu).value); }); // after its click it is open
  },
  "close-menu": () => {},
};

/** A select shows again what the server last said. */
const restore = (select) => { select.selectedIndex = [...select.options].findIndex((option) => option.defaultSelected); };

/** A click, change or submit inside the head. */
export function handle({ type, target }) {
  const from = target.closest(".thread-head");
  if (!from?.isConnected) return;
  if (type === "submit") {
    target.closest("[popover]")?.hidePopover();
    actions.snooze(target.elements.until, from);
  } else if (type === "change") {
    if ("tag" in target.dataset) change(from, "Tags", { [target.checked ? "add" : "remove"]: target.value }, null, () => { target.checked = !target.checked; });
    else if (target.localName === "select") change(from, "Assign", { [target.name]: target.value }, null, () => restore(target));
  } else {
    const button = target.closest("[data-head]");
    if (!button) return;
    const menu = button.closest("[popover]");
    if (menu && !("keep" in menu.dataset)) menu.hidePopover();
    actions[button.dataset.head](button, from);
  }
}

/** Chooses the first of the tags that match what is written now. */
async function takeFirst(menu, { value }) {
  const list = $("[data-tag-list]", menu);
  if (value !== (list.dataset.q ?? "")) await showTags(menu, value);
  if (list.closest(":popover-open") && list.dataset.q === value) $(":is(input, button)", list)?.click();
}

/** Arrows walk through an open menu. */
function walk(event) {
  const menu = event.target.closest?.(".head-menu");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || event.isComposing) return;
  const stops = $$("button, input", menu), here = stops.indexOf(event.target);
  if (step && event.target.type !== "datetime-local") {
    event.preventDefault();
    stops[(here + step + stops.length) % stops.length].focus();
  } else if (event.key === "Enter" && event.target.matches("[data-tag-search]")) {
    event.preventDefault();
    takeFirst(menu, event.target);
  }
}

pane.addEventListener("keydown", walk);
pane.addEventListener("toggle", ({ target, newState }) => {
  if (newState === "closed" && target.matches(".head-menu[data-keep]")) $("[data-tag-search]", target).value = "";
}, true);
pane.addEventListener("input", (event) => {
  if (!("tagSearch" in event.target.dataset)) return;
  clearTimeout(typing);
  typing = setTimeout(() => showTags(event.target.closest("[popover]"), event.target.value), 150);
});
