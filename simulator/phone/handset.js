// One phone: its chats, the open conversation, what the person writes and taps.

import { call, format, make, say, sentence } from "./api.js";
import { arrange, bubble, summary } from "./bubbles.js";
import { Menus } from "./menus.js";
import { canRecord, Recorder } from "./recorder.js";
import { minutes, Sheets } from "./sheets.js";

const clock = format({ hour: "2-digit", minute: "2-digit" });
const short = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export class Handset {
  // `page` holds what all phones share: numbers, contacts, offset, and refresh().
  constructor(page, chosen) {
    Object.assign(this, { page, chosen, drawn: new Map(), isBlank: true, stuck: true, top: 0 });
    this.node = document.getElementById("handset").content.firstElementChild.cloneNode(true);
    this.parts = {};
    for (const part of this.node.querySelectorAll("[data-part]")) this.parts[part.dataset.part] = part;
    const { thread, chats, chat } = this.parts;
    this.sheets = new Sheets(this.parts["sheet-space"], [chats, chat]);
    this.menus = new Menus(this);
    this.hands = {
      post: (message) => this.post(message),
      quote: (line) => this.quote(line),
      edit: (line) => this.edit(line),
      react: (line, emoji) => this.post({ type: "reaction", reaction: { message_id: line.wamid, emoji } }),
      status: (line, status) => this.attempt(() => call("statuses", { wamid: line.wamid, status })),
      menu: (line) => this.sheets.message(line, this.hands),
      list: (line, choose) => this.sheets.list(line, choose),
      place: (context) => this.menus.place(context),
      cart: (context) => this.menus.cart(context),
    };
    thread.addEventListener("scroll", () => this.scrolled());
    // a picture has its height only once it is there: whoever was at the end stays there
    for (const name of ["load", "loadedmetadata"]) thread.addEventListener(name, () => { if (this.stuck) this.bottom(); }, true);
    this.listen();
  }

  get number() { return this.page.numbers.find((item) => item.phone_number_id === this.chosen.number); }
  get customer() { return this.page.contacts.find((item) => item.id === this.chosen.customer); }
  get query() { return `${this.chosen.number}:${this.chosen.customer}`; }

  listen() {
    const on = (part, name, work) => this.parts[part].addEventListener(name, work);
    on("customer", "change", (event) => this.choose({ customer: Number(event.target.value) }));
    on("new-customer", "click", () => this.menus.newCustomer());
    on("remove", "click", () => this.page.remove(this));
    on("back", "click", () => this.show("chats"));
    on("call", "click", () => this.menus.phoneCall());
    on("more", "click", () => this.menus.settings());
    on("attach", "click", () => this.menus.attach());
    on("to-end", "click", () => this.bottom());
    on("cancel-quote", "click", () => this.quote(null));
    on("composer", "submit", (event) => { event.preventDefault(); this.submit(); });
    on("text", "input", () => this.drawSend());
    on("text", "keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.parts.composer.requestSubmit();
      } else if (event.key === "Escape") this.quote(null);
    });
    on("voice", "click", () => this.record());
    on("drop-voice", "click", () => this.endRecording(false));
    on("send-voice", "click", () => this.endRecording(true));
    for (const kind of ["photo", "document"]) {
      on(`pick-${kind}`, "change", (event) => {
        const files = [...event.target.files];
        event.target.value = "";
        if (files[0]) this.postFile(files[0], kind);
      });
    }
  }

  choose(chosen) {
    const before = this.query;
    Object.assign(this.chosen, chosen);
    if (this.query === before) return this.page.refresh();
    this.clear();
    this.page.changed();
    return this.page.refresh();
  }

  clear() {
    Object.assign(this, { drawn: new Map(), last: null, isBlank: true, stuck: true });
    this.parts.lines.replaceChildren();
    this.quote(null);
    this.toast("");
  }

  // `screen`: "chat" or "chats".
  show(screen) {
    this.parts.chats.hidden = screen !== "chats";
    this.parts.chat.hidden = screen === "chats";
    if (screen === "chats") this.parts["chat-list"].querySelector("button")?.focus();
    else if (this.stuck) this.bottom();
  }

  // ---- sending

  async attempt(work) {
    try { return await work(); } catch (error) { this.toast(sentence(error)); return null; }
  }

  toast(words) {
    this.parts.toast.textContent = words;
    this.parts.toast.hidden = !words;
    clearTimeout(this.toastTimer);
    if (words) this.toastTimer = setTimeout(() => this.toast(""), 8000);
  }

  async post(message) {
    const who = this.customer, to = this.number;
    if (!who || !to) return null;
    if (who.network !== "online") { this.toast(say("is_offline")); return null; }
    const sender = { from: who.hides_phone ? "" : who.wa_id ?? "", name: who.name, to: to.phone_number_id };
    if (who.user_id) sender.user_id = who.user_id;
    if (who.username) sender.username = who.username;
    setTimeout(() => this.page.refresh(), 80);
    const told = await this.attempt(() => call("messages", { ...sender, ...message }));
    if (told && told.status_code !== 200) {
      this.toast(told.status_code ? say("error_status", { status: told.status_code }) : say("error_answer"));
    } else if (told) this.toast("");
    await this.page.refresh();
    return told;
  }

  async upload(file, more = {}) {
    const form = new FormData();
    for (const [name, value] of Object.entries({ to: this.number?.phone_number_id ?? "", file, ...more })) form.append(name, value);
    return this.attempt(() => call("media", form));
  }

  async postFile(file, kind) {
    const caption = this.take(), context = this.takeQuote(), kept = await this.upload(file);
    if (!kept) { this.parts.text.value = caption; this.drawSend(); return; }
    const type = kind === "document" ? "document" : file.type.startsWith("video/") ? "video" : "image";
    await this.post({ type, [type]: { id: kept.id, filename: file.name, caption }, ...context });
  }

  take() {
    const words = this.parts.text.value.trim();
    this.parts.text.value = "";
    this.drawSend();
    return words;
  }

  takeQuote() {
    const context = this.quoted ? { context: { id: this.quoted.wamid } } : {};
    this.quote(null);
    return context;
  }

  submit() {
    const { edited } = this, words = this.take();
    if (!words) return;
    if (edited) { this.quote(null); this.post({ type: "edit", message_id: edited.wamid, text: words }); }
    else this.post({ type: "text", text: words, ...this.takeQuote() });
  }

  quote(line) {
    if (this.edited) this.take();
    this.edited = null;
    this.quoted = line;
    this.drawQuoting(line ? summary(line) : "");
  }

  edit(line) {
    this.quote(null);
    this.edited = line;
    this.parts.text.value = line.message.text?.body ?? "";
    this.drawSend();
    this.drawQuoting(`${say("editing")}: ${summary(line)}`);
  }

  drawQuoting(words) {
    this.parts.quoting.hidden = !words;
    this.parts["quoting-text"].textContent = words;
    if (words) this.parts.text.focus();
  }

  drawSend() {
    const hasWords = this.parts.text.value.trim() !== "";
    this.parts.send.hidden = !hasWords;
    this.parts.voice.hidden = hasWords;
  }

  // ---- voice

  async record() {
    if (!canRecord()) { await this.post({ type: "voice", ...this.takeQuote() }); return; }
    try { this.recorder = await Recorder.start(); } catch { this.toast(say("no_microphone")); return; }
    this.parts.composer.classList.add("is-recording");
    this.parts.recording.hidden = false;
    this.parts["send-voice"].focus();
    const draw = () => { this.parts.recorded.textContent = minutes(Date.now() - this.recorder.begun); };
    draw();
    this.recordTimer = setInterval(draw, 250);
  }

  async endRecording(wanted) {
    clearInterval(this.recordTimer);
    this.parts.composer.classList.remove("is-recording");
    this.parts.recording.hidden = true;
    this.parts.voice.focus();
    const { recorder } = this;
    this.recorder = null;
    const file = await recorder?.stop();
    const kept = wanted && file ? await this.upload(file, { voice: "1" }) : null;
    if (kept) await this.post({ type: "voice", voice: { id: kept.id }, ...this.takeQuote() });
  }

  // ---- drawing

  update(screen) {
    const { customer, number, parts } = this;
    this.drawOwner();
    parts["bar-time"].textContent = short.format(this.page.now());
    parts.business.textContent = number?.verified_name ?? say("business");
    parts.avatar.textContent = parts.business.textContent.trim().charAt(0).toUpperCase();
    const isTyping = Boolean(screen?.typing);
    parts.under.textContent = isTyping ? say("typing") : number?.display_phone_number ?? "";
    parts.under.classList.toggle("typing", isTyping);
    const network = customer?.network ?? "online";
    parts["bar-network"].firstElementChild.setAttribute("href", network === "offline" ? "#i-plane" : network === "none" ? "#i-close" : "#i-signal");
    for (const name of ["text", "attach", "voice", "send", "call"]) parts[name].disabled = network !== "online" || !customer || !number;
    if (screen?.messages) Object.assign(this, { last: screen, isBlank: false });
    if (!this.last) return;
    if (screen?.messages || network !== this.network) {
      this.network = network;
      this.drawLines(arrange(this.last.messages, { isOffline: network === "offline" }));
      this.drawChats(this.last.chats ?? {});
    }
    this.drawStrip();
  }

  drawOwner() {
    const { customer, page, parts } = this, print = JSON.stringify(page.contacts.map((item) => [item.id, item.name]));
    if (this.ownersShown !== print) {
      parts.customer.replaceChildren(...page.contacts.map((item) => make("option", { value: item.id }, item.name)));
      this.ownersShown = print;
    }
    parts.customer.value = String(this.chosen.customer ?? "");
    const ids = customer ? [customer.wa_id && !customer.hides_phone ? `+${customer.wa_id}` : null, customer.username ? `@${customer.username}` : null,
      customer.hides_phone || !customer.wa_id ? customer.user_id : null].filter(Boolean) : [];
    parts["owner-id"].textContent = ids.join(" · ");
    parts["owner-id"].title = ids.join(" · ");
    this.node.setAttribute("aria-label", customer?.name ?? say("customer"));
  }

  drawLines(shown) {
    const { lines, empty } = this.parts, nodes = [], drawn = new Map();
    let day = null, side = null;
    for (const line of shown) {
      const label = this.dayOf(line.time);
      if (label !== day) {
        day = label;
        side = null;
        nodes.push(this.drawn.get(`day ${day}`)?.node ?? make("li", { class: "day" }, day));
        drawn.set(`day ${day}`, { node: nodes.at(-1) });
      }
      const print = JSON.stringify(line), before = this.drawn.get(line.id);
      const node = before?.print === print ? before.node : bubble(line, this.hands);
      node.classList.toggle("turn", side !== null && side !== line.direction);
      side = line.direction;
      drawn.set(line.id, { print, node });
      nodes.push(node);
    }
    const fresh = nodes.length > lines.children.length;
    if (nodes.length !== lines.children.length || nodes.some((node, index) => lines.children[index] !== node)) {
      lines.replaceChildren(...nodes);
      if (this.stuck || (fresh && nodes.at(-1)?.classList.contains("mine"))) this.bottom();
      else if (fresh) this.parts["to-end"].hidden = false;
    }
    this.drawn = drawn;
    empty.hidden = nodes.length > 0;
  }

  drawChats(chats) {
    const rows = this.page.numbers.map((number) => {
      const line = chats[number.phone_number_id];
      const node = make("button", { type: "button", "data-testid": "chat-row" },
        make("span", { class: "avatar", "aria-hidden": "true" }, number.verified_name.trim().charAt(0).toUpperCase()),
        make("span", { class: "who" }, make("strong", {}, number.verified_name), make("span", {}, number.display_phone_number),
          make("span", { class: "last" }, line ? summary(line) : say("no_messages"))),
        line ? make("time", { datetime: line.time }, clock.format(new Date(line.time))) : null);
      node.addEventListener("click", async () => {
        await this.choose({ number: number.phone_number_id });
        this.show("chat");
      });
      return make("li", {}, node);
    });
    const print = rows.map((row) => row.textContent).join("\n");
    if (print === this.chatsShown) return;
    this.chatsShown = print;
    this.parts["chat-list"].replaceChildren(...rows);
  }

  // What keeps the business from answering freely, or the phone from working.
  drawStrip() {
    const { customer, parts } = this, closes = this.last.window_closes;
    const isClosed = closes !== null && new Date(closes) < this.page.now();
    const key = customer?.network === "offline" ? "is_offline" : customer?.network === "none" ? "is_gone" : isClosed ? "window_closed" : null;
    parts.strip.hidden = !key;
    if (key !== this.stripShown) parts.strip.textContent = key ? say(key) : "";
    if (key !== this.stripShown && this.stuck) this.bottom();
    this.stripShown = key;
  }

  windowWords() {
    const closes = this.last?.window_closes;
    if (!closes) return say("window_unknown");
    if (new Date(closes) < this.page.now()) return say("window_closed");
    return say("window_open", { when: format({ weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(closes)) });
  }

  dayOf(time) {
    const day = new Date(time);
    if (day.toDateString() === this.page.now().toDateString()) return say("today");
    return format({ weekday: "long", day: "numeric", month: "long" }).format(day);
  }

  scrolled() {
    const { thread } = this.parts, isEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
    if (isEnd || thread.scrollTop < this.top) this.stuck = isEnd;
    this.top = thread.scrollTop;
    if (isEnd) this.parts["to-end"].hidden = true;
  }

  bottom() {
    this.parts.thread.scrollTop = this.parts.thread.scrollHeight;
    this.stuck = true;
    this.parts["to-end"].hidden = true;
  }
}
