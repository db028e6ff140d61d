// Bubbles of the phone page: one line of the conversation turned into elements. No markup is ever made from text.

import { format, icon, make, say } from "./api.js";

const clock = format({ hour: "2-digit", minute: "2-digit" });
const LABELS = { image: "photo_alt", sticker: "sticker_alt", audio: "voice_note", document: "document", video: "video",
  location: "location", contacts: "contact_card", order: "order", call: "call" };

// A line's words in one row, for quotes and the list of chats.
export function summary(line) {
  const { message } = line, kind = message.type ?? "text", body = message[kind] ?? {};
  if (line.revoked) return say("revoked");
  if (line.template) return line.template.text;
  if (kind === "text") return body.body ?? "";
  if (kind === "interactive") return body.body?.text ?? body[body.type]?.title ?? say("other", { kind: body.type });
  if (kind === "button") return body.text;
  if (kind === "reaction") return say("reacted", { emoji: body.emoji ?? "" });
  if (kind === "edit") return body.message?.text?.body ?? say("edited");
  if (kind === "revoke") return say("revoked");
  if (EVENTS[kind]) return EVENTS[kind](line);
  return body.caption || (LABELS[kind] ? say(LABELS[kind]) : say("other", { kind }));
}

const EVENTS = {
  system: ({ message }) => (message.system?.wa_id ? say("changed_number", { number: `+${message.system.wa_id}` }) : say("changed_id")),
  user_preferences: ({ message }) => say(message.user_preferences?.value === "resume" ? "resumed" : "stopped"),
};

function text(value) {
  return value ? make("div", { class: "words", dir: "auto" }, value) : null;
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
  return make("div", { class: "file" }, icon("contact"), make("span", {}, person.name?.formatted_name ?? "",
    make("span", { class: "small" }, ` ${phones}`)));
}

export function money(amount, currency) {
  try {
    return new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency }).format(amount);
  } catch { return `${amount} ${currency ?? ""}`.trim(); }
}

function order(body) {
  const items = body.product_items ?? [], currency = items[0]?.currency;
  const count = items.reduce((sum, item) => sum + Number(item.quantity), 0);
  const total = items.reduce((sum, item) => sum + Number(item.quantity) * Number(item.item_price), 0);
  return [make("div", { class: "file" }, icon("cart"), make("span", {}, say("items", { count }),
    make("span", { class: "small" }, ` ${money(total, currency)}`))), text(body.text)];
}

function interactive(body) {
  const answer = body[body.type];
  if (answer?.title || answer?.body) {
    return [text(answer.title ?? answer.body), answer.description ? make("div", { class: "small" }, answer.description) : null];
  }
  if (body.type === "call_permission_reply") return [text(say(answer?.response === "accept" ? "permit_call" : "refuse_call"))];
  const header = body.header?.text, kind = body.header?.type;
  return [header ? make("h3", {}, header) : null, ...(body.header?.[kind]?.id ? media(kind, body.header[kind]) : []),
    text(body.body?.text ?? say("other", { kind: body.type })), body.footer?.text ? make("div", { class: "small" }, body.footer.text) : null];
}

function phoned(body) {
  const words = body.event === "terminate" ? body.duration ? say("call_lasted", { seconds: body.duration }) : say("call_missed") : say("call");
  return [make("div", { class: "file" }, icon("call"), words)];
}

function content(line) {
  const { message } = line, kind = message.type ?? "text", body = message[kind] ?? {};
  if (line.template) {
    const { header, footer } = line.template, file = line.template.media;
    return [header ? make("h3", {}, header) : null, ...(file ? media(file.type, file[file.type]) : []), text(line.template.text),
      footer ? make("div", { class: "small" }, footer) : null];
  }
  switch (kind) {
    case "text": return [text(body.body)];
    case "image": case "sticker": case "video": case "audio": case "document": return media(kind, body);
    case "location": return location(body);
    case "contacts": return [...body].map(card);
    case "interactive": return interactive(body);
    case "button": return [text(body.text)];
    case "order": return order(body);
    case "call": return phoned(message);
    default: return [make("div", { class: "small" }, say("other", { kind }))];
  }
}

// What the person may tap under a message of the business. `hands` send, open sheets and follow links.
function choices(line, hands) {
  if (line.direction !== "out") return null;
  const body = line.message.interactive, action = body?.action ?? {}, context = { id: line.wamid }, nodes = [];
  const tap = (words, work, name = null) => {
    const node = make("button", { type: "button", "data-testid": "option" }, name ? icon(name) : null, words);
    node.addEventListener("click", work);
    nodes.push(node);
  };
  const answer = (type, option) => hands.post({ type, [type]: option, context });
  for (const button of line.template?.buttons ?? []) tap(button.text, () => answer("button", button));
  for (const link of line.template?.links ?? []) nodes.push(elsewhere(link.text, link.url));
  for (const { reply } of action.buttons ?? []) if (reply) tap(reply.title, () => answer("button_reply", reply));
  if (action.sections?.some((section) => section.rows)) {
    tap(action.button ?? say("options"), () => hands.list(line, (row) => answer("list_reply", row)), "list");
  }
  switch (body?.type) {
    case "cta_url": nodes.push(elsewhere(action.parameters?.display_text, action.parameters?.url)); break;
    case "location_request_message": tap(say("send_location"), () => hands.place(context), "location"); break;
    case "product": case "product_list": case "catalog_message": tap(say("see_catalogue"), () => hands.cart(context), "cart"); break;
    case "flow": tap(action.parameters?.flow_cta ?? say("fill_in"), () => answer("nfm_reply",
      { name: "flow", body: "Sent", response_json: JSON.stringify({ flow_token: action.parameters?.flow_token ?? "" }) })); break;
    case "call_permission_request":
      for (const response of ["accept", "reject"]) {
        tap(say(response === "accept" ? "permit_call" : "refuse_call"), () => hands.post({ type: "interactive", context,
          interactive: { type: "call_permission_reply", call_permission_reply: { response, response_source: "user_action" } } }));
      }
  }
  return nodes.length ? make("div", { class: "options" }, ...nodes) : null;
}

function elsewhere(words, url) {
  const isLink = /^https?:/.test(url ?? "");
  return make("a", { class: "option", href: isLink ? url : null, target: "_blank", rel: "noopener noreferrer" }, words ?? url ?? "");
}

function tick(line) {
  if (line.direction !== "in") return null;
  const state = ["sent", "read"].includes(line.state) ? line.state : "pending";
  return icon(state, say(state));
}

// `line` carries what other lines did to it: edited, revoked, reactions, quoted.
export function bubble(line, hands) {
  const kind = line.message.type ?? "text", mine = line.direction === "in";
  if (EVENTS[kind]) return make("li", { class: "event", "data-testid": "event", "data-state": line.state }, EVENTS[kind](line));
  const meta = make("div", { class: "meta" },
    line.direction === "echo" ? `${say("from_phone")} ·` : null, line.edited ? `${say("edited")} ·` : null,
    make("time", { datetime: line.time }, clock.format(new Date(line.time))), tick(line));
  const parts = line.revoked ? [make("div", { class: "words gone" }, say("revoked"))] : content(line);
  const box = make("div", { class: `bubble${kind === "sticker" && !line.revoked ? " bare-media" : ""}` },
    line.message.context?.forwarded ? make("div", { class: "small" }, say("forwarded")) : null,
    line.quoted ? make("span", { class: "quote", dir: "auto" }, line.quoted) : null, ...parts, meta);
  const acts = make("button", { type: "button", class: "acts", "data-testid": "acts", "aria-label": say("message_menu"), "aria-haspopup": "dialog" }, icon("down"));
  acts.addEventListener("click", () => hands.menu(line));
  box.append(acts);
  const node = make("li", { class: `line ${mine ? "mine" : "theirs"}`, "data-wamid": line.wamid, "data-state": line.state,
    "data-testid": mine ? "mine" : "theirs" }, box);
  const reactions = Object.values(line.reactions ?? {}).filter(Boolean);
  if (reactions.length) node.append(make("span", { class: "reactions", "data-testid": "reactions" }, reactions.join(" ")));
  const options = line.revoked ? null : choices(line, hands);
  if (options) node.append(options);
  return node;
}

// Reactions, edits, revokes and the end of a call change the line they name instead of being lines themselves.
export function arrange(lines, { isOffline = false } = {}) {
  const shown = [], known = new Map();
  for (const original of lines) {
    const line = { ...original }, { message } = line, kind = message.type ?? "text";
    const side = line.direction === "in" ? "in" : "out";
    if (line.direction === "out" && (line.state === "failed" || (isOffline && ["accepted", "sent"].includes(line.state)))) continue;
    if (kind === "reaction") {
      const target = known.get(message.reaction?.message_id);
      if (target) target.reactions = { ...target.reactions, [side]: message.reaction.emoji ?? "" };
      continue;
    }
    if (kind === "edit" || kind === "revoke") {
      const target = known.get(message[kind]?.original_message_id);
      if (target && kind === "revoke") target.revoked = true;
      if (target && kind === "edit") { target.message = { ...target.message, ...message.edit.message }; target.edited = true; }
      continue;
    }
    if (kind === "call" && known.has(line.wamid)) { known.get(line.wamid).message = message; continue; }
    const context = message.context?.message_id ?? message.context?.id;
    if (context && known.has(context)) line.quoted = summary(known.get(context));
    known.set(line.wamid, line);
    shown.push(line);
  }
  return shown;
}
