// The sheets that come up inside one phone: menus, forms, the cart, a list to choose from, a call.

import { call, icon, make, say, sentence } from "./api.js";
import { money, summary } from "./bubbles.js";

const HEARTS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

export class Sheets {
  constructor(space, behind) {
    this.space = space;
    this.behind = behind;
    space.addEventListener("click", (event) => { if (event.target === space) this.close(); });
    space.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); this.close(); }
      if (event.key === "Tab") this.keepInside(event);
    });
  }

  open(title, ...nodes) {
    if (this.space.hidden) this.before = document.activeElement;
    const close = make("button", { type: "button", class: "bare", "aria-label": say("close") }, icon("close"));
    close.addEventListener("click", () => this.close());
    const sheet = make("div", { class: "sheet", role: "dialog", "aria-modal": "true", "aria-label": title, "data-testid": "sheet" },
      make("header", {}, make("h2", {}, title), close), ...nodes);
    this.space.replaceChildren(sheet);
    this.space.hidden = false;
    for (const screen of this.behind) screen.inert = true;
    (sheet.querySelector("input, select, .entry") ?? close).focus();
    return sheet;
  }

  close() {
    if (this.space.hidden) return;
    this.space.hidden = true;
    this.space.replaceChildren();
    for (const screen of this.behind) screen.inert = false;
    if (this.before?.isConnected) this.before.focus();
    const { closed } = this;
    this.closed = null;
    closed?.();
  }

  keepInside(event) {
    const stops = [...this.space.querySelectorAll("button:not(:disabled), input, select, textarea, a[href]")];
    const edge = event.shiftKey ? stops[0] : stops.at(-1);
    if (document.activeElement !== edge) return;
    event.preventDefault();
    (event.shiftKey ? stops.at(-1) : stops[0])?.focus();
  }

  // A row to tap; the sheet closes unless `stays`.
  entry(name, words, work, { note = null, stays = false, test = name, checked = null } = {}) {
    const node = make("button", { type: "button", class: "entry", "data-testid": `do-${test}`,
      role: checked === null ? null : "switch", "aria-checked": checked === null ? null : String(checked) },
    name ? icon(name) : null, make("span", {}, words, note ? make("span", { class: "small" }, note) : null),
    checked === null ? null : make("i", { class: "knob", "aria-hidden": "true" }));
    node.addEventListener("click", () => { if (!stays) this.close(); work(); });
    return node;
  }

  // `fields`: {name, label, value?, hint?, …attributes}. `work` gets the values; what it throws is told in the form.
  form(title, fields, words, work) {
    const problem = make("p", { class: "problem", role: "alert", "data-testid": "problem", hidden: true });
    const rows = fields.flatMap(({ label, hint, ...attributes }, index) => {
      const id = `field-${crypto.randomUUID()}`;
      return [make("label", { for: id }, label),
        make("input", { autocomplete: "off", id, "data-testid": `field-${attributes.name}`, "aria-describedby": hint ? `${id}-hint` : null, ...attributes }),
        hint ? make("p", { class: "hint", id: `${id}-hint`, "data-index": index }, hint) : null];
    }).filter(Boolean);
    const submit = make("button", { type: "submit", class: "primary wide", "data-testid": "sheet-submit" }, words);
    const form = make("form", { class: "sheet-form" }, ...rows, problem, submit);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        await work(Object.fromEntries(new FormData(form)));
        this.close();
      } catch (error) {
        problem.textContent = sentence(error);
        problem.hidden = false;
      }
      submit.disabled = false;
    });
    return this.open(title, form);
  }

  // What may be done to one message.
  message(line, hands) {
    const mine = line.direction === "in", kind = line.message.type ?? "text";
    const states = { pending: "pending", accepted: "pending", sent: mine ? "sent" : "accepted", delivered: "sent", read: "read", played: "played" };
    const now = say(states[line.state] ?? "pending"), nodes = [];
    if (!line.revoked) {
      const row = make("div", { class: "hearts" });
      for (const heart of HEARTS) {
        const isMine = line.reactions?.in === heart;
        const node = make("button", { type: "button", class: "entry", "aria-pressed": String(isMine), "aria-label": `${say("react")} ${heart}`, "data-testid": "heart" }, heart);
        node.addEventListener("click", () => { this.close(); hands.react(line, isMine ? "" : heart); });
        row.append(node);
      }
      nodes.push(row, this.entry("reply", say("reply"), () => hands.quote(line)));
    }
    if (mine && !line.revoked && kind !== "call") {
      if (kind === "text") nodes.push(this.entry("edit", say("edit"), () => hands.edit(line)));
      nodes.push(this.entry("delete", say("delete"), () => hands.post({ type: "revoke", message_id: line.wamid })));
    }
    if (line.direction === "out") {
      nodes.push(make("p", { class: "hint" }, say("status_by_hand")));
      for (const [status, name, words] of [["delivered", "sent", "mark_delivered"], ["read", "read", "mark_read"], ["failed", "alert", "mark_failed"]]) {
        nodes.push(this.entry(name, say(words), () => hands.status(line, status), { test: `status-${status}` }));
      }
    }
    this.open(summary(line).slice(0, 60) || say("message"), make("p", { class: "small", "data-testid": "message-state" }, now), ...nodes);
  }

  // A list message's rows.
  list(line, choose) {
    const { action } = line.message.interactive;
    const nodes = action.sections.flatMap((section) => [
      section.title ? make("h3", {}, section.title) : null,
      ...(section.rows ?? []).map((row) => this.entry(null, row.title, () => choose(row), { note: row.description, test: "row" })),
    ]).filter(Boolean);
    this.open(action.button ?? say("options"), ...nodes);
  }

  // The catalogue with how many of each; `send` gets an order.
  async cart(send) {
    const { catalog_id, currency, products } = await call("products");
    const counts = new Map(), total = make("strong", { "data-testid": "cart-total" });
    const submit = make("button", { type: "button", class: "primary wide", "data-testid": "send-cart" }, say("send_cart"));
    const draw = () => {
      const sum = products.reduce((all, product) => all + product.price * (counts.get(product.id) ?? 0), 0);
      total.textContent = money(sum, currency);
      submit.disabled = sum === 0;
    };
    const rows = products.map((product) => {
      const shown = make("output", {}, "0");
      const step = (by, words, sign, name) => {
        const node = make("button", { type: "button", class: "square", "aria-label": `${words}: ${product.name}`, "data-testid": name }, sign);
        node.addEventListener("click", () => {
          counts.set(product.id, Math.max(0, Math.min(99, (counts.get(product.id) ?? 0) + by)));
          shown.textContent = counts.get(product.id);
          draw();
        });
        return node;
      };
      return make("li", {}, make("span", {}, product.name, make("span", { class: "small" }, money(product.price, currency))),
        step(-1, say("less"), "−", "less"), shown, step(1, say("more"), "+", "more"));
    });
    const note = make("input", { "aria-label": say("cart_note"), placeholder: say("cart_note"), maxlength: 500, "data-testid": "cart-note" });
    submit.addEventListener("click", () => {
      this.close();
      send({ catalog_id, text: note.value.trim(), product_items: products.filter((product) => counts.get(product.id)).map((product) => (
        { product_retailer_id: product.id, quantity: counts.get(product.id), item_price: product.price, currency })) });
    });
    draw();
    this.open(say("cart"), make("ul", { class: "cart" }, ...rows), note, make("p", { class: "total" }, say("total"), total), submit);
    rows[0]?.querySelector("button").focus();
  }

  // A call under way. However the sheet is closed the call ends, and `ended` learns for how many seconds it was answered.
  calling(business, ended) {
    const begun = Date.now(), time = make("p", { class: "call-time", role: "timer" }, "0:00");
    let seconds = 0;
    const timer = setInterval(() => { time.textContent = minutes(Date.now() - begun); }, 500);
    const answered = make("button", { type: "button", class: "wide", "data-testid": "was-answered" }, say("was_answered"));
    answered.addEventListener("click", () => { seconds = Math.max(1, Math.round((Date.now() - begun) / 1000)); this.close(); });
    const hang = make("button", { type: "button", class: "danger wide", "data-testid": "hang-up" }, say("hang_up"));
    hang.addEventListener("click", () => this.close());
    this.open(say("calling", { name: business }), time, answered, hang);
    this.closed = () => { clearInterval(timer); ended(seconds); };
    hang.focus();
  }
}

export function minutes(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
