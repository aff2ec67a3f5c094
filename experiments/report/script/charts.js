// Charts.

/// The hook for tests: [{title, run, marks, plot}] of all charts drawn, plot being the uPlot
/// object.
window.nestgradCharts = [];

const kColors = 7;  // --line-1 to --line-7 of page.css
const kDashes = [[7, 4], [2, 3], [10, 3, 2, 3], [4, 8]];
const kFirstDashed = 4;
const kWholeSteps = Array.from({length: 13}, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
const kLeastAxis = 60;  // width of a vertical axis, so that charts are aligned
const kMostPoints = 40;  // lines of fewer values show each of them

const dark = matchMedia("(prefers-color-scheme: dark)");
const color = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const lineColor = (i) => `line-${i % kColors + 1}`;
const lineDash = (i) => i < kFirstDashed ? null : kDashes[(i - kFirstDashed) % kDashes.length];

/// The last value at or before an index; legends show it where a line has a gap.
function latest(values, index) {
  for (let i = index ?? values.length - 1; i >= 0; --i) {
    if (values[i] != null) return values[i];
  }
  return null;
}

/// All above zero, and far enough apart for a log axis.
function isWide(lines) {
  const values = lines.flatMap((line) => line.values).filter(isNumber);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  return low > 0 && values.reduce((a, b) => Math.max(a, b), 0) > 50 * low;
}

const has = (values) => values.some(isNumber);

/// A line to draw: a name and one value (or null) for each x.
const line = (label, values, more) => ({label, values: numbers(values), ...more});

/// `zero`: the axis of a linear scale begins at zero.
function rangeOf(log, top, zero) {
  return (plot, low, high) => {
    if (low == null) return log ? [1, 10] : [0, 1];
    if (zero && !log && low >= 0) return [0, high > 0 ? high * 17 / 16 : 1];
    const factor = low === high ? 2 : (high / low) ** (1 / 16);
    if (log) return [Math.max(low / factor, 1e-300), Math.min(high * factor, 1e300)];
    const margin = low === high ? Math.abs(low) / 10 || 1 : (high - low) / 16;
    return [low >= 0 ? Math.max(0, low - margin) : low - margin, Math.min(high + margin, top)];
  };
}

/// The x axis of lines, which begin and end at its borders.
const rangeOfX = (log) => (plot, low, high) => low == null ? (log ? [1, 10] : [0, 1])
    : low < high ? [low, high] : log ? [low / 2, 2 * high] : [low - 1, high + 1];

/// The x axis of points, with room for the outermost of them. Categories are numbered from 0.
function rangeOfPoints({log, categories}) {
  if (categories) return () => [-0.5, categories.length - 0.5];
  return log ? rangeOf(true) : (plot, low, high) => {
    if (low == null) return [0, 1];
    const margin = low === high ? Math.abs(low) / 10 || 1 : (high - low) / 16;
    return [low - margin, high + margin];
  };
}

/// Points that no line connects stand for themselves, so gaps have no value.
function seriesOf({label, values, format = number, thin, tint, dash, points}) {
  return {
    label, dash, stroke: color(tint), width: thin ? 1 : 2, spanGaps: true,
    paths: points ? () => null : undefined,
    value: (plot, value, i, index) =>
        format(points ? value : latest(plot.data[i], index)),
    points: {show: points || !thin && values.filter(isNumber).length <= kMostPoints,
             size: points ? 8 : 5, fill: color(points === "hollow" ? "back" : tint)},
  };
}

/// The room that the labels of a vertical axis need; uPlot asks again until it stays the same.
function widthOfLabels(plot, labels, index, round) {
  const axis = plot.axes[index];
  if (round > 1) return axis._size;
  plot.ctx.save();
  plot.ctx.font = axis.font[0];
  const width = Math.max(0, ...list(labels).map((text) => plot.ctx.measureText(text ?? "").width));
  plot.ctx.restore();
  return Math.max(kLeastAxis, Math.ceil(width / uPlot.pxRatio) + axis.ticks.size + axis.gap + 2);
}

function axisOf(more) {
  const line = {stroke: color("grid"), width: 1};
  return {stroke: color("pale"), font: "11px system-ui, sans-serif", labelSize: 18, gap: 4,
          labelFont: "12px system-ui, sans-serif", grid: line, ticks: {...line, size: 4}, ...more};
}

/// Triangles at the top where an estimate was not ok, coloured only where that ended the run;
/// broken lines across the chart, and a whole one at the step that is handed out.
function drawMarks(plot, {troubles = [], lines = [], selected = []}) {
  const {ctx, bbox} = plot;
  const unit = uPlot.pxRatio;
  const visible = (x) => x >= plot.scales.x.min && x <= plot.scales.x.max;
  ctx.save();
  ctx.strokeStyle = color("pale");
  const seen = troubles.filter(({x}) => visible(x));
  const half = Math.max(unit / 2, Math.min(4 * unit, bbox.width / seen.length / 3));
  for (const {x, grave} of seen) {
    ctx.fillStyle = color(grave ? "warning" : "pale");
    const center = plot.valToPos(x, "x", true);
    ctx.beginPath();
    ctx.moveTo(center - half, bbox.top - 7 * unit);
    ctx.lineTo(center + half, bbox.top - 7 * unit);
    ctx.lineTo(center, bbox.top);
    ctx.fill();
  }
  const across = (x) => {
    const center = plot.valToPos(x, "x", true);
    ctx.beginPath();
    ctx.moveTo(center, bbox.top);
    ctx.lineTo(center, bbox.top + bbox.height);
    ctx.stroke();
  };
  selected.filter(visible).forEach(across);
  ctx.setLineDash([3 * unit, 3 * unit]);
  lines.filter(visible).forEach(across);
  ctx.restore();
}

/// One column of cells per step; a cell is the stronger, the more values lie in it.
function drawHeat(plot, {step, low, high, counts, logarithmic}) {
  const {ctx, bbox} = plot;
  const x = (value) => Math.round(plot.valToPos(value, "x", true));
  const y = (value) => Math.round(plot.valToPos(value, "y", true));
  const border = (i) => {  // between the columns i - 1 and i
    const a = Math.min(Math.max(i, 1), step.length - 1);
    const shift = i - a;  // not 0 before the first and after the last column
    return (step[a - 1] + step[a]) / 2 + shift * (step[a] - step[a - 1]);
  };
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = color("line-1");
  step.forEach((at, i) => {
    const bins = numbers(counts?.[i]);
    if (!isNumber(low[i]) || !isNumber(high[i]) || sum(bins) === 0) return;
    const left = step.length > 1 ? x(border(i)) : bbox.left;
    const right = step.length > 1 ? x(border(i + 1)) : bbox.left + bbox.width;
    const most = bins.reduce((a, b) => Math.max(a, b), 0);
    const edge = logarithmic && low[i] > 0
        ? (k) => y(low[i] * (high[i] / low[i]) ** (k / bins.length))
        : (k) => y(low[i] + (high[i] - low[i]) * k / bins.length);
    bins.forEach((n, k) => {
      if (!n) return;
      ctx.globalAlpha = 0.06 + 0.94 * Math.sqrt(n / most);
      const top = edge(k + 1);
      ctx.fillRect(left, top, Math.max(right - left, 1), Math.max(edge(k) - top, 2));
    });
  });
  ctx.restore();
}

function optionsOf(spec, width) {
  const {x, lines, log, percent, zero, band, heat, marks, sync, height = 208} = spec;
  const points = lines.some((line) => line.points);
  const place = (value) => x.categories ? x.categories[value] ?? "" : number(value);
  const series = [{label: x.label, value: (plot, value, i, index) =>
      place(points ? value : latest(plot.data[0], index))}];
  const labels = log ? powers : percent ? shares : ticks;
  const hooks = {};
  if (heat) hooks.drawAxes = [(plot) => drawHeat(plot, heat)];
  if (marks) hooks.draw = [(plot) => drawMarks(plot, marks)];
  return {
    width, height, hooks, padding: [10, 12, 0, 0],
    series: series.concat(lines.map((line, i) => seriesOf(
        {tint: lineColor(i), dash: lineDash(i), ...line}))),
    scales: {x: {time: false, distr: x.log ? 3 : 1,
                 range: points ? rangeOfPoints(x) : rangeOfX(x.log)},
             y: {distr: log ? 3 : 1, range: rangeOf(log, percent ? 1 : Infinity, zero)}},
    axes: [axisOf({values: (plot, splits) => x.categories ? splits.map(place)
                       : x.log ? powers(splits) : ticks(splits),
                   space: 60, size: 26, incrs: x.whole ? kWholeSteps : null, label: x.label,
                   ...x.categories && {splits: () => x.categories.map((name, i) => i)},
                   ...x.log && {splits: logSplits, filter: (plot, splits) => splits}}),
           axisOf({values: (plot, splits) => labels(splits), size: widthOfLabels, space: 32,
                   ...log && {splits: logSplits, filter: (plot, splits) => splits}})],
    bands: band ? [{series: band, fill: color("band")}] : [],
    cursor: {y: false, points: {size: 7}, drag: {x: true, y: false},
             sync: sync ? {key: sync, scales: ["x", null]} : null},
    legend: {markers: {dash: (plot, i) => plot.series[i].dash ? "dashed" : "solid"}},
  };
}

class Chart {
  static all = [];
  static fitting = new ResizeObserver((entries) => {
    for (const {target} of entries) target.chart.fit();
  });

  /// REQUIRES: `place` is in the document, so that it has a width.
  constructor(place, spec) {
    this.place = place;
    this.spec = spec;
    this.entry = {title: spec.title, run: spec.run ?? "", marks: spec.marks ?? null, plot: null};
    place.chart = this;
    Chart.all.push(this);
    window.nestgradCharts.push(this.entry);
    this.draw();
    Chart.fitting.observe(place);
  }

  draw() {
    const {spec} = this;
    this.plot?.destroy();
    const data = [spec.x.values, ...spec.lines.map((line) => line.values)];
    this.plot = new uPlot(optionsOf(spec, this.place.clientWidth || 300), data, this.place);
    this.entry.plot = this.plot;
    this.plot.ctx.canvas.setAttribute("role", "img");
    this.plot.ctx.canvas.setAttribute("aria-label", this.description());
  }

  description() {
    const {title, run, x, lines} = this.spec;
    const ends = lines.slice(0, 12).map(
        (line) => `${line.label} ${(line.format ?? number)(latest(line.values))}`);
    return `Chart of ${title}${run ? ` of ${run}` : ""} over ${x.label}; at the end: ` +
        ends.join(", ");
  }

  remove() {
    this.plot.destroy();
    this.place.parentElement.remove();
    Chart.fitting.unobserve(this.place);
    Chart.all = Chart.all.filter((chart) => chart !== this);
    window.nestgradCharts = window.nestgradCharts.filter((entry) => entry !== this.entry);
  }

  fit() {
    const width = this.place.clientWidth;
    if (width > 0 && width !== this.plot.width) {
      this.plot.setSize({width, height: this.plot.height});
    }
  }
}

/// Without lines that are empty. A log axis holds positive values only: the others become gaps,
/// and the note says how many.
function ready(given) {
  const spec = {...given, lines: given.lines.filter((line) => has(line.values))};
  if (spec.lines.length < given.lines.length) spec.band = null;
  const lost = sum(spec.lines.map(({values}) => values.filter((v) => v != null && v <= 0).length));
  const kept = sum(spec.lines.map(({values}) => values.filter((v) => v > 0).length));
  if (!spec.log || kept === 0) return {...spec, log: false};
  const note = lost ? `log scale; not shown: ${count(lost, "value")} not above zero` : "log scale";
  return {...spec, note: [spec.note, note].filter(Boolean).join("; "), lines: spec.lines.map(
      (line) => ({...line, values: line.values.map((v) => v > 0 ? v : null)}))};
}

function addChart(place, given) {
  const spec = ready(given);
  const plot = element("div", {class: "plot"});
  place.append(element("figure", {}, element("figcaption", {}, spec.title,
      element("span", {class: "note"}, spec.note ?? "")), plot));
  return new Chart(plot, spec);
}

/// A heading and the charts below it; nothing if none of them has anything to draw.
function addGroup(place, title, specs, small) {
  const drawable = specs.filter((spec) => spec.lines.some((line) => has(line.values)));
  if (drawable.length === 0) return;
  const charts = element("div", {class: small ? "charts small" : "charts"});
  place.append(element("h3", {}, title), charts);
  for (const spec of drawable) addChart(charts, small ? {...spec, height: 168} : spec);
}

/// Colours of canvases do not follow the style sheet by themselves.
function redraw() {
  for (const chart of Chart.all) chart.draw();
}

function setPrinting(on) {
  document.documentElement.classList.toggle("printing", on);
  redraw();
}
