"use strict";
// The page: every part shows what a JSON address of the server says.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
let models = [], about = null, shown = "try";
const files = {}, names = {};

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties || {});
  element.append(...children);
  return element;
}
function draw(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
async function ask(path, body) {
  let response;
  try {
    response = await fetch(path, body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch { throw Object.assign(new Error("The server cannot be reached."), { status: 0 }); }
  const value = (response.headers.get("content-type") || "").includes("json") ? await response.json() : await response.text();
  if (!response.ok && value.error) throw Object.assign(new Error(`${value.error.seen} ${value.error.remedy}`), { status: response.status });
  return { value, response };
}
const percent = (share) => (100 * share).toFixed(1) + " %";
const place = () => `/models/${encodeURIComponent($("model").value)}`;
function notice(text) { $("notice").textContent = text; $("notice").hidden = !text; }

async function start() {
  try {
    models = (await ask("/api/models")).value.models;
  } catch (error) {
    $("login").hidden = error.status !== 401;
    $("part-try").hidden = true;
    if (error.status === 401) $("key").focus(); else notice(error.message);
    return;
  }
  $("login").hidden = true;
  $("model").replaceChildren(...models.map((model) => make("option", { value: model.name, textContent: model.name })));
  await choose();
}
async function choose() {
  try { about = (await ask("/api/models/" + encodeURIComponent($("model").value))).value; } catch (error) { notice(error.message); return; }
  $("answer").hidden = true;
  const because = about.served_though_unfit_because;
  notice(because ? `The evaluation says “do not ship”. It is served all the same, because: ${because}` : "");
  state(about.ready);
  fields();
  newTalk();
  const rows = about.reads_rows !== false;
  for (const [name, there] of [["try", rows], ["write", about.writes], ["report", rows], ["card", rows], ["monitor", rows]]) $("tab-" + name).hidden = !there;
  select($("tab-" + shown).hidden ? (rows ? "try" : "write") : shown);
}
function state(ready) {
  $("state").className = "state " + (ready ? "good" : "bad");
  $("state").textContent = `${ready ? "ready" : "not ready"} · version ${about.version} · verdict: ${about.verdict}`;
}
function fields() {
  const required = about.input.required || [], example = (about.input.examples || [{}])[0];
  const parts = Object.entries(about.input.properties).map(([name, schema]) => {
    const id = "field-" + name, kind = schema.type;
    let input;
    if (schema.contentEncoding === "base64") return make("div", {}, make("label", { htmlFor: id, textContent: name }), dropPlace(id, name, schema));
    if (schema.enum) input = make("select", {}, ...schema.enum.map((value) => make("option", { value, textContent: value })));
    else if (kind === "number" || kind === "integer") input = make("input", { type: "number", step: kind === "integer" ? "1" : "any" });
    else if (kind === "boolean") input = make("select", {}, make("option", { value: "true", textContent: "yes" }), make("option", { value: "false", textContent: "no" }));
    else input = make("textarea", { rows: 4 });
    Object.assign(input, { id, name, required: required.includes(name) });
    if ("placeholder" in input && example[name] !== undefined) input.placeholder = `For example: ${example[name]}`;
    return make("div", {}, make("label", { htmlFor: id, textContent: name }), input);
  });
  $("fields").replaceChildren(...parts);
}
function dropPlace(id, name, schema) {
  const input = make("input", { type: "file", id, name, accept: schema.contentMediaType || "" });
  const seen = make("img", { alt: "The picture that will be sent", hidden: true });
  const hint = make("p", { className: "small", textContent: "Choose a picture, or drop one here. It goes to this server only." });
  const place = make("div", { className: "drop" }, input, hint, seen);
  const take = (file) => {
    if (!file) return;
    const reader = new FileReader();
    reader.onload = () => { files[name] = reader.result; names[name] = file.name; seen.src = reader.result; seen.hidden = false; $("answer").hidden = true; };
    reader.readAsDataURL(file);
  };
  delete files[name];
  input.addEventListener("change", () => take(input.files[0]));
  place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => { event.preventDefault(); place.classList.remove("over"); take(event.dataTransfer.files[0]); });
  return place;
}
function row() {
  const found = {};
  for (const [name, schema] of Object.entries(about.input.properties)) {
    if (schema.contentEncoding === "base64") {
      if (!files[name]) throw new Error("Choose a picture first.");
      found[name] = files[name];
      continue;
    }
    const text = $("field-" + name).value;
    if (text === "" && !(about.input.required || []).includes(name)) continue;
    found[name] = schema.type === "number" || schema.type === "integer" ? Number(text) : schema.type === "boolean" ? text === "true" : text;
  }
  return found;
}
async function send(event) {
  event.preventDefault();
  $("send").disabled = true;
  const begin = performance.now();
  try {
    const given = row(), { value, response } = await ask(place() + "/predict", given);
    answer(value, given, performance.now() - begin, response.headers.get("x-request-id"));
  } catch (error) {
    $("answer").replaceChildren(make("p", { className: "error", textContent: error.message }));
  }
  $("answer").hidden = false;
  $("send").disabled = false;
}
function answer(value, given, took, id) {
  if (findsObjects(about.output)) return objects(value, given, took, id);
  const words = Array.isArray(value.prediction) ? value.prediction.join(", ") || "none of the labels" : String(value.prediction);
  const parts = [make("p", { className: "result", textContent: words })];
  if (value.confidence !== undefined) parts.push(make("p", { className: "small", textContent: `Chance that this is right: ${percent(value.confidence)}` }));
  if (value.low !== undefined) parts.push(make("p", { className: "small", textContent: `Between ${value.low.toPrecision(4)} and ${value.high.toPrecision(4)} in 9 of 10 cases` }));
  if (value.unsure) parts.push(make("p", { className: "unsure", textContent: "I don’t know: the model is not sure enough. A person should look at this." }));
  if (value.probabilities) {
    const sorted = Object.entries(value.probabilities).sort((a, b) => b[1] - a[1]).slice(0, 12);
    parts.push(make("ul", { className: "chances" }, ...sorted.map(([label, share], i) => {
      const bar = draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(draw("rect", { class: "track", width: 100, height: 10 }), draw("rect", { class: "fill", width: 100 * share, height: 10 }));
      return make("li", { className: i ? "" : "first" }, make("span", { textContent: label }), bar, make("b", { textContent: percent(share) }));
    })));
  }
  parts.push(foot(took, id));
  $("answer").replaceChildren(...parts);
}
function foot(took, id) { return make("p", { className: "small foot", textContent: `${took.toFixed(0)} ms · request ${id}` }); }
function objects({ prediction, unsure }, given, took, id) {
  const labels = about.labels || [], field = Object.keys(given).find((name) => about.input.properties[name].contentEncoding === "base64");
  const parts = [make("p", { className: "result", textContent: inWords(prediction) })];
  if (!prediction.length) parts.push(...notFound(labels, unsure));
  if (unsure) parts.push(make("p", { className: "unsure", textContent: "I don’t know: the model is not sure enough. A person should look at this." }));
  $("answer").replaceChildren(...parts, objectsView(prediction, given[field], names[field] || "", labels), foot(took, id));
  for (const seen of document.querySelectorAll(".drop img")) seen.hidden = true;
}
function plain(text) { return text.replace(/\*\*|`/g, ""); }
function card(text) {
  const body = text.replace(/^---\n[\s\S]*?\n---\n/, ""), parts = [];
  let lines = [];
  const flush = () => {
    if (!lines.length) return;
    if (lines[0].startsWith("|")) {
      const cells = lines.filter((line) => !/^\|[\s:|-]+\|$/.test(line)).map((line) => line.slice(1, -1).split("|").map((cell) => plain(cell.trim())));
      parts.push(make("div", { className: "scroll" }, make("table", {}, ...cells.map((cell, i) => make("tr", {}, ...cell.map((one) => make(i ? "td" : "th", { textContent: one })))))));
    } else if (/^[-*] /.test(lines[0])) parts.push(make("ul", {}, ...lines.map((line) => make("li", { textContent: plain(line.replace(/^[-*] /, "")) }))));
    else parts.push(make("p", { textContent: plain(lines.join(" ")) }));
    lines = [];
  };
  for (const [i, part] of body.split("```").entries()) {
    if (i % 2) { flush(); parts.push(make("pre", { textContent: part.replace(/^\w*\n/, "") })); continue; }
    for (const line of part.split("\n")) {
      const heading = /^(#+) (.*)/.exec(line);
      if (heading) { flush(); parts.push(make("h2", { textContent: plain(heading[2]) })); }
      else if (!line.trim()) flush();
      else lines.push(line.trim());
    }
    flush();
  }
  $("card").replaceChildren(...parts);
}
function plot(title, values, share) {
  const points = values.map((value, i) => [i, value && value.value !== undefined ? value.value : value]).filter(([, value]) => typeof value === "number");
  if (!points.length) return null;
  const high = share ? 1 : Math.max(...points.map(([, value]) => value)) * 1.1 || 1, n = Math.max(1, values.length - 1);
  const at = ([i, value]) => [36 + 270 * i / n, 112 - 96 * value / high];
  const told = (value) => share ? percent(value) : value.toPrecision(3);
  const svg = draw("svg", { viewBox: "0 0 320 132", role: "img", "aria-label": `${title}: ${points.map(([, value]) => told(value)).join(", ")}` });
  svg.append(draw("line", { class: "axis", x1: 36, y1: 112, x2: 312, y2: 112 }), draw("line", { class: "axis", x1: 36, y1: 16, x2: 36, y2: 112 }));
  for (const [value, y] of [[high, 20], [0, 114]]) { const text = draw("text", { x: 32, y, "text-anchor": "end" }); text.textContent = share ? `${100 * value} %` : value.toPrecision(2); svg.append(text); }
  svg.append(draw("polyline", { class: "curve", points: points.map((point) => at(point).join(",")).join(" ") }));
  for (const point of points) { const [cx, cy] = at(point); svg.append(draw("circle", { class: "dot", cx, cy, r: 3 })); }
  const text = draw("text", { x: 174, y: 128, "text-anchor": "middle" });
  text.textContent = "windows of rows, newest on the right";
  svg.append(text);
  return make("figure", {}, make("figcaption", { textContent: `${title}: ${told(points[points.length - 1][1])}` }), svg);
}
async function monitor() {
  const value = (await ask("/api/monitor?model=" + encodeURIComponent(about.name))).value;
  $("headline").textContent = value.headline || "No monitoring data yet.";
  $("alerts").replaceChildren(...[...(value.alerts || []).map((alert) => alert.message), ...(value.advice || [])].map((text) => make("p", { className: "unsure", textContent: text })));
  const series = value.series || {};
  const plots = [["Share right, from labels", "real", true], ["Share right, estimated", "estimated", true], ["Confidence", "confidence", true], ["“I don’t know”", "unsure", true], ["Distance from the training data", "distance", false], ["Rows", "n", false]];
  $("plots").replaceChildren(...plots.map(([title, name, share]) => plot(title, series[name] || [], share)).filter(Boolean));
}
function programs() {
  const parts = about.reads_rows !== false ? [rowCall()] : [];
  if (about.writes) parts.push(textCall());
  $("curl").textContent = parts.map(([call]) => call).join("\n\n");
  $("sample").textContent = JSON.stringify(parts[0][1], null, 2);
}
function quoted(value) { return `'${JSON.stringify(value).replace(/'/g, "'\\''")}'`; }
function textCall() {
  const chat = about.writes.chat, path = chat ? "/v1/chat/completions" : "/v1/completions";
  const given = chat ? { messages: [{ role: "user", content: "Hello" }] } : { prompt: "Once upon a time", max_tokens: 40 };
  const answer = { object: chat ? "chat.completion" : "text_completion", choices: [{ index: 0, ...(chat ? { message: { role: "assistant", content: "..." } } : { text: "..." }), finish_reason: "stop" }] };
  return [`# As OpenAI's clients ask; base_url is ${location.origin}/v1\ncurl ${location.origin}${path} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted({ model: about.name, ...given })}`, answer];
}
function rowCall() {
  const answer = (about.output.examples || [{}])[0];
  if (Object.values(about.input.properties).some((schema) => schema.contentEncoding === "base64")) {
    const call = `curl ${location.origin}${place()}/predict \\\n  -H 'Content-Type: image/jpeg' --data-binary @picture.jpg`;
    return [findsObjects(about.output) ? `${call}\n\n# The picture with boxes:\n${call} \\\n  -H 'Accept: image/jpeg' -o annotated.jpg` : call, answer];
  }
  return [`curl ${location.origin}${place()}/predict \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted((about.input.examples || [{}])[0])}`, answer];
}
async function select(name) {
  shown = name;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.id === "tab-" + name;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !on;
  }
  if (!about) return;
  try {
    if (name === "report") { $("report").src = $("report-link").href = place() + "/report"; }
    if (name === "card") card((await ask(place() + "/card")).value);
    if (name === "monitor") await monitor();
    if (name === "api") programs();
  } catch (error) {
    if (name === "card") $("card").textContent = error.message; else $("headline").textContent = error.message;
  }
}
function keys(event) {
  const tabs = [...document.querySelectorAll("[role=tab]:not([hidden])")], step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
  next.focus();
  select(next.id.slice(4));
}
document.querySelector("[role=tablist]").addEventListener("keydown", keys);
for (const tab of document.querySelectorAll("[role=tab]")) tab.addEventListener("click", () => select(tab.id.slice(4)));
$("model").addEventListener("change", choose);
$("ask").addEventListener("submit", send);
$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  try { await ask("/session", { key: $("key").value }); $("key").value = ""; await start(); }
  catch (error) { $("login-error").textContent = error.message; }
});
setInterval(async () => {
  if (!about || document.hidden) return;
  try { state((await ask("/api/models/" + encodeURIComponent(about.name))).value.ready); } catch { state(false); }
}, 5000);
document.addEventListener("DOMContentLoaded", start);
