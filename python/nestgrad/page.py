"""What a notebook shows of a run."""

import base64
import html

MOST_ROWS = 12


def page_of(name, state, summary, start, pictures):
    """HTML: the start and the found value of each number, the verdict and the
    first picture."""
    rows = summary.get("hyperparameters") or {
        key: {"start": value} for key, value in start.items()}
    parts = [f"<b>{html.escape(name)}</b>: {html.escape(state)}",
             _table(rows)]
    verdict = summary.get("verdict", {}).get("text", "")
    if verdict:
        parts.append(f"<p>{html.escape(verdict)}</p>")
    if pictures:
        data = base64.b64encode(pictures[0].read_bytes()).decode()
        parts.append('<img style="max-width: 100%" '
                     f'src="data:image/png;base64,{data}" '
                     f'alt="{html.escape(pictures[0].stem)}">')
    return "\n".join(parts)


def _table(rows):
    lines = ["<table>", "<tr><th></th><th>start</th><th>found</th></tr>"]
    for name, values in list(rows.items())[:MOST_ROWS]:
        cells = "".join(f"<td>{_number(values.get(column))}</td>"
                        for column in ("start", "found"))
        lines.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    if len(rows) > MOST_ROWS:
        lines.append(f"<tr><th>and {len(rows) - MOST_ROWS} more</th></tr>")
    return "\n".join([*lines, "</table>"])


def _number(value):
    return "" if value is None else f"{value:.4g}"
