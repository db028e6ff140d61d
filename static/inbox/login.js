// The sign-in page: shows the password on request and moves the focus to an error.
const button = document.getElementById("show-password");
const field = document.getElementById("password");
button?.addEventListener("click", () => {
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  field.focus();
});
document.getElementById("login-error")?.focus();
