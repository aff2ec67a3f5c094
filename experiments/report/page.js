// Draws the page of `nestgrad report` from the JSON in <script id="data">. Data reach the page
// as text only, never as HTML, and any key of them may be missing.
"use strict";

/// The hook for tests: [{title, run, plot}] of all charts drawn, plot being the uPlot object.
window.nestgradCharts = [];

const kColors = 7;  // --line-1 to --line-7 of page.css
const kDashes = [[7, 4], [2, 3], [10, 3, 2, 3], [4, 8]];
const kFirstDashed = 4;
const kWholeSteps = Array.from({length: 13}, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
const kMostPoints = 40;  // lines of fewer values show each of them

// ---- Numbers and words

/// Without numbers so large that an axis around them would reach infinity.
const isNumber = (value) => typeof value === "number" && Math.abs(value) < 1e300;
const numbers = (list) => Array.isArray(list) ? list.map((v) => isNumber(v) ? v : null) : [];
const sum = (list) => list.reduce((total, v) => total + v, 0);
const last = (list) => list[list.length - 1];
const unique = (list) => [...new Set(list)];
const object = (value) => value && typeof value === "object" ? value : {};
const list = (value) => Array.isArray(value) ? value : [];
const objects = (value) => list(value).map(object);

const kWhole = new Intl.NumberFormat("en");
const kFourDigits = new Intl.NumberFormat(
    "en", {minimumSignificantDigits: 4, maximumSignificantDigits: 4});

function number(value) {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return kWhole.format(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(3).replace("e+", "e");
  return kFourDigits.format(value);
}

const percent = (value) => isNumber(value) ? `${(100 * value).toFixed(2)} %` : "–";
const isAccuracy = (name) => name.endsWith("accuracy");
const words = (name) => name.replace(/_/g, " ").replace(/\bvalid\b/, "validation");
const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
const time = (text) => String(text ?? "").replace("T", " ").replace("Z", " UTC");

/// Labels of an axis: all with as many decimals as the finest of them needs.
function ticks(splits) {
  const short = splits.map((v) => v == null ? null : Number(v.toPrecision(8)));
  const size = Math.max(...short.map(Math.abs));
  if (size >= 1e6 || size < 1e-3) return short.map(power);
  const decimals = (v) => (String(v).split(".")[1] ?? "").length;
  const digits = Math.max(...short.map(decimals));
  return short.map((v) => v == null ? "" : v.toLocaleString(
      "en", {minimumFractionDigits: digits, maximumFractionDigits: digits}));
}

const power = (v) => v == null ? "" : v === 0 ? "0" : v.toExponential().replace("e+", "e");

/// Labels of a log axis, each by itself.
const powers = (splits) => splits.map(
    (v) => v >= 1e-3 && v < 1e6 ? ticks([v])[0] : power(v && Number(v.toPrecision(3))));

/// The finest of a few divisions of decades that gives at most six ticks.
function logSplits(plot, axis, low, high) {
  const first = Math.floor(Math.log10(low)), decades = Math.ceil(Math.log10(high)) - first;
  const divisions = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]];
  for (let every = 1; ; ++every) {
    for (const division of divisions.slice(every === 1 ? 0 : -1)) {
      const found = [];
      for (let power = first; power <= first + decades; power += every) {
        found.push(...division.map((digit) => Number(`${digit}e${power}`)));
      }
      const inside = found.filter((v) => v >= low && v <= high);
      if (inside.length <= 6) return inside.length > 1 ? inside : evenSplits(low, high);
    }
  }
}

/// Less than a digit: as on a linear axis.
function evenSplits(low, high) {
  const unit = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = [5, 2, 1].map((n) => n * unit).find((n) => (high - low) / n >= 2) ?? unit;
  const first = Math.ceil(low / step);
  return Array.from({length: Math.floor(high / step) - first + 1}, (_, i) => (first + i) * step);
}

const shares = (splits) => ticks(splits.map((v) => 100 * v)).map((text) => `${text} %`);

// ---- Elements

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
function table(name, head, rows, kind) {
  const header = ([text, across = 1, down = 1]) => element("th", {
    scope: across > 1 ? "colgroup" : "col", colspan: across > 1 ? across : null,
    rowspan: down > 1 ? down : null}, text);
  const cells = (row) => row.map((cell, i) => i === 0 ? element("th", {scope: "row"}, cell)
                                                      : element("td", {}, cell));
  return element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": name},
    element("table", {class: kind},
      element("thead", {}, head.map((row) => element("tr", {}, row.map(header)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, cells(row))))));
}

const pretty = (title, json) => element("details", {class: "json"},
    element("summary", {}, title), element("pre", {}, JSON.stringify(json, null, 2)));

// ---- Charts

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

function rangeOf(log, top) {
  return (plot, low, high) => {
    if (low == null) return log ? [1, 10] : [0, 1];
    const factor = low === high ? 2 : (high / low) ** (1 / 16);
    if (log) return [Math.max(low / factor, 1e-300), Math.min(high * factor, 1e300)];
    const margin = low === high ? Math.abs(low) / 10 || 1 : (high - low) / 16;
    return [low >= 0 ? Math.max(0, low - margin) : low - margin, Math.min(high + margin, top)];
  };
}

const rangeOfX = (plot, low, high) =>
    low == null ? [0, 1] : low === high ? [low - 1, high + 1] : [low, high];

function seriesOf({label, values, format = number, thin, tint, dash}) {
  return {
    label, dash, stroke: color(tint), width: thin ? 1 : 2, spanGaps: true,
    value: (plot, value, i, index) => format(latest(plot.data[i], index)),
    points: {show: !thin && values.filter(isNumber).length <= kMostPoints, size: 5,
             fill: color(tint)},
  };
}

function axisOf(more) {
  const line = {stroke: color("grid"), width: 1};
  return {stroke: color("pale"), font: "11px system-ui, sans-serif", labelSize: 18, gap: 4,
          labelFont: "12px system-ui, sans-serif", grid: line, ticks: {...line, size: 4}, ...more};
}

/// Triangles at the top where an estimate was not ok, broken lines across the chart.
function drawMarks(plot, {troubles = [], lines = []}) {
  const {ctx, bbox} = plot;
  const unit = uPlot.pxRatio;
  const visible = (x) => x >= plot.scales.x.min && x <= plot.scales.x.max;
  ctx.save();
  ctx.fillStyle = color("warning");
  ctx.strokeStyle = color("pale");
  const seen = troubles.filter(visible);
  const half = Math.max(unit / 2, Math.min(4 * unit, bbox.width / seen.length / 3));
  for (const x of seen) {
    const center = plot.valToPos(x, "x", true);
    ctx.beginPath();
    ctx.moveTo(center - half, bbox.top - 7 * unit);
    ctx.lineTo(center + half, bbox.top - 7 * unit);
    ctx.lineTo(center, bbox.top);
    ctx.fill();
  }
  ctx.setLineDash([3 * unit, 3 * unit]);
  for (const x of lines.filter(visible)) {
    const center = plot.valToPos(x, "x", true);
    ctx.beginPath();
    ctx.moveTo(center, bbox.top);
    ctx.lineTo(center, bbox.top + bbox.height);
    ctx.stroke();
  }
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
  const {x, lines, log, percent, band, heat, marks, run, height = 190} = spec;
  const series = [{label: x.label, value: (plot, value, i, index) =>
      number(latest(plot.data[0], index))}];
  const labels = log ? powers : percent ? shares : ticks;
  const hooks = {};
  if (heat) hooks.drawAxes = [(plot) => drawHeat(plot, heat)];
  if (marks) hooks.draw = [(plot) => drawMarks(plot, marks)];
  return {
    width, height, hooks, padding: [10, 12, 0, 0],
    series: series.concat(lines.map((line, i) => seriesOf(
        {tint: lineColor(i), dash: lineDash(i), ...line}))),
    scales: {x: {time: false, range: rangeOfX},
             y: {distr: log ? 3 : 1, range: rangeOf(log, percent ? 1 : Infinity)}},
    axes: [axisOf({values: (plot, splits) => ticks(splits), space: 60, size: 26,
                   incrs: x.whole ? kWholeSteps : null, label: x.shown ? x.label : null}),
           axisOf({values: (plot, splits) => labels(splits), size: 60, space: 32,
                   ...log && {splits: logSplits, filter: (plot, splits) => splits}})],
    bands: band ? [{series: band, fill: color("band")}] : [],
    cursor: {y: false, points: {size: 7}, drag: {x: true, y: false},
             sync: run ? {key: run, scales: ["x", null]} : null},
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
    this.entry = {title: spec.title, run: spec.run ?? "", plot: null};
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
  return {...spec, note: spec.note ? `${spec.note}; ${note}` : note, lines: spec.lines.map(
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
  for (const spec of drawable) addChart(charts, small ? {...spec, height: 150} : spec);
}

/// Colours of canvases do not follow the style sheet by themselves.
function redraw() {
  for (const chart of Chart.all) chart.draw();
}

function setPrinting(on) {
  document.documentElement.classList.toggle("printing", on);
  redraw();
}

// ---- Tables of all runs

/// Several runs may have the same name; then they go by their folders.
function labelRuns(runs) {
  const names = runs.map((run) => run.name);
  runs.forEach((run, i) => {
    const only = names.indexOf(run.name) === names.lastIndexOf(run.name);
    run.label = String((only ? run.name : run.folder) ?? run.folder ?? `run ${i + 1}`);
    run.anchor = `run-${i + 1}`;
    run.index = i;
    run.columns = object(run.columns);
    run.steps = stepsOf(run);
  });
}

/// The outer steps of the rows; rows are counted if steps are missing or do not grow.
function stepsOf({columns}) {
  const steps = numbers(columns.step);
  const length = steps.length || list(columns.outer_loss).length;
  const grows = steps.length > 0 && steps.every(
      (step, i) => step != null && (i === 0 || step > steps[i - 1]));
  return grows ? steps : Array.from({length}, (_, i) => i + 1);
}

const swatch = (run) => element("span", {
  class: lineDash(run.index) ? "swatch dashed" : "swatch",
  style: `color: var(--${lineColor(run.index)})`, "aria-hidden": "true"});

const linkTo = (run, several) => element("a", {class: "run", href: `#${run.anchor}`},
    several ? swatch(run) : null, run.label);

function ending(run) {
  const text = run.summary ? String(run.summary.termination ?? "–") : "not ended";
  return text === "finished" ? text : element("span", {class: "warning"}, text);
}

/// A deviation has two digits.
function evaluation(result, metric) {
  const format = isAccuracy(metric) ? percent : number;
  const mean = format(object(result)[metric]);
  const spread = object(object(result).deviation)[metric];
  if (!isNumber(spread)) return mean;
  const text = isAccuracy(metric) ? percent(spread) : Number(spread.toPrecision(2));
  return [mean, element("span", {class: "spread"}, `± ${text}`)];
}

const kMetrics = ["valid_loss", "test_loss", "valid_accuracy", "test_accuracy"];
const kOutcomes = [["retrained_start", "start"], ["retrained_found", "found"], ["tuned", "tuned"]];

const resultColumns = kMetrics.flatMap((metric) => kOutcomes.map(([outcome, name]) => ({
  group: words(metric), name,
  value: (run) => object(run.summary?.[outcome])[metric],
  cell: (run) => evaluation(run.summary?.[outcome], metric),
})));

/// The totals of a run that has not ended come from its rows.
const costColumns = [
  ["outer steps", "", (run) => run.outer_steps],
  ["seconds", "tuning", (run) => run.summary?.seconds?.tuning ?? end(run, "seconds")],
  ["seconds", "retraining", (run) => run.summary?.seconds?.retraining],
  ["gradients", "training", (run) => run.summary?.train_gradients ?? end(run, "train_gradients")],
  ["gradients", "validation", (run) => run.summary?.valid_gradients],
  ["Hessian products", "", (run) => run.summary?.hessian_products ?? latest(totalProducts(run))],
  ["peak memory (MiB)", "process", (run) => run.summary?.peak_memory_mib],
  ["peak memory (MiB)", "tensors", (run) => run.summary?.peak_tensor_mib],
].map(([group, name, value]) => ({group, name, value, cell: (run) => number(value(run))}));

const end = (run, column) => latest(numbers(run.columns[column]));

/// A row for each run and those columns that have a value; a heading over columns of a group.
function runsTable(title, runs, given, more = []) {
  const columns = [...more, ...given.filter(({value}) => has(runs.map(value)))];
  const groups = unique(columns.map(({group}) => group)).map(
      (name) => columns.filter(({group}) => group === name));
  const above = groups.map((columns) => columns.length > 1 ? [columns[0].group, columns.length]
      : [[columns[0].group, columns[0].name].filter(Boolean).join(", "), 1, 2]);
  const below = groups.filter((columns) => columns.length > 1).flat().map(({name}) => [name]);
  return table(title, [[["run", 1, 2], ...above], below].filter((row) => row.length > 0),
      runs.map((run) => [linkTo(run, runs.length > 1), ...columns.map(({cell}) => cell(run))]));
}

/// What went wrong, in sentences.
function remarks(run) {
  const summary = object(run.summary);
  const said = [summary.message, object(summary.retrained_start).trouble,
                object(summary.retrained_found).trouble].filter((text) => text);
  if (!run.summary) {
    said.push("no summary.json: the run was killed or is still going on");
  }
  return said.map((text) => element("li", {}, `${run.label}: ${text}`));
}

// ---- Comparison of runs

/// Hessian products so far; nothing for a method that makes none. A row stands for the steps
/// since the row before, as some may have been left out.
function totalProducts({steps, columns}) {
  let total = 0;
  const totals = numbers(columns.products).map(
      (n, i) => total += (n ?? 0) * (i > 0 ? steps[i] - steps[i - 1] : 1));
  return total > 0 ? totals : [];
}

const kCosts = [
  {label: "outer steps", unit: "outer steps", whole: true, of: (run) => run.steps},
  {label: "seconds", unit: "s", of: (run) => numbers(run.columns.seconds)},
  {label: "gradients", unit: "gradients", whole: true, of: (run) => numbers(run.columns.train_gradients)},
  {label: "Hessian products", unit: "products", whole: true, of: totalProducts},
];

/// What a comparison by one cost needs: of each run with this cost, pairs of cost and loss.
function comparison(cost, runs) {
  const paths = [];
  for (const run of runs) {
    const losses = numbers(run.columns.outer_loss);
    const pairs = cost.of(run).map((x, i) => [x, losses[i]])
        .filter(([x, y]) => x != null && y != null);
    if (pairs.length > 0) paths.push({run, pairs});
  }
  const limit = Math.min(...paths.map(({pairs}) => last(pairs)[0]));
  for (const path of paths) {
    path.best = Math.min(...path.pairs.filter(([x]) => x <= limit).map(([, y]) => y));
  }
  return {cost, paths, limit};
}

function comparisonSpec({cost, paths, limit}) {
  const [x, ...losses] = uPlot.join(paths.map(
      ({pairs}) => [pairs.map((pair) => pair[0]), pairs.map((pair) => pair[1])]));
  const lines = paths.map(({run}, i) => ({
    label: run.label, values: losses[i], tint: lineColor(run.index), dash: lineDash(run.index)}));
  return {title: "validation loss at equal cost", lines, log: isWide(lines), height: 320,
          x: {label: cost.label, values: x, shown: true, whole: cost.whole},
          marks: {lines: [limit]}, note: "broken line: the largest cost that all reached"};
}

function addComparison(place, runs) {
  const choices = kCosts.map((cost) => comparison(cost, runs))
      .filter(({paths}) => paths.length > 1);
  if (choices.length === 0) return;
  const absent = element("p", {class: "note"});
  const figure = element("div", {});
  let chart = null;
  const choose = (choice) => {
    const there = choice.paths.map(({run}) => run);
    const missing = runs.filter((run) => !there.includes(run)).map((run) => run.label);
    absent.textContent =
        missing.length ? `Without ${choice.cost.label}: ${missing.join(", ")}.` : "";
    chart?.remove();
    chart = addChart(figure, comparisonSpec(choice));
  };
  const radios = choices.map((choice, i) => {
    const radio = element("input", {type: "radio", name: "cost", checked: i ? null : ""});
    radio.addEventListener("change", () => choose(choice));
    return element("label", {}, radio, element("span", {}, choice.cost.label));
  });
  place.append(element("h2", {}, "Comparison"),
    element("fieldset", {class: "choice"}, element("legend", {}, "cost"), radios), figure, absent,
    element("h3", {}, "Lowest validation loss at the largest cost that all runs reached"),
    equalCostTable(choices, runs));
  choose(choices[0]);
}

function equalCostTable(choices, runs) {
  const cell = ({paths}, run) => {
    const own = paths.find((path) => path.run === run);
    const first = own && paths.every((path) => own.best <= path.best);
    return own ? element(first ? "strong" : "span", {}, number(own.best)) : "–";
  };
  return table("Loss at equal cost",
    [[["run"], ...choices.map(({cost, limit}) => [`${number(limit)} ${cost.unit}`])]],
    runs.map((run) => [linkTo(run, true), ...choices.map((choice) => cell(choice, run))]));
}

/// Dotted keys and values as text.
function flatten(value, prefix = "", into = new Map()) {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(inner, prefix ? `${prefix}.${key}` : key, into);
    }
  } else {
    into.set(prefix, typeof value === "string" ? value : JSON.stringify(value));
  }
  return into;
}

const code = (text) => text == null ? "–" : element("code", {}, text);

function addDifferences(place, runs) {
  const configs = runs.map((run) => flatten(object(run.config)));
  const keys = unique(configs.flatMap((config) => [...config.keys()]))
      .filter((key) => unique(configs.map((config) => config.get(key))).length > 1).sort();
  place.append(element("h2", {}, "Differences of configuration"));
  place.append(keys.length === 0 ? element("p", {}, "All runs have the same configuration.")
    : table("Differences of configuration", [[["key"], ...runs.map((run) => [linkTo(run, true)])]],
        keys.map((key) => [code(key), ...configs.map((config) => code(config.get(key)))]),
        "words"));
}

// ---- One run

/// Makes a chart over the outer steps of a run.
function overSteps(run) {
  const statuses = list(run.status);
  const marks = {
    troubles: run.steps.filter((step, i) => statuses[i] && statuses[i] !== "ok"),
    lines: objects(run.run?.resumed).map((event) => event.step).filter(isNumber),
  };
  const x = {label: "step", values: run.steps, whole: true};
  return (title, lines, more) => ({title, lines, x, marks, run: run.label, ...more});
}

/// A part of the data has the same colour in both charts.
function lossSpecs(run, spec) {
  const lines = (metric, more) => ["valid", "test", "train"].map((part, i) => line(
      words(part), run.columns[`evaluated.${part}_${metric}`], {tint: lineColor(i + 1), ...more}));
  const losses = [line("outer loss", run.columns.outer_loss), ...lines("loss")];
  return [spec("loss", losses, {log: isWide(losses)}),
          spec("accuracy", lines("accuracy", {format: percent}), {percent: true})];
}

function hyperparameterSpecs(run, spec) {
  return objects(run.hyperparameters).map(({name, columns, summary, logarithmic}) => {
    const title = String(name);
    const lines = list(columns).map((column) => line(column, run.columns[column]));
    if (!summary) return spec(title, lines, {log: logarithmic});
    const part = (end) => line(
        end, run.columns[list(columns).find((column) => String(column).endsWith(`.${end}`))],
        {thin: end !== "mean", tint: "line-1"});
    return spec(title, ["mean", "max", "min"].map(part), {log: logarithmic, band: [2, 3]});
  });
}

/// The borders of a histogram are lines of its chart, so that axis and legend know them.
function histogramSpecs(run, spec) {
  return objects(run.histograms).map((histogram) => {
    const heat = {...histogram, step: list(histogram.step), low: numbers(histogram.low),
                  high: numbers(histogram.high)};
    const at = new Map(heat.step.map((step, i) => [step, i]));
    const border = (key) => line(key, run.steps.map((step) => heat[key][at.get(step)]),
                                 {thin: true, tint: "line-1"});
    return spec(`distribution of ${histogram.name}`, [border("high"), border("low")],
                {heat, log: histogram.logarithmic, note: "stronger: more values"});
  });
}

function estimateSpecs(run, spec) {
  const one = (title, column, label, more) => spec(title, [line(label, run.columns[column])], more);
  return [one("hypergradient", "gradient_norm", "length", {log: true}),
          one("solver", "residual", "residual", {log: true}),
          one("Hessian products", "products", "per estimate"),
          one("time", "estimate_seconds", "seconds per estimate"),
          one("memory of tensors", "tensor_mib", "MiB")];
}

const kKnown = ["step", "seconds", "outer_loss", "gradient_norm", "residual", "products",
                "estimate_seconds", "tensor_mib", "train_gradients"];

/// All columns without a place of their own; those that share the word before a dot share a chart.
function otherSpecs(run, spec) {
  const drawn = new Set([...kKnown,
                         ...objects(run.hyperparameters).flatMap((hyper) => list(hyper.columns))]);
  const groups = new Map();
  for (const name of Object.keys(run.columns)) {
    if (drawn.has(name) || /^evaluated\.(valid|test|train)_(loss|accuracy)$/.test(name)) continue;
    const [, title, label] = name.match(/^(?:evaluated\.)?([^.]*)\.?(.*)$/s);
    groups.set(title, [...groups.get(title) ?? [], line(words(label || title), run.columns[name])]);
  }
  return [...groups].map(([title, lines]) => spec(words(title), lines, {log: isWide(lines)}));
}

/// Every evaluation of summary.json: of the run, of baselines and of other models.
function addEvaluations(place, run) {
  const summary = object(run.summary);
  const rows = [["from scratch, start", summary.retrained_start],
                ["from scratch, found", summary.retrained_found],
                ["tuned weights", summary.tuned],
                ...Object.entries(object(summary.baselines)).map(([k, v]) => [`baseline ${k}`, v]),
                ...objects(summary.other_models).map((o) => [`model ${o.model}`, o.retrained])]
      .filter(([, result]) => result);
  const metrics = unique([...kMetrics, ...rows.flatMap(([, result]) => Object.keys(result))])
      .filter((metric) => rows.some(([, result]) => isNumber(result[metric])));
  if (metrics.length === 0) return;
  place.append(element("h3", {}, "Evaluations"), table(`Evaluations of ${run.label}`,
      [["", ...metrics.map(words)].map((text) => [text])],
      rows.map(([name, result]) => [name, ...metrics.map((m) => evaluation(result, m))])));
}

function addImages(place, run) {
  const images = objects(run.images).filter((i) => String(i.data).startsWith("data:image/"));
  if (images.length === 0) return;
  place.append(element("h3", {}, "Images"), element("div", {class: "images"}, images.map(
      ({name, data}) => {
        const image = element("img", {src: data, alt: `${name} of ${run.label}`});
        image.addEventListener("load", () => {  // small ones grow by a whole factor
          const factor = Math.max(1, Math.floor(448 / image.naturalWidth));
          image.width = factor * image.naturalWidth;
          image.classList.toggle("enlarged", factor > 1);
        });
        return element("figure", {}, element("figcaption", {}, name), image);
      })));
}

function addFacts(place, run) {
  const {host, started, resumed, ...rest} = object(run.run);
  const facts = Object.entries({folder: run.folder, ...rest, started: started && time(started),
                                ...object(host)})
      .filter(([, value]) => value != null && typeof value !== "object");
  for (const event of objects(resumed)) {
    facts.push(["resumed", `${time(event.at)}, after step ${event.step}`]);
  }
  if (facts.length > 0) place.append(element("h3", {}, "Machine"), element("dl", {}, facts.map(
      ([name, value]) => element("div", {}, element("dt", {}, words(name)),
                                 element("dd", {}, String(value))))));
}

/// How many estimates were not ok, and where the first of them were.
function troubleText(run) {
  const bad = run.steps.map((step, i) => [step, list(run.status)[i]])
      .filter(([, status]) => status && status !== "ok");
  return unique(bad.map(([, status]) => status)).map((status) => {
    const steps = bad.filter((pair) => pair[1] === status).map(([step]) => step);
    const shown = steps.slice(0, 8).join(", ") + (steps.length > 8 ? ", ..." : "");
    return element("p", {class: "warning"}, `▼ ${words(String(status))}: ` +
        `${count(steps.length, "estimate")} of ${number(run.steps.length)} (outer step ${shown})`);
  });
}

function fillRun(place, run) {
  const spec = overSteps(run);
  place.append(...troubleText(run));
  if (run.steps.length === 0) place.append(element("p", {}, "No outer step was recorded."));
  const resumed = spec().marks.lines;
  if (resumed.length > 0) {
    place.append(element("p", {class: "note"},
        `┊ resumed after outer step ${resumed.map(number).join(", ")}`));
  }
  if (run.rows_left_out > 0) {
    place.append(element("p", {class: "note"}, `The charts leave out ${count(
        run.rows_left_out, "row")} of metrics.jsonl, evenly.`));
  }
  addGroup(place, "Losses and accuracies", lossSpecs(run, spec));
  addGroup(place, "Hyperparameters",
           [...hyperparameterSpecs(run, spec), ...histogramSpecs(run, spec)]);
  addGroup(place, "Estimates of the hypergradient", estimateSpecs(run, spec), true);
  addGroup(place, "Other metrics", otherSpecs(run, spec), true);
  addEvaluations(place, run);
  addImages(place, run);
  if (run.config) {
    place.append(element("h3", {}, "Configuration"),
                 pretty("config.json, with every default", run.config));
  }
  const estimator = run.summary?.estimator;
  if (estimator) place.append(pretty("what the estimates were (summary.json)", estimator));
  addFacts(place, run);
}

/// Charts are made when a section is opened for the first time.
function addRun(place, run, several) {
  const body = element("div", {});
  const loss = latest(numbers(run.columns.outer_loss));
  const section = element("details", {class: "run", id: run.anchor},
    element("summary", {}, element("h2", {}, several ? swatch(run) : null, run.label),
      element("span", {class: "note"}, [object(object(run.config).estimator).type,
          count(run.outer_steps ?? run.steps.length, "outer step"),
          loss == null ? null : `loss ${number(loss)}`].filter(Boolean).join(" · "))), body);
  section.fill = () => {
    if (body.childElementCount === 0) fillRun(body, run);
  };
  section.addEventListener("toggle", () => section.open && section.fill());
  place.append(section);
}

// ---- The page

function heading({version, generated, runs}) {
  const title = runs.length === 1 ? runs[0].label : count(runs.length, "run");
  const facts = [`nestgrad ${version ?? ""}`, time(generated).replace(/:\d\d UTC/, " UTC")];
  return element("header", {}, element("h1", {}, title),
    element("p", {class: "note"}, facts.filter((text) => text.trim()).join(" · ")),
    runs.length > 1 ? element("nav", {"aria-label": "Runs"}, runs.map((r) => linkTo(r, true)))
                    : null);
}

function openRun(section) {
  section.open = true;
  section.fill();
}

function show(data) {
  const runs = objects(data.runs);
  const several = runs.length > 1;
  labelRuns(runs);
  const page = document.getElementById("page");
  page.replaceChildren(heading({...data, runs}));
  if (runs.length === 0) return page.append(element("p", {}, "There are no runs to show."));
  page.append(element("h2", {}, "Results"),
    runsTable("Results", runs, resultColumns, [{group: "ended", cell: ending}]),
    element("p", {class: "note"}, "start, found: trained from scratch with the hyperparameters " +
        "of the start and with those found; tuned: the weights that tuning has led to"),
    runsTable("Cost", runs, costColumns), element("ul", {class: "remarks"}, runs.flatMap(remarks)));
  if (several) {
    addComparison(page, runs);
    addDifferences(page, runs);
  }
  page.append(element("p", {class: "note hint"}, "Drag across a chart to enlarge a part of it, " +
      "double-click to see all again. A click on a name in a legend hides its line."));
  for (const run of runs) addRun(page, run, several);
  openRun(page.querySelector("details.run"));
  page.addEventListener("click", (event) => {
    const target = event.target.closest?.("a[href^='#run-']");
    if (target) openRun(document.getElementById(target.hash.slice(1)));
  });
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
}

show(JSON.parse(document.getElementById("data").textContent));
