"use strict";
// Without this script the page is complete; with it the table sorts and filters, and links open their cases.

const table = document.getElementById("table");
const body = table.tBodies[0];
const rows = Array.from(body.rows);

/** What a cell is sorted by; an empty cell comes last whichever way. */
function key(row, column) {
  const text = row.cells[column].textContent.trim();
  const number = Number(text);
  return text === "" ? null : column > 0 && !Number.isNaN(number) ? number : text;
}

const names = new Intl.Collator(undefined, { numeric: true });

function compare(a, b, sign) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return sign * (typeof a === "number" && typeof b === "number" ? a - b : names.compare(String(a), String(b)));
}

function sort(header) {
  const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const keyed = rows.map((row) => [key(row, header.cellIndex), row]);
  keyed.sort((a, b) => compare(a[0], b[0], sign));
  body.append(...keyed.map((pair) => pair[1]));
}

for (const header of table.tHead.rows[0].cells) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => sort(header));
  header.append(button);
}

const nameFilter = document.getElementById("filter-name");
const stateFilter = document.getElementById("filter-state");
const diceFilter = document.getElementById("filter-dice");
const diceColumn = Array.from(table.tHead.rows[0].cells).findIndex((cell) => cell.textContent.trim() === "Dice");

function isShown(row) {
  if (!row.cells[0].textContent.toLowerCase().includes(nameFilter.value.trim().toLowerCase())) return false;
  const state = stateFilter ? stateFilter.value : "";
  if (state !== "" && row.dataset.state !== (state === "none" ? "" : state)) return false;
  if (!diceFilter || diceFilter.value === "") return true;
  const dice = key(row, diceColumn);
  return dice !== null && dice <= Number(diceFilter.value);
}

function filter() {
  let shown = 0;
  for (const row of rows) {
    row.hidden = !isShown(row);
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("count").textContent = shown + " of " + rows.length + " images";
}

for (const control of [nameFilter, stateFilter, diceFilter]) {
  if (control) control.addEventListener("input", filter);
}
document.querySelector(".filters").hidden = false;
filter();

/** Opens the case that the address names. */
function openCase() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) {
    target.open = true;
    target.scrollIntoView();
  }
}

window.addEventListener("hashchange", openCase);
openCase();
