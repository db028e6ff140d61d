// Bubbles of the phone page: one line of the conversation turned into elements. No markup is ever made from text.

export const words = JSON.parse(document.getElementById("words").textContent);
export const language = document.documentElement.lang;

export function say(key, values = {}) {
  return words[key].replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
}

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function icon(name, label = null) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", `icon is-${name}`);
  if (label) { svg.setAttribute("role", "img"); svg.setAttribute("aria-label", label); }
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });

// A line's words in one row, for quotes.
export function summary(line) {
  const { message } = line, kind = message.type ?? "text", body = message[kind] ?? {};
  if (line.template) return line.template.text;
  if (kind === "text") return body.body ?? "";
  if (kind === "interactive") return body.body?.text ?? body[body.type]?.title ?? kind;
  if (kind === "button") return body.text;
  const label = { image: "photo_alt", sticker: "sticker_alt", audio: "voice_note", document: "document", video: "photo",
    location: "location", contacts: "contact_card", order: "order", call: "call" }[kind];
  return body.caption || (label ? say(label) : say("other", { kind }));
}

function text(value) {
  return value ? make("div", { class: "words" }, value) : null;
}

function media(kind, body) {
  const address = body.id ? `api/media/${encodeURIComponent(body.id)}` : body.link;
  if (kind === "image") return [make("img", { class: "picture", src: address, alt: body.caption || say("photo_alt") }), text(body.caption)];
  if (kind === "sticker") return [make("img", { class: "picture sticker", src: address, alt: say("sticker_alt") })];
  if (kind === "video") return [make("video", { class: "picture", src: address, controls: true, preload: "metadata" }), text(body.caption)];
  if (kind === "audio") return [make("audio", { src: address, controls: true, preload: "metadata", "aria-label": say("voice_note") })];
  const name = body.filename || say("open_document");
  return [make("a", { class: "file", href: address, target: "_blank", rel: "noopener noreferrer" }, icon("document"), name), text(body.caption)];
}

function location(body) {
  const place = [body.name, body.address].filter(Boolean).join(", ");
  const degrees = `${Number(body.latitude).toFixed(5)}, ${Number(body.longitude).toFixed(5)}`;
  return [make("div", { class: "file" }, icon("location"), make("span", {}, place || say("location"),
    make("span", { class: "small" }, ` ${degrees}`)))];
}

function card(person) {
  const phones = (person.phones ?? []).map((phone) => phone.phone).join(", ");
  return make("div", {}, make("h3", {}, person.name?.formatted_name ?? ""), make("div", { class: "small" }, phones));
}

function interactive(body) {
  const answer = body[body.type];
  if (answer?.title || answer?.body) {
    return [text(answer.title ?? answer.body), answer.description ? make("div", { class: "small" }, answer.description) : null];
  }
  const header = body.header?.text;
  return [header ? make("h3", {}, header) : null, text(body.body?.text ?? say("other", { kind: body.type })),
    body.footer?.text ? make("div", { class: "small" }, body.footer.text) : null];
}

function content(line) {
  const { message } = line, kind = message.type ?? "text", body = message[kind] ?? {};
  if (line.template) {
    const { header, footer } = line.template;
    return [header ? make("h3", {}, header) : null, text(line.template.text), footer ? make("div", { class: "small" }, footer) : null];
  }
  switch (kind) {
    case "text": return [text(body.body)];
    case "image": case "sticker": case "video": case "audio": case "document": return media(kind, body);
    case "location": return location(body);
    case "contacts": return body.map(card);
    case "button": return [text(body.text)];
    case "interactive": return interactive(body);
    case "order": return [make("h3", {}, say("order")), ...(body.product_items ?? []).map((item) =>
      make("div", {}, `${item.quantity} × ${item.product_retailer_id} · ${item.item_price} ${item.currency}`))];
    default: return [make("div", { class: "words gone" }, say("other", { kind }))];
  }
}

// What the customer may tap under a message of the business: reply buttons, list rows, a template's quick replies.
function choices(line, answer) {
  const context = { id: line.wamid }, body = line.message.interactive;
  if (line.direction !== "out") return null;
  const reply = (type, option) => make("button", { type: "button" }, option.title,
    option.description ? make("span", { class: "small" }, option.description) : null);
  const wire = (node, sent) => { node.addEventListener("click", () => answer({ ...sent, context })); return node; };
  const nodes = [];
  for (const button of line.template?.buttons ?? []) {
    nodes.push(wire(make("button", { type: "button" }, button.text), { type: "button", button }));
  }
  for (const { reply: option } of body?.action?.buttons ?? []) {
    if (option) nodes.push(wire(reply("button_reply", option), { type: "button_reply", button_reply: option }));
  }
  for (const option of (body?.action?.sections ?? []).flatMap((section) => section.rows ?? [])) {
    nodes.push(wire(reply("list_reply", option), { type: "list_reply", list_reply: option }));
  }
  return nodes.length ? make("div", { class: "options" }, ...nodes) : null;
}

function tick(line) {
  if (line.direction !== "in") return null;
  const state = ["sent", "read"].includes(line.state) ? line.state : "pending";
  return icon(state, say(state));
}

// `line` carries what other lines did to it: edited, revoked, reactions, quoted.
export function bubble(line, { answer, quote, react }) {
  const mine = line.direction === "in", kind = line.message.type ?? "text";
  const meta = make("div", { class: "meta" },
    line.direction === "echo" ? `${say("from_phone")} ·` : null, line.edited ? `${say("edited")} ·` : null,
    make("time", { datetime: line.time }, clock.format(new Date(line.time))), tick(line));
  const parts = line.revoked ? [make("div", { class: "words gone" }, say("revoked"))] : content(line);
  const box = make("div", { class: `bubble${kind === "sticker" && !line.revoked ? " bare-media" : ""}` },
    line.message.context?.forwarded ? make("div", { class: "small" }, say("forwarded")) : null,
    line.quoted ? make("span", { class: "quote" }, line.quoted) : null, ...parts, meta);
  const node = make("li", { class: `line ${mine ? "mine" : "theirs"}`, "data-wamid": line.wamid, "data-state": line.state,
    "data-testid": mine ? "mine" : "theirs" }, box);
  if (!mine) {
    const heart = make("button", { type: "button", "aria-label": `${say("react")} ❤️` }, "❤️");
    heart.addEventListener("click", () => react(line, line.reactions?.in === "❤️" ? "" : "❤️"));
    const back = make("button", { type: "button", "aria-label": say("reply") }, icon("reply"));
    back.addEventListener("click", () => quote(line));
    box.append(make("div", { class: "acts" }, back, heart));
  }
  const reactions = Object.values(line.reactions ?? {}).filter(Boolean);
  if (reactions.length) node.append(make("span", { class: "reactions" }, reactions.join(" ")));
  const options = line.revoked ? null : choices(line, answer);
  if (options) node.append(options);
  return node;
}

// Reactions, edits and revokes change the line they name instead of being lines themselves.
export function arrange(lines) {
  const shown = [], known = new Map();
  for (const original of lines) {
    const line = { ...original }, { message } = line, kind = message.type ?? "text";
    const side = line.direction === "in" ? "in" : "out";
    if (line.direction === "out" && line.state === "failed") continue;
    if (kind === "reaction") {
      const target = known.get(message.reaction?.message_id);
      if (target) target.reactions = { ...target.reactions, [side]: message.reaction.emoji ?? "" };
      continue;
    }
    if (kind === "edit" || kind === "revoke") {
      const target = known.get(message[kind]?.original_message_id);
      if (target && kind === "revoke") target.revoked = true;
      if (target && kind === "edit") { target.message = message.edit.message; target.edited = true; }
      continue;
    }
    const context = message.context?.message_id ?? message.context?.id;
    if (context && known.has(context)) line.quoted = summary(known.get(context));
    known.set(line.wamid, line);
    shown.push(line);
  }
  return shown;
}
