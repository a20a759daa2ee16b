"use strict";

function sortKey(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === undefined ? cell.textContent : Number(value);
}

function compare(left, right) {
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left).localeCompare(String(right), "en", { numeric: true });
}

function isMissing(key) {
  return Number.isNaN(key);
}

function sortRows(table, column, direction) {
  const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, key: sortKey(row, column) }));
  rows.sort((a, b) => isMissing(a.key) - isMissing(b.key) || direction * compare(a.key, b.key));
  table.tBodies[0].append(...rows.map((entry) => entry.row));
}

function onHeader(table, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  sortRows(table, header.cellIndex, descending ? -1 : 1);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const header of table.tHead.rows[0].cells) {
    header.querySelector("button").addEventListener("click", () => onHeader(table, header));
  }
}
