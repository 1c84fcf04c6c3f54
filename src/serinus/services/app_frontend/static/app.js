// Makes the pages' own forms quicker: sends them with fetch and shows the page that comes back.
// Every form works without this file; whatever goes wrong here, the text stays in the field.

const live = document.getElementById("live");
const TIMEOUT = 30_000;
let shown = location.pathname + location.search;

const say = (text) => { live.textContent = text; };

function setBusy(form, submitter, busy) {
  form.ariaBusy = busy ? "true" : null;
  for (const button of form.querySelectorAll("button")) {
    if (busy) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
  if (submitter && busy) {
    submitter.dataset.label = submitter.textContent;
    submitter.textContent = form.dataset.busy;
  } else if (submitter?.dataset.label) {
    submitter.textContent = submitter.dataset.label;
    delete submitter.dataset.label;
  }
  if (busy) say(form.dataset.busy);
}

// Something that has no page to show, or a page that would lose what the visitor wrote.
function notify(form, title, text) {
  document.querySelector("main > .notice")?.remove();
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.setAttribute("role", "alert");
  notice.tabIndex = -1;
  const heading = document.createElement("h2");
  heading.textContent = title;
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  notice.append(heading, paragraph);
  document.getElementById("main").prepend(notice);
  say("");
  notice.focus();
}

function show(page) {
  document.title = page.title;
  for (const part of ["main", "footer"]) {
    document.querySelector(part).replaceWith(page.querySelector(part));
  }
  say("");
  scrollTo(0, 0);
  const focus = document.querySelector("main [data-focus]") ?? document.querySelector("main h1");
  focus?.focus({ preventScroll: true });
  prepare();
}

const parse = (html) => new DOMParser().parseFromString(html, "text/html");
const isOurs = (page) => page.documentElement.dataset.build && page.querySelector("main");
const isSameBuild = (page) =>
  page.documentElement.dataset.build === document.documentElement.dataset.build;

async function send(form, submitter) {
  const action = form.getAttribute("action");
  const method = (form.getAttribute("method") ?? "get").toUpperCase();
  const fields = new URLSearchParams(new FormData(form));
  if (submitter?.name) fields.append(submitter.name, submitter.value);
  const draft = form.querySelector("textarea")?.value;
  setBusy(form, submitter, true);
  try {
    const response = await fetch(action, {
      method,
      body: method === "POST" ? fields : undefined,
      headers: { accept: "text/html" },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const page = parse(await response.text());
    if (response.status === 429) {
      const wait = Number(response.headers.get("retry-after")) || 1;
      const unit = wait === 1 ? "second" : "seconds";
      notify(form, "Too many requests", `Please wait ${wait} ${unit}, and send it again.`);
    } else if (!isOurs(page)) {
      notify(form, "This was not sent", "The site does not answer. Please try again in a moment.");
    } else if (!response.ok && draft !== undefined && !page.querySelector("main textarea")) {
      const heading = page.querySelector("h1").textContent;
      notify(form, heading, page.querySelector(".lead")?.textContent ?? "Please try again.");
    } else if (response.ok && !isSameBuild(page)) {
      // Another version of the site answered: its page needs its own style and script.
      location.assign(response.url);
      return;
    } else {
      arrive(response, draft);
      show(page);
    }
  } catch (error) {
    const text = error.name === "TimeoutError"
      ? "It took too long. Please try again."
      : "There is no connection. Please try again when you are back online.";
    notify(form, "This was not sent", text);
  } finally {
    setBusy(form, submitter, false);
  }
}

function arrive(response, draft) {
  if (!response.ok || !response.redirected) return;
  const url = new URL(response.url);
  const path = url.pathname + url.search;
  if (draft !== undefined) history.replaceState({ draft }, "");
  if (path !== shown) history.pushState(null, "", path);
  shown = path;
}

async function load(state) {
  shown = location.pathname + location.search;
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    const page = parse(await response.text());
    if (!isOurs(page) || !isSameBuild(page)) throw new Error("another page");
    show(page);
  } catch {
    location.reload();
    return;
  }
  const field = document.getElementById("text");
  if (field && state?.draft) {
    field.value = state.draft;
    count(field);
  }
}

function count(field) {
  const place = field.form.querySelector("[data-count]");
  const max = Number(field.dataset.max);
  const used = [...field.value.trim()].length;
  const number = (value) => value.toLocaleString("en");
  place.textContent = used ? `${number(used)} so far.` : "";
  if (used > max) place.textContent = `${number(used - max)} too many.`;
  place.classList.toggle("over", used > max);
  // Spoken only when the border is crossed, not at each key.
  const over = String(used > max);
  if (field.dataset.over !== over && (used > max || field.dataset.over)) {
    say(used > max ? "Your review is too long." : "Your review fits again.");
  }
  field.dataset.over = over;
}

function prepare() {
  const field = document.getElementById("text");
  if (field) count(field);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.ariaBusy !== "true") send(form, event.submitter);
});

document.addEventListener("input", (event) => {
  if (event.target.id === "text") count(event.target);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "text") {
    event.preventDefault();
    event.target.form.requestSubmit(event.target.form.querySelector("button"));
  }
});

addEventListener("popstate", (event) => {
  if (location.pathname + location.search !== shown) load(event.state);
});

prepare();
