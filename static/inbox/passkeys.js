// Passkeys: asks the browser to make or use one and sends the answer with the form. Forms of what cannot be stay hidden.
const isPossible = globalThis.webauthnJSON?.supported() && isSecureContext && !/^[\d.]+$|^\[/.test(location.hostname);

/** The options of a new passkey that opens the account by itself, whoever holds it having shown that it is theirs. */
function wholePasskey(options) {
  const wanted = { residentKey: "required", requireResidentKey: true, userVerification: "required" };
  options.publicKey.authenticatorSelection = { ...options.publicKey.authenticatorSelection, ...wanted };
  return options;
}

async function options(form) {
  if (form.dataset.passkey !== "login") return JSON.parse(document.getElementById("passkey-options").textContent);
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

async function ask(form) {
  const known = await options(form);
  if (form.dataset.passkey === "add") return webauthnJSON.create(wholePasskey(known.creation_options));
  return webauthnJSON.get(known.request_options);
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  form.hidden = !isPossible;
  const trouble = form.querySelector("[data-passkey-trouble]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    try {
      form.elements.credential.value = JSON.stringify(await ask(form));
    } catch {
      trouble.hidden = false; // given up, or nothing that fits
      return;
    }
    const remember = document.querySelector("#login-form [name=remember]");
    if (form.elements.remember && remember?.checked) form.elements.remember.value = "on";
    form.submit();
  });
}
for (const line of document.querySelectorAll("[data-passkey-impossible]")) line.hidden = isPossible;
