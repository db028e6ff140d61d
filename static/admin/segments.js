// The builder of a segment's rule: rows come from the server, the rule is put together here, the count follows it.
const WAIT = 400;

function value(row) {
  const inputs = [...row.querySelectorAll("[data-value]")];
  switch (row.dataset.asks) {
    case "choices":
      return inputs.filter((input) => input.checked).map((input) => input.value);
    case "numbers":
    case "days":
      return inputs.map((input) => input.value);
    default:
      return inputs[0]?.value;
  }
}

function condition(row) {
  return { field: row.querySelector("[data-field]").value, op: row.querySelector("[data-op]")?.value, value: value(row) };
}

function partsOf(group) {
  return group.querySelector(":scope > [data-parts]");
}

function rule(group) {
  const parts = [...partsOf(group).children];
  const mode = group.querySelector(":scope > .wc-bar > [data-mode]").value;
  return { [mode]: parts.map((part) => ("group" in part.dataset ? rule(part) : condition(part))) };
}

// Countries in the language of the page, as far as the browser knows them.
function name(row, language) {
  if (row.querySelector("[data-field]").value !== "country") return;
  const names = new Intl.DisplayNames([language], { type: "region", fallback: "none" });
  const box = row.querySelector(".wc-choices > div");
  for (const label of box.querySelectorAll("label:not(.wc-gone)")) {
    label.querySelector("span").textContent = names.of(label.querySelector("input").value) ?? label.textContent.trim();
  }
  const order = new Intl.Collator(language);
  const text = (label) => label.textContent.trim();
  const chosen = (label) => label.querySelector("input").checked;
  box.append(...[...box.children].sort((a, b) => chosen(b) - chosen(a) || order.compare(text(a), text(b))));
}

function start(builder) {
  const root = builder.querySelector("[data-root]");
  const field = builder.querySelector("[data-rule]");
  const count = builder.querySelector("[data-count]");
  const trouble = builder.querySelector("[data-trouble]");
  const form = builder.closest("form");
  const language = document.documentElement.lang || "en";
  let newest = 0;
  let running = null;
  let timer = 0;

  function write() {
    field.value = JSON.stringify(rule(root));
  }

  // Only the newest question is answered: one before is broken off, and what it still says is not shown.
  async function ask() {
    const mine = ++newest;
    running?.abort();
    running = new AbortController();
    const body = new URLSearchParams({ rule: field.value, csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    try {
      const answer = await fetch(builder.dataset.countUrl, { method: "POST", body, signal: running.signal });
      if (!answer.ok) throw new Error(answer.status);
      const html = await answer.text();
      if (mine !== newest) return;
      count.innerHTML = html;
      count.setAttribute("aria-busy", "false");
      trouble.hidden = true;
    } catch (error) {
      if (error.name !== "AbortError" && mine === newest) trouble.hidden = false;
    }
  }

  function changed() {
    write();
    count.setAttribute("aria-busy", "true");
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  }

  async function fetched(wanted) {
    const answer = await fetch(`${builder.dataset.rowUrl}?${new URLSearchParams(wanted)}`);
    if (!answer.ok) throw new Error(answer.status);
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    const row = holder.content.querySelector("[data-row]");
    name(row, language);
    return row;
  }

  // A row whose field or operator was chosen; of answers that cross only the newest counts.
  async function renew(row, wanted, focused) {
    const mine = (row.dataset.asked = String(Number(row.dataset.asked ?? 0) + 1));
    try {
      const fresh = await fetched(wanted);
      if (row.dataset.asked !== mine || !row.isConnected) return;
      if (wanted.op && fresh.dataset.asks === row.dataset.asks) carry(row, fresh);
      row.replaceWith(fresh);
      (fresh.querySelector(focused) ?? fresh.querySelector("[data-field]")).focus();
      trouble.hidden = true;
      changed();
    } catch {
      trouble.hidden = false;
    }
  }

  // The same kind of value stays when only the operator changes, also a choice that is gone.
  function carry(row, fresh) {
    const before = [...row.querySelectorAll("[data-value]")];
    for (const input of fresh.querySelectorAll("[data-value]")) {
      const old = input.type === "checkbox" ? before.find((one) => one.value === input.value) : before.shift();
      if (old && input.type === "checkbox") input.checked = old.checked;
      else if (old) input.value = old.value;
    }
    const gone = before.filter((one) => "gone" in one.dataset && one.checked);
    fresh.querySelector(".wc-choices > div")?.prepend(...gone.map((one) => one.closest("label")));
  }

  async function add(group) {
    try {
      const row = await fetched({});
      partsOf(group).append(row);
      row.querySelector("[data-field]").focus();
      trouble.hidden = true;
      changed();
    } catch {
      trouble.hidden = false;
    }
  }

  function addGroup(group) {
    const fresh = builder.querySelector("[data-new-group]").content.firstElementChild.cloneNode(true);
    const depth = Number(group.dataset.depth) + 1;
    fresh.dataset.depth = depth;
    if (depth >= 3) fresh.querySelector("[data-add-group]").remove();
    partsOf(group).append(fresh);
    add(fresh);
  }

  function remove(part) {
    const beside = part.nextElementSibling ?? part.previousElementSibling;
    const group = part.parentElement.closest("[data-group]");
    part.remove();
    (beside?.querySelector("select") ?? group.querySelector(":scope > .wc-bar > [data-add]")).focus();
    changed();
  }

  // What was wrong when the page came may be right by now; saving says what still is not.
  function unmark(row) {
    row?.classList.remove("wc-row-bad");
    row?.querySelector(".wc-problem")?.remove();
    row?.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
  }

  builder.addEventListener("change", (event) => {
    const row = event.target.closest("[data-row]");
    if (!event.target.matches("[data-narrow]")) unmark(row);
    if (event.target.matches("[data-field]")) renew(row, { field: event.target.value }, "[data-op]");
    else if (event.target.matches("[data-op]")) renew(row, condition(row), "[data-value]");
    else if (!event.target.matches("[data-narrow]")) changed();
  });
  builder.addEventListener("input", (event) => {
    if (event.target.matches("[data-narrow]")) {
      const wanted = event.target.value.toLocaleLowerCase();
      for (const label of event.target.parentElement.querySelectorAll("label")) {
        label.hidden = !label.textContent.toLocaleLowerCase().includes(wanted);
      }
    } else if (event.target.matches("input[data-value]")) changed();
  });
  // Enter in a row is not "save".
  builder.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
  });
  builder.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("add" in button.dataset) add(button.closest("[data-group]"));
    else if ("addGroup" in button.dataset) addGroup(button.closest("[data-group]"));
    else if ("remove" in button.dataset) remove(button.closest("[data-row]") ?? button.closest("[data-group]"));
  });
  form.addEventListener("submit", write);
  for (const row of builder.querySelectorAll("[data-row]")) name(row, language);
  ask();
}

for (const builder of document.querySelectorAll("[data-builder]")) start(builder);
