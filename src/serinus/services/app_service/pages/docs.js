"use strict";
// Reads /openapi.json and makes one form for each operation. Everything is made as text nodes, so
// nothing in an answer can become markup.

const make = (name, properties = {}, ...children) => {
  const element = document.createElement(name);
  Object.assign(element, properties);
  element.append(...children);
  return element;
};

// The description marks code by backticks; everything else is plain text.
const prose = (text) =>
  text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));

const field = (id, label, control) => {
  control.id = id;
  return make("div", {}, make("label", { htmlFor: id }, label), control);
};

const randomKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

const show = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

function operationForm(path, method, operation) {
  const form = make("form", { noValidate: true });
  const inputs = [];
  for (const parameter of operation.parameters ?? []) {
    const input = make("input", { autocomplete: "off", spellcheck: false });
    if (parameter.name === "idempotency-key") {
      input.value = randomKey();
      // Another body is another submission, and needs a key of its own.
      form.addEventListener("input", (event) => {
        if (event.target !== input) input.value = randomKey();
      });
    }
    if (parameter.name === "review_id") input.dataset.review = "";
    form.append(
      field(`${operation.operationId}-${parameter.name}`, `${parameter.name} (${parameter.in})`, input),
    );
    inputs.push([parameter, input]);
  }
  const content = operation.requestBody?.content["application/json"];
  const body = make("textarea", { rows: 5, spellcheck: false });
  if (content) {
    body.value = JSON.stringify(content.example ?? {}, null, 2);
    form.append(field(`${operation.operationId}-body`, "Body (JSON)", body));
  }
  const button = make("button", { type: "submit" }, "Send");
  const output = make("div", { role: "status" });
  form.append(button, output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    output.replaceChildren(make("p", {}, "Waiting for the answer…"));
    await send(path, method, operation, inputs, content ? body.value : undefined, output);
    button.disabled = false;
  });
  return form;
}

async function send(path, method, operation, inputs, body, output) {
  const headers = {};
  let address = path;
  for (const [parameter, input] of inputs) {
    const value = input.value.trim();
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value) headers[parameter.name] = value;
  }
  if (body !== undefined) headers["content-type"] = "application/json";
  const token = document.getElementById("token");
  if (operation.security && token.value.trim()) headers.authorization = `Bearer ${token.value.trim()}`;
  try {
    const started = performance.now();
    const answer = await fetch(address, { method: method.toUpperCase(), headers, body, cache: "no-store" });
    const text = await answer.text();
    const took = Math.round(performance.now() - started);
    const shown = ["content-type", "location", "retry-after", "x-served-by", "x-request-id"]
      .filter((name) => answer.headers.has(name))
      .map((name) => `${name}: ${answer.headers.get(name)}`);
    output.replaceChildren(
      make("p", {}, make("strong", {}, `${answer.status} ${answer.statusText}`), ` in ${took} ms`),
      make("pre", { tabIndex: 0 }, `${shown.join("\n")}\n\n${show(text)}`),
    );
    if (answer.status === 201 && text) remember(JSON.parse(text));
  } catch (error) {
    output.replaceChildren(make("p", {}, `No answer: ${error.message}`));
  }
}

function remember(review) {
  if (review.feedback_token) document.getElementById("token").value = review.feedback_token;
  if (review.id) for (const input of document.querySelectorAll("[data-review]")) input.value = review.id;
}

function describe(path, method, operation) {
  const answers = Object.entries(operation.responses).map(([status, answer]) =>
    make("li", {}, make("code", {}, status), ...prose(` ${answer.description}`)),
  );
  return make(
    "details",
    { open: operation.operationId === "createReview" },
    make("summary", {}, make("code", {}, `${method.toUpperCase()} ${path}`), `: ${operation.summary}`),
    make("p", {}, ...prose(operation.description)),
    operationForm(path, method, operation),
    make("h3", {}, "Answers"),
    make("ul", {}, ...answers),
  );
}

async function load() {
  const about = document.getElementById("about");
  try {
    const answer = await fetch("/openapi.json");
    const description = await answer.json();
    about.textContent = `${description.info.summary} ${description.info.description} Version ${description.info.version}.`;
    const operations = document.getElementById("operations");
    operations.append(make("h2", {}, "Operations"));
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        operations.append(describe(path, method, operation));
      }
    }
    const types = document.getElementById("types");
    for (const [name, schema] of Object.entries(description.components.schemas)) {
      types.append(
        make("details", {}, make("summary", {}, make("code", {}, name)), make("pre", { tabIndex: 0 }, JSON.stringify(schema, null, 2))),
      );
    }
  } catch (error) {
    about.textContent = `The description can't be read: ${error.message}`;
  }
}

load();
