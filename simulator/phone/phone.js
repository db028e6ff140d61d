// The phone page: asks the simulator once a second what was said, and sends what the person taps and writes.

import { arrange, bubble, language, make, say, summary } from "./bubbles.js";

const at = (id) => document.getElementById(id);
const thread = at("thread"), lines = at("lines"), field = at("text");
const state = { numbers: [], customers: [], drawn: new Map(), quoted: null, offset: 0, shownFor: null, stuck: true, top: 0 };
const wide = matchMedia("(min-width: 861px)");

async function call(path, body, method = body === undefined ? "GET" : "POST") {
  const form = body instanceof FormData;
  const answer = await fetch(`api/${path}`, {
    method, body: body === undefined ? undefined : form ? body : JSON.stringify(body),
    headers: body === undefined || form ? {} : { "Content-Type": "application/json" },
  });
  const told = await answer.json();
  if (!answer.ok && answer.status !== 502) throw new Error(told.error);
  return told;
}

function toast(sentence) {
  at("toast").textContent = sentence;
  at("toast").hidden = !sentence;
  clearTimeout(toast.timer);
  if (sentence) toast.timer = setTimeout(() => toast(""), 8000);
}

async function attempt(work) {
  try { return await work(); } catch (error) {
    toast(error instanceof TypeError ? say("error_network") : error.message);
    return null;
  }
}

const number = () => state.numbers.find((item) => item.phone_number_id === at("number").value);
const customer = () => state.customers.find((item) => String(item.id) === at("customer").value);

async function post(message) {
  const who = customer(), to = number();
  if (!who || !to) return;
  const sender = { from: who.wa_id ?? "", name: who.name, to: to.phone_number_id };
  if (who.user_id) sender.user_id = who.user_id;
  if (who.username) sender.username = who.username;
  setTimeout(refresh, 80);
  const told = await attempt(() => call("messages", { ...sender, ...message }));
  if (told && told.status_code !== 200) {
    toast(told.status_code ? say("error_status", { status: told.status_code }) : say("error_answer"));
  } else if (told) toast("");
  await refresh();
}

async function postFile(file, kind) {
  const form = new FormData();
  form.append("to", number()?.phone_number_id ?? "");
  form.append("file", file);
  const kept = await attempt(() => call("media", form));
  if (!kept) return;
  const type = kind === "document" ? "document" : file.type.startsWith("video/") ? "video" : "image";
  await post({ type, [type]: { id: kept.id, filename: file.name, caption: take() } });
}

function take() {
  const words = field.value.trim();
  field.value = "";
  return words;
}

function quote(line) {
  state.quoted = line;
  at("quoting").hidden = !line;
  at("quoting-text").textContent = line ? summary(line) : "";
  if (line) field.focus();
}

// ---- drawing

function dayOf(time) {
  const day = new Date(time), now = new Date(Date.now() + state.offset * 1000);
  if (day.toDateString() === now.toDateString()) return say("today");
  return new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" }).format(day);
}

const hands = {
  answer: post, quote,
  react: (line, emoji) => post({ type: "reaction", reaction: { message_id: line.wamid, emoji } }),
};

function draw(conversation) {
  const nodes = [], drawn = new Map();
  let day = null, side = null;
  for (const line of arrange(conversation.messages)) {
    if (dayOf(line.time) !== day) {
      day = dayOf(line.time);
      side = null;
      nodes.push(state.drawn.get(`day ${day}`)?.node ?? make("li", { class: "day" }, day));
      drawn.set(`day ${day}`, { node: nodes.at(-1) });
    }
    const print = JSON.stringify(line), before = state.drawn.get(line.id);
    const node = before?.print === print ? before.node : bubble(line, hands);
    node.classList.toggle("turn", side !== null && side !== line.direction);
    side = line.direction;
    drawn.set(line.id, { print, node });
    nodes.push(node);
  }
  const fresh = nodes.length > lines.children.length;
  if (nodes.some((node, index) => lines.children[index] !== node) || nodes.length !== lines.children.length) {
    lines.replaceChildren(...nodes);
    const newest = nodes.at(-1);
    if (state.stuck || newest?.classList.contains("mine")) bottom();
    else if (fresh) at("to-end").hidden = false;
  }
  state.drawn = drawn;
  at("empty").hidden = nodes.length > 0;
  at("under").textContent = conversation.typing ? say("typing") : number()?.display_phone_number ?? "";
  at("under").classList.toggle("typing", conversation.typing);
  drawWindow(conversation.window_closes);
}

function drawWindow(closes) {
  const now = Date.now() + state.offset * 1000, node = at("window");
  const isClosed = closes !== null && new Date(closes) < now;
  const when = closes && new Intl.DateTimeFormat(language, { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(closes));
  node.textContent = closes === null ? say("window_unknown") : isClosed ? say("window_closed") : say("window_open", { when });
  node.classList.toggle("closed", isClosed);
}

function bottom() {
  thread.scrollTop = thread.scrollHeight;
  state.stuck = true;
  at("to-end").hidden = true;
}

function drawClock() {
  const now = new Date(Date.now() + state.offset * 1000);
  at("time").textContent = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(now);
  const hours = Math.round(state.offset / 360) / 10;
  at("offset").textContent = `${hours > 0 ? "+" : ""}${hours.toLocaleString(language)} h`;
  at("offset").hidden = state.offset === 0;
}

function fill(select, options) {
  const print = JSON.stringify(options);
  if (select.dataset.print === print) return;
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, words]) => make("option", { value }, words)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
  select.dataset.print = print;
}

function drawLists() {
  fill(at("number"), state.numbers.map((item) => [item.phone_number_id, `${item.verified_name} · ${item.display_phone_number}`]));
  fill(at("customer"), state.customers.map((item) => [String(item.id),
    [item.name, item.wa_id && item.wa_id !== item.name ? `+${item.wa_id}` : item.wa_id ? null : item.username ?? item.user_id].filter(Boolean).join(" · ")]));
  const shown = number()?.verified_name ?? say("business");
  at("business").textContent = shown;
  at("avatar").textContent = shown.trim().charAt(0).toUpperCase();
}

// ---- asking

async function refresh() {
  const [numbers, customers, clock] = await Promise.all([call("numbers"), call("contacts"), call("clock")]);
  Object.assign(state, { numbers, customers, offset: clock.offset });
  drawLists();
  drawClock();
  if (!numbers.length) toast(say("no_number"));
  const who = customer(), to = number();
  const key = who && to ? `${to.phone_number_id} ${who.id}` : null;
  if (key !== state.shownFor) { state.drawn = new Map(); lines.replaceChildren(); state.stuck = true; quote(null); }
  state.shownFor = key;
  if (!key) { draw({ messages: [], typing: false, window_closes: null }); return; }
  const query = new URLSearchParams({ number: to.phone_number_id, contact: who.wa_id ?? who.user_id });
  const conversation = await call(`conversations?${query}`);
  if (state.shownFor === key) draw(conversation);
}

async function poll() {
  try {
    if (!document.hidden) await refresh();
    poll.failures = 0;
  } catch {
    poll.failures = (poll.failures ?? 0) + 1;
    if (poll.failures === 3) toast(say("error_network"));
  }
  setTimeout(poll, 1000);
}

// ---- hands

const again = () => attempt(refresh);
at("number").addEventListener("change", again);
at("customer").addEventListener("change", again);
at("cancel-quote").addEventListener("click", () => quote(null));
at("to-end").addEventListener("click", bottom);
thread.addEventListener("scroll", () => {
  const isEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
  if (isEnd || thread.scrollTop < state.top) state.stuck = isEnd;
  state.top = thread.scrollTop;
  if (isEnd) at("to-end").hidden = true;
});
// a picture has its height only once it is there: whoever was at the end stays there
for (const name of ["load", "loadedmetadata"]) {
  thread.addEventListener(name, () => { if (state.stuck) bottom(); }, true);
}

at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = take();
  if (!words) return;
  if (!customer()) { toggleForm(true); field.value = words; return; }
  const context = state.quoted ? { context: { id: state.quoted.wamid } } : {};
  quote(null);
  post({ type: "text", text: words, ...context });
});
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("composer").requestSubmit();
  }
});

function toggleMenu(open) {
  at("menu").hidden = !open;
  at("attach").setAttribute("aria-expanded", String(open));
}
at("attach").addEventListener("click", () => toggleMenu(at("menu").hidden));
document.addEventListener("click", (event) => {
  if (!event.target.closest("#menu, #attach")) toggleMenu(false);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { toggleMenu(false); quote(null); }
});
at("menu").addEventListener("click", (event) => {
  const { pick, sample } = event.target.closest("button")?.dataset ?? {};
  toggleMenu(false);
  if (pick) at(`pick-${pick}`).click();
  if (sample) post({ type: sample });
});
for (const kind of ["photo", "document"]) {
  at(`pick-${kind}`).addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) postFile(file, kind);
  });
}

function toggleForm(open) {
  at("customer-form").hidden = !open;
  at("new-customer").setAttribute("aria-expanded", String(open));
  at("customer-problem").hidden = true;
  if (open) { at("controls").open = true; at("new-name").focus(); }
}
at("new-customer").addEventListener("click", () => toggleForm(at("customer-form").hidden));
at("cancel-customer").addEventListener("click", () => toggleForm(false));
at("customer-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const made = { name: at("new-name").value.trim(), from: at("new-phone").value, user_id: at("new-user-id").value.trim() };
  try {
    const { id } = await call("contacts", made);
    event.target.reset();
    toggleForm(false);
    await refresh();
    at("customer").value = String(id);
    await refresh();
    field.focus();
  } catch (error) {
    at("customer-problem").textContent = error.message;
    at("customer-problem").hidden = false;
  }
});

document.querySelector(".desk").addEventListener("click", (event) => {
  const { advance } = event.target.dataset;
  if (advance) attempt(async () => { await call("clock", { advance: Number(advance) }); await refresh(); });
});
at("reset-clock").addEventListener("click", () => attempt(async () => { await call("clock", { offset: 0 }); await refresh(); }));

const fit = () => { at("controls").open = wide.matches; };
wide.addEventListener("change", fit);
fit();
poll();
