"use strict";
const table = document.querySelector("table.sortable");
const body = table.tBodies[0];
const rows = [...body.rows];
const value = (row, place) => row.cells[place].dataset.value ?? row.cells[place].textContent;

table.querySelectorAll("th").forEach((head, place) => {
  const numeric = head.classList.contains("number");
  head.querySelector("button").addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    rows.sort((left, right) => {
      const [a, b] = [value(left, place), value(right, place)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
    });
    body.append(...rows);
  });
});

const form = document.querySelector("form");
if (form) {
  const search = form.querySelector("input");
  const filters = [...form.querySelectorAll("select")];
  const searched = new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase()]));
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = filters.filter((filter) => filter.selectedIndex > 0)
      .map((filter) => [Number(filter.dataset.column), filter.value.slice(1)]);
    let shown = 0;
    for (const row of rows) {
      const kept = chosen.every(([place, wanted]) => value(row, place) === wanted)
        && words.every((word) => searched.get(row).includes(word));
      row.hidden = !kept;
      shown += kept;
    }
    for (const filter of filters) filter.classList.toggle("used", filter.selectedIndex > 0);
    form.querySelector("output").textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").addEventListener("click", () => { form.reset(); show(); });
  show();
}
