// One run.

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
