"use strict";
// Masks as COCO writes them: run lengths down the columns, background first, in a text of five bits a letter.

function countsOf(text) {
  const counts = [];
  let value = 0, shift = 0;
  for (const letter of text) {
    const bits = letter.charCodeAt(0) - 48;
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    if (bits & 16) value |= -1 << shift;
    counts.push(value + (counts.length > 2 ? counts[counts.length - 2] : 0));
    value = shift = 0;
  }
  return counts;
}
// Start and end of every run of the object, counted down the columns.
function runsOf(text) {
  const runs = [];
  let at = 0;
  for (const [place, count] of countsOf(text).entries()) {
    if (place % 2 && count) runs.push([at, at + count]);
    at += count;
  }
  return runs;
}
// The mask from its first to its last column: {left, right, top, bottom, has(x, y)}; null for one without pixels.
function maskOf(mask) {
  const [height] = mask.size, runs = runsOf(mask.counts);
  if (!runs.length) return null;
  const left = Math.floor(runs[0][0] / height), right = Math.ceil(runs[runs.length - 1][1] / height);
  const cells = new Uint8Array((right - left) * height);
  let top = height, bottom = 0;
  for (const [start, end] of runs) {
    cells.fill(1, start - left * height, end - left * height);
    const whole = Math.floor(start / height) !== Math.floor((end - 1) / height);
    top = Math.min(top, whole ? 0 : start % height);
    bottom = Math.max(bottom, whole ? height : (end - 1) % height + 1);
  }
  const has = (x, y) => x >= left && x < right && y >= 0 && y < height && cells[(x - left) * height + y] === 1;
  return { left, right, top, bottom, has };
}
// A veil of a colour over a mask, with a rim: a canvas, and where it lies as shares of the picture.
function tintOf(mask, [red, green, blue]) {
  const found = maskOf(mask);
  if (!found) return null;
  const { left, right, top, bottom, has } = found, [height, width] = mask.size;
  const fine = Math.min(4, 400 / Math.max(right - left, bottom - top));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round((right - left) * fine));
  canvas.height = Math.max(1, Math.round((bottom - top) * fine));
  const inside = (x, y) => has(left + Math.floor((x + 0.5) / canvas.width * (right - left)), top + Math.floor((y + 0.5) / canvas.height * (bottom - top)));
  const pen = canvas.getContext("2d"), image = pen.createImageData(canvas.width, canvas.height);
  for (let y = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) {
      if (!inside(x, y)) continue;
      const rim = !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
      image.data.set([red, green, blue, rim ? 255 : 100], 4 * (y * canvas.width + x));
    }
  }
  pen.putImageData(image, 0, 0);
  return { canvas, x: left / width, y: top / height, width: (right - left) / width, height: (bottom - top) / height };
}
