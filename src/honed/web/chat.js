"use strict";
// Writing with a model: answers come token by token. What was said lives in this page and is gone when it is closed.
const talk = { said: [], stop: null };

function writes() { return about && about.writes; }
function writing(on) {
  $("go").hidden = on;
  $("halt").hidden = !on;
  $("talk").setAttribute("aria-busy", on);
  if (!on) talk.stop = null;
}
function newTalk() {
  if (talk.stop) talk.stop.abort();
  talk.said = [];
  $("talk").replaceChildren();
  $("pace").textContent = $("write-error").textContent = "";
  const manner = writes();
  if (!manner) return;
  const columns = manner.columns;
  $("heat").value = manner.temperature;
  $("heat-shown").textContent = manner.temperature;
  $("length").max = manner.context;
  $("length").value = manner.most_tokens || Math.min(200, Math.floor(manner.context / 2));
  $("say").value = columns.length > 1 ? JSON.stringify(Object.fromEntries(columns.map((name) => [name, ""])), null, 1) : "";
  $("say-label").textContent = manner.chat ? "Your message" : "The beginning of a text";
  $("go").textContent = manner.chat ? "Send" : "Continue";
  $("write-hint").textContent = !manner.chat ? "The model continues what you begin."
    : columns.length > 1 ? `The model learnt rows with the columns ${columns.join(", ")}: fill in the object.`
    : manner.turns ? "The model sees all of the conversation." : "The model learnt to answer single messages: each is answered by itself.";
}
function bubble(kind, who, text) {
  const words = make("span", { textContent: text });
  const box = make("div", { className: kind }, make("span", { className: "who", textContent: who }), words);
  $("talk").append(box);
  return { box, words };
}
// Words are added at the end; who reads at the end stays there, who has scrolled up is left alone.
function add(words, more) {
  const place = $("talk"), near = place.scrollHeight - place.scrollTop - place.clientHeight < 60;
  words.append(more);
  if (near) place.scrollTop = place.scrollHeight;
}
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const told = JSON.parse(data);
      if (told.error) throw new Error(told.error.message);
      yield told;
    }
  }
}
async function asked(text, signal) {
  const manner = writes(), model = `${about.name}@${about.version}`;
  const named = { model, stream: true, stream_options: { include_usage: true }, temperature: Number($("heat").value), max_tokens: Number($("length").value) };
  const turns = manner.turns ? talk.said : talk.said.slice(-1);
  const body = manner.chat ? { ...named, messages: turns } : { ...named, prompt: text };
  const response = await fetch(manner.chat ? "/v1/chat/completions" : "/v1/completions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  if (!response.ok) throw new Error((await response.json()).error.message);
  return response;
}
function pace(n, begin, first, end, why) {
  const speed = n / ((end - begin) / 1000);
  return `${speed.toFixed(speed < 10 ? 1 : 0)} tokens a second · first token after ${(first - begin).toFixed(0)} ms · ${n} tokens${why ? " · " + why : ""}`;
}
const ENDS = { length: "stopped at the length you set", stop: "" };
async function say(event) {
  event.preventDefault();
  const manner = writes(), text = $("say").value;
  if (!manner || talk.stop || !text.trim()) return;
  talk.stop = new AbortController();
  $("write-error").textContent = "";
  if (manner.chat) { bubble("said", "You", text); talk.said.push({ role: "user", content: text }); $("say").value = ""; }
  const { box, words } = bubble("written", about.name, "");
  if (!manner.chat) words.before(make("span", { className: "asked", textContent: text }));
  box.classList.add("busy");
  writing(true);
  $("talk").scrollTop = $("talk").scrollHeight;
  const begin = performance.now();
  let n = 0, first = 0, why = "";
  try {
    for await (const told of events(await asked(text, talk.stop.signal))) {
      if (told.usage) n = told.usage.completion_tokens;
      for (const choice of told.choices) {
        const more = manner.chat ? choice.delta.content || "" : choice.text;
        if (choice.finish_reason) why = ENDS[choice.finish_reason] || "";
        if (!more) continue;
        first = first || performance.now();
        n += 1;
        add(words, more);
        $("pace").textContent = pace(n, begin, first, performance.now(), "");
      }
    }
  } catch (error) {
    why = "stopped by you";
    if (error.name !== "AbortError") { why = "broken off"; $("write-error").textContent = error.message; }
  }
  const written = words.textContent;
  if (manner.chat && written) talk.said.push({ role: "assistant", content: written });
  else if (manner.chat) { talk.said.pop(); $("say").value = text; }
  if (!written && why === "broken off") { box.previousSibling?.remove(); box.remove(); }
  box.classList.remove("busy");
  $("pace").textContent = first ? pace(n, begin, first, performance.now(), why) : why;
  writing(false);
  $("say").focus();
}
$("write").addEventListener("submit", say);
$("halt").addEventListener("click", () => talk.stop && talk.stop.abort());
$("anew").addEventListener("click", () => { newTalk(); $("say").focus(); });
$("heat").addEventListener("input", () => { $("heat-shown").textContent = $("heat").value; });
$("say").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) say(event);
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && talk.stop) talk.stop.abort(); });
