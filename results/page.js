"use strict";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");
const unfold = document.getElementById("unfold");
const folds = [...document.querySelectorAll("details")];

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}
function told() {
  theme.textContent = isDark() ? "Light colours" : "Dark colours";
  unfold.textContent = folds.every((fold) => fold.open) ? "Fold everything" : "Unfold everything";
}
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  told();
});
unfold.addEventListener("click", () => {
  const open = !folds.every((fold) => fold.open);
  for (const fold of folds) fold.open = open;
  told();
});
for (const fold of folds) fold.addEventListener("toggle", told);
system.addEventListener("change", told);
for (const tool of [theme, unfold]) tool.hidden = false;
told();

// A cell sorts by the number it holds, else by its text; an empty one goes last either way.
function keyOf(row, column) {
  const cell = row.cells[column];
  const held = cell.querySelector("[data-value]") ?? cell;
  const text = held.dataset.value ?? cell.textContent.trim();
  return text === "" ? null : isNaN(Number(text)) ? text : Number(text);
}
function compare(one, other) {
  if (typeof one === typeof other) return one < other ? -1 : one > other ? 1 : 0;
  return typeof one === "number" ? -1 : 1;
}
document.addEventListener("click", (event) => {
  const head = event.target.closest("th[aria-sort]");
  if (!head || !event.target.closest("button")) return;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = head.closest("table").tBodies[0];
  const keyed = [...body.rows].map((row) => [keyOf(row, head.cellIndex), row]);
  keyed.sort(([one], [other]) =>
    one === null || other === null ? (one === null) - (other === null) : compare(one, other) * (down ? -1 : 1));
  body.append(...keyed.map(([, row]) => row));
});
