(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  document.addEventListener("mousemove", (event) => {
    const mark = event.target.closest("svg [aria-label]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18;
    const y = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
    tip.style.left = Math.max(8, x) + "px";
    tip.style.top = y + "px";
  });
  const value = (row, index) => {
    const cell = row.cells[index];
    const raw = cell.dataset.v;
    return raw === undefined ? cell.textContent : raw === "" ? -Infinity : +raw;
  };
  all("table.data").forEach((table) => {
    const body = table.tBodies[0];
    const heads = all("thead th", table);
    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        [...body.rows]
          .sort((a, b) => {
            const x = value(a, index), y = value(b, index);
            const order = typeof x === "string" ? x.localeCompare(y) : x - y;
            return down ? -order : order;
          })
          .forEach((row) => body.append(row));
      };
    });
    if (body.rows.length < 12) return;
    const filter = document.createElement("input");
    filter.className = "filter";
    filter.type = "search";
    filter.placeholder = "Filter rows";
    filter.setAttribute("aria-label", "Filter rows: " + table.getAttribute("aria-label"));
    filter.oninput = () => {
      const wanted = filter.value.toLowerCase();
      [...body.rows].forEach((row) => {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
      });
    };
    table.parentNode.before(filter);
  });
  addEventListener("beforeprint", () => all("details").forEach((each) => (each.open = true)));
})();
