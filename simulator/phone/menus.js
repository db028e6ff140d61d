// What one phone's sheets do: things to attach, the person's own habits, a new customer, a call.

import { call, make, say } from "./api.js";

const PLACE = { name: "Puerta del Sol", address: "Madrid", latitude: "40.4168", longitude: "-3.7038" };

export class Menus {
  constructor(handset) {
    this.handset = handset;
  }

  get sheets() { return this.handset.sheets; }

  attach() {
    const { handset, sheets } = this, { parts } = handset;
    const sample = (type) => () => handset.post({ type, ...handset.takeQuote() });
    sheets.open(say("attach"), make("div", { class: "tiles" },
      sheets.entry("photo", say("photo"), () => parts["pick-photo"].click()),
      sheets.entry("document", say("document"), () => parts["pick-document"].click()),
      sheets.entry("location", say("location"), () => this.place(), { test: "location" }),
      sheets.entry("contact", say("contact_card"), () => this.contact()),
      sheets.entry("cart", say("cart"), () => this.cart()),
      sheets.entry("sticker", say("sticker"), sample("sticker")),
      sheets.entry("photo", say("sample_photo"), sample("image"), { test: "sample-photo" }),
      sheets.entry("document", say("sample_document"), sample("document"), { test: "sample-document" }),
      sheets.entry("voice", say("sample_voice"), sample("voice"), { test: "sample-voice" })));
  }

  place(context = null) {
    const fields = [{ name: "name", label: say("name"), value: PLACE.name, maxlength: 200 },
      { name: "address", label: say("address"), value: PLACE.address, maxlength: 300 },
      { name: "latitude", label: say("latitude"), value: PLACE.latitude, type: "number", step: "any", min: -90, max: 90, required: true },
      { name: "longitude", label: say("longitude"), value: PLACE.longitude, type: "number", step: "any", min: -180, max: 180, required: true }];
    this.sheets.form(say("location"), fields, say("send"), async ({ name, address, latitude, longitude }) => {
      const location = { latitude: Number(latitude), longitude: Number(longitude), ...(name ? { name } : {}), ...(address ? { address } : {}) };
      await this.handset.post({ type: "location", location, ...(context ? { context } : this.handset.takeQuote()) });
    });
  }

  contact() {
    const fields = [{ name: "name", label: say("name"), value: "Lucía Prado", maxlength: 80, required: true },
      { name: "phone", label: say("phone"), value: "+34 600 000 111", maxlength: 24, required: true, inputmode: "tel" }];
    this.sheets.form(say("contact_card"), fields, say("send"), async ({ name, phone }) => {
      const [first_name, ...rest] = name.trim().split(/\s+/), digits = phone.replace(/\D/g, "");
      const card = { name: { formatted_name: name.trim(), first_name, ...(rest.length ? { last_name: rest.join(" ") } : {}) },
        phones: [{ phone, type: "MOBILE", ...(digits ? { wa_id: digits } : {}) }] };
      await this.handset.post({ type: "contacts", contacts: [card], ...this.handset.takeQuote() });
    });
  }

  cart(context = null) {
    return this.handset.attempt(() => this.sheets.cart((order) => this.handset.post({ type: "order", order, ...(context ? { context } : {}) })));
  }

  newCustomer() {
    const fields = [{ name: "name", label: say("name"), maxlength: 80, required: true },
      { name: "from", label: say("phone"), hint: say("phone_hint"), inputmode: "tel", maxlength: 24 },
      { name: "user_id", label: say("user_id"), hint: say("user_id_hint"), maxlength: 140, spellcheck: "false", placeholder: "ES.1349…" },
      { name: "username", label: say("username"), hint: say("username_hint"), maxlength: 60, spellcheck: "false" }];
    this.sheets.form(say("new_customer"), fields, say("create"), async (made) => {
      const { id } = await this.handset.page.meet(made);
      await this.handset.choose({ customer: id });
    });
  }

  async phoneCall() {
    const { handset } = this;
    const begun = await handset.post({ type: "call", call: { event: "connect" } });
    if (!begun?.wamid) return;
    this.sheets.calling(handset.number.verified_name, (seconds) => handset.post({ type: "call", wamid: begun.wamid,
      call: { event: "terminate", status: seconds ? "COMPLETED" : "FAILED", ...(seconds ? { duration: seconds } : {}) } }));
  }

  // The person's own settings: the network, what others learn of them, and the rarer things they may do.
  settings() {
    const { handset, sheets } = this, { customer } = handset;
    if (!customer) return;
    const change = (wanted) => async () => {
      await handset.attempt(() => call(`contacts/${customer.id}`, wanted));
      await handset.page.refresh();
    };
    const toggle = (name, words, isOn, wanted, note, test) => sheets.entry(name, words, change(wanted), { checked: isOn, note, test });
    const isOffline = customer.network === "offline", isGone = customer.network === "none";
    sheets.open(customer.name,
      make("p", { class: "small", "data-testid": "window" }, handset.windowWords()),
      toggle("plane", say("offline"), isOffline, { network: isOffline ? "online" : "offline" }, say("offline_note"), "offline"),
      toggle("alert", say("gone"), isGone, { network: isGone ? "online" : "none" }, say("gone_note"), "gone"),
      toggle("read", say("receipts"), customer.reads, { reads: !customer.reads }, null, "receipts"),
      toggle("contact", say("hides_phone"), customer.hides_phone, { hides_phone: !customer.hides_phone },
        customer.user_id ? customer.user_id : say("hides_phone_note"), "hides-phone"),
      sheets.entry(customer.stopped ? "check" : "close", say(customer.stopped ? "resume" : "stop"),
        () => handset.post({ type: "user_preferences", value: customer.stopped ? "resume" : "stop" }), { test: "stop" }),
      sheets.entry("call", say("change_number"), () => this.changeNumber(), { test: "change-number" }),
      sheets.entry("reply", say("echo"), () => this.echo(), { note: say("echo_note"), test: "echo" }));
  }

  changeNumber() {
    const { handset } = this, { customer } = handset;
    const fields = [{ name: "phone", label: say("new_number"), hint: say("phone_hint"), inputmode: "tel", maxlength: 24, required: true }];
    if (customer.user_id) fields.push({ name: "user_id", label: say("new_user_id"), hint: say("new_user_id_hint"), maxlength: 140, spellcheck: "false" });
    this.sheets.form(say("change_number"), fields, say("change_number"), async ({ phone, user_id: id }) => {
      const digits = phone.replace(/\D/g, "");
      if (digits.length < 7 || digits.length > 15) throw new Error(say("bad_number"));
      await handset.post({ type: "system", new_wa_id: digits, ...(id?.trim() ? { new_user_id: id.trim() } : {}) });
    });
  }

  echo() {
    const fields = [{ name: "text", label: say("message"), maxlength: 4096, required: true }];
    this.sheets.form(say("echo"), fields, say("send"), async ({ text }) => {
      if (text.trim()) await this.handset.post({ type: "echo", text: text.trim() });
    });
  }
}
