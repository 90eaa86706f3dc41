"use strict";
// Answers that are objects with boxes: drawn over the picture, and listed beside it by label.
const FIRST = [[230, 159, 0], [0, 114, 178], [0, 158, 115], [213, 94, 0], [204, 121, 167], [86, 180, 233], [240, 228, 66], [146, 36, 40], [118, 73, 190], [0, 0, 0]];
const LETTERS = "system-ui, sans-serif";
const MOST_ENLARGED = 6, SAVED_LEAST = 480, SAVED_MOST = 4096, CROWD = 20;

function findsObjects(schema) {
  const prediction = ((schema || {}).properties || {}).prediction || {};
  return Boolean(prediction.items && prediction.items.properties && prediction.items.properties.box);
}
// The colours that the server draws with: by the place of a label in alphabetical order.
function coloursOf(labels) {
  return Object.fromEntries([...new Set(labels)].sort().map((label, place) => [label, colourAt(place)]));
}
function colourAt(place) {
  if (place < FIRST.length) return FIRST[place];
  const hue = 6 * (place * 0.618033988749895 % 1), full = [0.9, 0.6][place % 2], light = [0.85, 0.6, 0.95][place % 3];
  const part = (n) => { const k = (n + hue) % 6; return Math.round(255 * (light - light * full * Math.max(0, Math.min(k, 4 - k, 1)))); };
  return [part(5), part(3), part(1)];
}
function inkOn(colour) {
  const [red, green, blue] = colour.map((c) => c <= 10 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
const css = (colour) => `rgb(${colour.join(",")})`;
const score = (object) => `${Math.round(100 * object.score)} %`;
const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);

// --- where things stand -------------------------------------------------------------------------------------
function shownOf(scene) { return scene.objects.filter((object) => 100 * object.score >= scene.least - 1e-6); }
function widthOf(text, letters) {
  const pen = widthOf.pen = widthOf.pen || document.createElement("canvas").getContext("2d");
  pen.font = `600 ${letters}px ${LETTERS}`;
  return pen.measureText(text).width;
}
// Above the box, below it, inside or beside it: the first place in the picture where no other name stands; null if there is none.
function placeFor([left, top, right, bottom], width, height, size, taken) {
  const corners = [[left, top - height], [left, bottom], [right - width, top - height], [right - width, bottom], [left, top], [left, bottom - height], [right, top], [left - width, top]];
  for (const [x, y] of corners) {
    if (y < 0 || y + height > size[1] || x < -width / 2 || x > size[0] - width / 2) continue;
    const at = Math.min(Math.max(0, x), Math.max(0, size[0] - width));
    const free = taken.every((other) => at >= other.x + other.width || other.x >= at + width || y >= other.y + other.height || other.y >= y + height);
    if (free) return { x: at, y, width, height };
  }
  return null;
}
// Boxes in pixels of the drawing, small ones last, and names for as many as there is room for, the surest first. In a crowd
// names stay off small objects; a spare name is seen only while its object stands out.
function laidOut(scene, scale, size, letters) {
  const taken = [], named = new Set();
  const parts = shownOf(scene).map((object) => {
    const box = object.box.map((number) => number * scale), texts = [`${object.label} ${score(object)}`, object.label];
    const wide = (text) => widthOf(text, letters) + 0.7 * letters, roomy = scene.objects.length <= CROWD || 1.6 * (box[2] - box[0]) > wide(texts[0]);
    let tag = null;
    for (const text of roomy || !named.has(object.label) ? texts : []) {
      const place = placeFor(box, wide(text), 1.45 * letters, size, taken);
      if (place) { tag = { ...place, text }; break; }
    }
    if (!tag) tag = { ...placeFor(box, wide(texts[0]), 1.45 * letters, size, []) || { x: 0, y: 0, width: wide(texts[0]), height: 1.45 * letters }, text: texts[0], spare: named.has(object.label) };
    if (!tag.spare) { taken.push(tag); named.add(object.label); }
    return { object, box, tag, colour: scene.colours[object.label] };
  });
  return parts.sort((a, b) => area(b.box) - area(a.box));
}

// --- on the page --------------------------------------------------------------------------------------------
function rectangle(name, { x, y, width, height }, more) {
  return draw("rect", { class: name, x, y, width: Math.max(1, width), height: Math.max(1, height), ...more });
}
function boxDrawn(scene, { object, box, colour }, [width, height]) {
  const [x1, y1, x2, y2] = box, place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  const group = draw("g", { class: "object", "data-number": object.number });
  if (object.tint) {
    const { x, y, width: across, height: down } = object.tint;
    const data = object.tintData = object.tintData || object.tint.canvas.toDataURL();
    group.append(draw("image", { href: data, x: x * width, y: y * height, width: across * width, height: down * height, preserveAspectRatio: "none" }));
  }
  group.append(rectangle("case", place, { stroke: inkOn(colour) }), rectangle("line", place, { stroke: css(colour) }));
  // Only a pointer that moves: one under which the picture comes to lie points at nothing.
  group.addEventListener("mousemove", (event) => { if (event.movementX || event.movementY) light(scene, object.number); });
  group.addEventListener("click", () => light(scene, object.number));
  group.addEventListener("mouseleave", () => light(scene, null));
  return group;
}
function tagDrawn({ object, tag, colour }, letters) {
  const group = draw("g", { class: tag.spare ? "tag spare" : "tag", "data-number": object.number });
  const text = draw("text", { x: tag.x + 0.35 * letters, y: tag.y + 1.07 * letters, fill: inkOn(colour), "font-size": letters });
  text.textContent = tag.text;
  group.append(rectangle("paper", tag, { rx: 3, fill: css(colour) }), text);
  return group;
}
function paint(scene) {
  const { image, svg } = scene;
  if (!image.naturalWidth) return;
  const room = [scene.place.clientWidth, Math.max(240, 0.7 * innerHeight)];
  const scale = Math.min(room[0] / image.naturalWidth, room[1] / image.naturalHeight, MOST_ENLARGED);
  const size = [image.naturalWidth * scale, image.naturalHeight * scale];
  Object.assign(scene.frame.style, { width: `${size[0]}px`, height: `${size[1]}px` });
  svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  const letters = scene.objects.length > CROWD || size[0] < 400 ? 11 : 13, parts = laidOut(scene, scale, size, letters);
  const boxes = draw("g", {}), tags = draw("g", {});
  boxes.append(...parts.map((part) => boxDrawn(scene, part, size)));
  tags.append(...parts.map((part) => tagDrawn(part, letters)));
  svg.replaceChildren(boxes, tags);
}
// One object stands out, the others fade; null: all alike.
function light(scene, number) {
  scene.svg.classList.toggle("lit", number !== null);
  for (const element of scene.whole.querySelectorAll("[data-number]")) element.classList.toggle("on", Number(element.dataset.number) === number);
}
function pill(scene, object) {
  const [left, top, right, bottom] = object.box.map(Math.round);
  const button = make("button", { type: "button", className: "pill", textContent: score(object), ariaLabel: `${object.label}, ${score(object)}, from ${left}, ${top} to ${right}, ${bottom}` });
  button.dataset.number = object.number;
  for (const name of ["mouseenter", "focus"]) button.addEventListener(name, () => light(scene, object.number));
  for (const name of ["mouseleave", "blur"]) button.addEventListener(name, () => light(scene, null));
  return button;
}
function labelRow(scene, label, objects) {
  const swatch = draw("svg", { class: "swatch", viewBox: "0 0 12 12", "aria-hidden": "true" });
  swatch.append(draw("rect", { width: 12, height: 12, rx: 2, fill: css(scene.colours[label]) }));
  const count = make("b", { className: "count" }), pills = objects.map((object) => pill(scene, object));
  scene.counts.push(() => {
    const seen = objects.filter((object) => 100 * object.score >= scene.least - 1e-6).length;
    count.textContent = seen === objects.length ? seen : `${seen} of ${objects.length}`;
    for (const [place, one] of pills.entries()) one.hidden = 100 * objects[place].score < scene.least - 1e-6;
  });
  return make("li", {}, make("p", { className: "label" }, swatch, make("span", { textContent: label }), count), make("div", { className: "pills" }, ...pills));
}
function byLabel(objects) {
  const groups = new Map();
  for (const object of objects) groups.set(object.label, [...(groups.get(object.label) || []), object]);
  return [...groups].sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1));
}
function slider(scene, change) {
  const lowest = Math.floor(100 * Math.min(...scene.objects.map((object) => object.score)) + 1e-6);
  const input = make("input", { type: "range", id: "least", min: lowest, max: 100, step: 1, value: lowest });
  const told = make("output", { htmlFor: "least" });
  const tell = () => { scene.least = Number(input.value); told.textContent = `${scene.least} % · ${shownOf(scene).length} of ${scene.objects.length} shown`; change(); };
  input.addEventListener("input", tell);
  scene.counts.push(() => input.setAttribute("aria-valuetext", told.textContent));
  tell();
  return make("div", { className: "least" }, make("label", { htmlFor: "least", textContent: "Show from score" }), input, told);
}

// --- as a file ----------------------------------------------------------------------------------------------
function paintTag(pen, { tag, colour }, letters) {
  pen.fillStyle = css(colour);
  pen.beginPath();
  pen.roundRect(tag.x, tag.y, tag.width, tag.height, letters / 5);
  pen.fill();
  pen.fillStyle = inkOn(colour);
  pen.font = `600 ${letters}px ${LETTERS}`;
  pen.fillText(tag.text, tag.x + 0.35 * letters, tag.y + 1.07 * letters);
}
// The picture as it is shown now, in its own size (tiny ones larger), on a canvas.
function annotatedCanvas(scene) {
  const { image } = scene, side = Math.max(image.naturalWidth, image.naturalHeight);
  const scale = Math.min(SAVED_MOST, Math.max(SAVED_LEAST, side)) / side, canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const pen = canvas.getContext("2d"), line = Math.max(2, Math.round(side * scale / 320)), letters = Math.max(12, Math.min(60, Math.round(side * scale / 46)));
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const parts = laidOut(scene, scale, [canvas.width, canvas.height], letters);
  for (const { object, box: [x1, y1, x2, y2], colour } of parts) {
    const tint = object.tint;
    if (tint) pen.drawImage(tint.canvas, tint.x * canvas.width, tint.y * canvas.height, tint.width * canvas.width, tint.height * canvas.height);
    for (const [style, width] of [[inkOn(colour), line + 2], [css(colour), line]]) { pen.strokeStyle = style; pen.lineWidth = width; pen.strokeRect(x1, y1, x2 - x1, y2 - y1); }
  }
  for (const part of parts) if (!part.tag.spare) paintTag(pen, part, letters);
  return canvas;
}
function save(scene) {
  const kind = scene.source.startsWith("data:image/jpeg") ? "jpeg" : "png";
  annotatedCanvas(scene).toBlob((blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: `${scene.name.replace(/\.[^.]*$/, "") || "picture"}-annotated.${kind === "jpeg" ? "jpg" : kind}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }, `image/${kind}`, 0.92);
}

// --- the answer ---------------------------------------------------------------------------------------------
function inWords(objects) {
  if (!objects.length) return "Nothing was found";
  const groups = byLabel(objects), told = groups.slice(0, groups.length > 5 ? 4 : 5).map(([label, some]) => `${some.length} × ${label}`);
  const rest = groups.slice(told.length).reduce((sum, [, some]) => sum + some.length, 0);
  return told.join(", ") + (rest ? ` and ${rest} others` : "");
}
function known(labels) {
  const some = labels.slice(0, 8), rest = labels.length - some.length;
  if (rest > 0) some.push(`${rest} more`);
  return some.length > 1 ? `${some.slice(0, -1).join(", ")} and ${some[some.length - 1]}` : some.join("");
}
function notFound(labels, unsure) {
  if (!labels.length) return [];
  const text = unsure ? `The model looked for ${known(labels)}. Something may be there, but not surely enough to be told.` : `The model looked for ${known(labels)}, and saw none of it in this picture.`;
  return [make("p", { className: "small", textContent: text })];
}
// What an answer of objects looks like: the picture with boxes, and beside it the slider, the list and the button to save.
function objectsView(prediction, source, name, labels) {
  const colours = coloursOf([...labels, ...prediction.map((object) => object.label)]);
  const objects = [...prediction].sort((a, b) => b.score - a.score).map((object, number) => ({ ...object, number, tint: object.mask ? tintOf(object.mask, colours[object.label]) : null }));
  const scene = { objects, colours, source, name, least: 0, counts: [] };
  scene.svg = draw("svg", { role: "img", "aria-label": `The picture with ${objects.length ? "boxes around " + inWords(objects) : "nothing found on it"}` });
  scene.image = make("img", { alt: "" });
  scene.frame = make("div", { className: "frame" }, scene.image, scene.svg);
  scene.place = make("div", { className: "scene" }, scene.frame);
  scene.whole = make("div", { className: "found", ariaLive: "off" }, scene.place);
  const refresh = () => { for (const tell of scene.counts) tell(); paint(scene); };
  if (objects.length) {
    const list = make("ul", { className: "labels" }, ...byLabel(objects).map(([label, some]) => labelRow(scene, label, some)));
    const button = make("button", { type: "button", className: "second", textContent: "Save this picture" });
    button.addEventListener("click", () => save(scene));
    scene.image.addEventListener("error", () => { button.hidden = true; });
    scene.whole.append(make("div", { className: "beside" }, slider(scene, refresh), list, button));
  }
  scene.image.addEventListener("load", refresh);
  scene.image.addEventListener("error", () => scene.place.replaceChildren(make("p", { className: "small", textContent: "This browser cannot show pictures of this kind, so no boxes are drawn." })));
  scene.image.src = source;
  new ResizeObserver(() => paint(scene)).observe(scene.place);
  return scene.whole;
}
