// Who else is here: says which conversation is open and that somebody types, shows who looks on.
import { $, me, emit, on, pane, t } from "./ui.js";
import { send } from "./bus.js";

const GAP = 1000, AGAIN = 3000, IDLE = 5000, LIFE = 6000, HIDDEN = 20000, SHOWN = 3;
let told = 0, toldAt = 0, timer = 0, leaving = 0, away = false;
let typing = "", typedAt = 0, idle = 0, writes = "", seen = { c: 0, users: [] };
const fading = new Map();

const here = () => Number($(".thread", pane)?.dataset.c || 0);

/** Says what is open, once a second at most. */
function tell() {
  clearTimeout(timer);
  const wait = toldAt + GAP - Date.now();
  if (wait > 0) { timer = setTimeout(tell, wait); return; }
  const c = away ? 0 : here();
  if (c === told) return;
  if (c) send({ v: 1, t: "open", c, key: $(".thread", pane).dataset.key });
  else send({ v: 1, t: "close", c: told });
  [told, toldAt, typing] = [c, Date.now(), ""];
  if (writes) type(writes);
}

/** Tells that a reply or a note is being written; "" that it no longer is. */
function type(mode) {
  clearTimeout(idle);
  writes = mode;
  if (mode) idle = setTimeout(type, IDLE, "");
  if (told !== here() || !told || (mode === typing && (!mode || Date.now() - typedAt < AGAIN))) return;
  send({ v: 1, t: "typing", c: told, mode: mode || typing, on: Boolean(mode) });
  [typing, typedAt] = [mode, Date.now()];
}

function onInput({ target, type: kind }) {
  if (!target.matches?.("[data-text]")) return;
  if (!target.value.trim()) type("");
  else if (kind === "input") type(target.closest("[data-composer]").dataset.mode);
}

/** Faces of those who have this conversation open too. */
function show() {
  const slot = $("[data-viewers]", pane);
  if (!slot) return;
  slot.removeAttribute("title");
  const others = seen.c === here() ? seen.users.filter(({ id }) => id !== me) : [];
  slot.replaceChildren(...others.slice(0, SHOWN).map(({ id, name }) => {
    const face = document.createElement("span");
    face.className = `avatar small c${id % 16}`;
    face.textContent = name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
    face.setAttribute("aria-hidden", "true");
    return face;
  }));
  if (!others.length) return;
  const words = document.createElement("span");
  words.className = "sr";
  slot.title = words.textContent = t("viewing", { n: others.length, names: others.map(({ name }) => name).join(", ") });
  slot.append(words);
}

/** Whoever stops without saying so has stopped after six seconds. */
function fade(hint) {
  const key = `${hint.c}.${hint.user}`;
  clearTimeout(fading.get(key));
  fading.delete(key);
  if (hint.on) fading.set(key, setTimeout(() => emit("typing", { ...hint, on: false }), LIFE));
}

function visible() {
  clearTimeout(leaving);
  if (document.hidden) { leaving = setTimeout(() => { away = true; tell(); }, HIDDEN); return; }
  away = false;
  tell();
}

export function start() {
  on("live", () => { [told, toldAt, typing] = [0, 0, ""]; tell(); });
  on("mounted", () => { writes = ""; tell(); show(); });
  on("swapped", show);
  on("viewers", (hint) => { seen = hint; show(); });
  on("typing", fade);
  for (const kind of ["input", "keyup"]) pane.addEventListener(kind, onInput);
  document.addEventListener("visibilitychange", visible);
  tell();
}
