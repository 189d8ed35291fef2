// Without this script the page is whole; with it, tables sort by a click on a column's name.
"use strict";

function sortBy(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const down = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.cells[column];
    const { key } = cell.dataset;
    return key === undefined ? cell.textContent : key === "" ? null : Number(key);
  };
  const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // empty ones last
    const order = typeof a === "number" ? a - b : a.localeCompare(b);
    return down ? -order : order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, column));
    head.append(button);
  });
}

const concepts = document.getElementById("concepts");
const label = document.createElement("label");
const input = document.createElement("input");
label.className = "filter";
label.textContent = "Show rows with";
input.type = "search";
input.addEventListener("input", () => {
  const wanted = input.value.trim().toLowerCase();
  for (const row of concepts.tBodies[0].rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});
label.append(input);
concepts.parentElement.before(label);
