// What pages do beyond links and forms. Everything here has a way without it.
"use strict";

const dialog = () => document.getElementById("dialog");
const palette = () => document.getElementById("palette");
const texts = () => document.getElementById("toasts").dataset;

// Forms in dialogs: a link with data-dialog shows the form of its page here.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "dialog-content") {
    if (!dialog().open) dialog().showModal();
    dialog().querySelector("[autofocus], input:not([type=hidden]), select, textarea, button")?.focus();
  }
  if (event.detail.target.id === "dialog-page") document.querySelector("#dialog-page .invalid :is(input, select, textarea)")?.focus();
});

document.addEventListener("click", (event) => {
  const closer = event.target.closest("[data-close]");
  if (closer) {
    const closed = closer.closest("[data-closable], dialog");
    if (closed instanceof HTMLDialogElement) {
      event.preventDefault();
      closed.close();
    } else {
      closed?.remove();
    }
  }
  if (event.target instanceof HTMLDialogElement && event.target.open) event.target.close(); // its backdrop
  if (event.target.closest("[data-palette]") && palette()) {
    event.preventDefault();
    openPalette();
  }
  const copied = event.target.closest("[data-copy]");
  if (copied) copy(copied);
});

function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  navigator.clipboard?.writeText(source.value ?? source.textContent.trim()).then(() => announce(texts().copied));
}

// The command palette.
function openPalette() {
  palette().showModal();
  const field = palette().querySelector("input");
  field.value = "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && palette()) {
    event.preventDefault();
    palette().open ? palette().close() : openPalette();
  }
  if (palette()?.open && ["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) movePalette(event);
});

function movePalette(event) {
  const links = [...palette().querySelectorAll("#palette-results a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "Enter") {
    if (at < 0 && links.length) {
      event.preventDefault();
      links[0].click();
    }
    return;
  }
  event.preventDefault();
  const next = event.key === "ArrowDown" ? at + 1 : at - 1;
  (links[next] ?? (next < 0 ? palette().querySelector("input") : links[0]))?.focus();
}

// Messages, read out and taken away after a while; what they say is in the page, in its language.
function announce(text) {
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.textContent = text;
  show(toast);
  setTimeout(() => toast.remove(), 6000);
}

// While a dialog is open, what is outside it can be neither seen well nor used.
function show(toast) {
  const toasts = document.getElementById("toasts");
  (document.querySelector("dialog:modal") ?? document.body).append(toasts);
  toasts.append(toast);
}

for (const toast of document.querySelectorAll("#toasts [data-closable]")) setTimeout(() => toast.remove(), 8000);

document.addEventListener("htmx:sendError", () => announce(texts().unsent));
// A refusal is told in its own words, once at a time, and stays until it is closed.
document.addEventListener("htmx:responseError", (event) => {
  const told = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html").querySelector("[data-problem]");
  if (!told) return announce(texts().failed);
  document.querySelector(`[data-problem="${told.dataset.problem}"]`)?.remove();
  show(document.adoptNode(told));
});
addEventListener("offline", () => announce(texts().offline));
addEventListener("online", () => announce(texts().online));

// Uploads show how far they are.
document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = event.target.querySelector("progress");
  if (bar && event.detail.lengthComputable) {
    bar.hidden = false;
    bar.value = event.detail.loaded;
    bar.max = event.detail.total;
  }
});

// A color picker beside the field that is sent; without this there is the field alone.
for (const picker of document.querySelectorAll("[data-color-for]")) {
  const field = document.getElementById(picker.dataset.colorFor);
  picker.hidden = false;
  picker.addEventListener("input", () => (field.value = picker.value));
  field.addEventListener("input", () => field.validity.valid && field.value.length === 7 && (picker.value = field.value));
}

// A countdown on the page that says how long to wait, in the words of the server.
function inWords(seconds) {
  const [count, unit] = seconds < 120 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

const countdown = document.querySelector("[data-countdown]");
if (countdown) {
  let left = Number(countdown.dataset.countdown);
  const tick = setInterval(() => {
    left -= 1;
    countdown.textContent = inWords(Math.max(left, 0));
    if (left <= 0) {
      clearInterval(tick);
      document.querySelector("[data-after-countdown]")?.removeAttribute("hidden");
    }
  }, 1000);
}

// Selects and checkboxes that send their form at once.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});
for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;

// Passwords can be looked at.
function offerReveal(root) {
  for (const button of root.querySelectorAll("[data-reveal]")) button.hidden = false;
}

offerReveal(document);
document.addEventListener("htmx:afterSettle", (event) => offerReveal(event.target));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reveal]");
  if (!button) return;
  const field = document.getElementById(button.dataset.reveal);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
});
document.addEventListener("submit", (event) => {
  // Browsers offer to keep what is in a password field only.
  for (const button of event.target.querySelectorAll("[data-reveal][aria-pressed=true]")) button.click();
});
