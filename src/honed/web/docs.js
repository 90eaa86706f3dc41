"use strict";
fetch("/api/addresses").then(async (response) => {
  const value = await response.json();
  if (!response.ok) throw new Error(value.error.seen + " " + value.error.remedy);
  for (const one of value.addresses) {
    const row = document.createElement("tr");
    for (const text of [one.method, one.path, one.summary]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    document.getElementById("rows").append(row);
  }
}).catch((error) => {
  const notice = document.getElementById("notice");
  notice.textContent = error.message;
  notice.hidden = false;
});
