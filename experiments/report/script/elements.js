// Elements.

/// Attributes that are null are left out; children are elements or text.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

/// `head` is a list of rows of [text, columns, rows]; the first cell of a body row is its header.
/// Other cells are contents, or elements <td>.
function table(name, head, rows, kind) {
  const header = ([text, across = 1, down = 1]) => element("th", {
    scope: across > 1 ? "colgroup" : "col", colspan: across > 1 ? across : null,
    rowspan: down > 1 ? down : null}, text);
  const cells = (row) => row.map((cell, i) => i === 0 ? element("th", {scope: "row"}, cell)
      : cell?.tagName === "TD" ? cell : element("td", {}, cell));
  return element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": name},
    element("table", {class: kind},
      element("thead", {}, head.map((row) => element("tr", {}, row.map(header)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, cells(row))))));
}

const pretty = (title, json) => element("details", {class: "json"},
    element("summary", {}, title), element("pre", {}, JSON.stringify(json, null, 2)));
