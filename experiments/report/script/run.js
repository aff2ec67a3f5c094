// One run.

/// An estimate that was not followed ended the run; one that is only approximate did not.
const isGrave = (status) => status !== "not_converged";

/// After which outer steps the run was resumed.
const resumptions = (run) => objects(run.run?.resumed).map((event) => event.outer_step)
    .filter(isNumber);

/// Makes a chart over the outer steps of a run.
function overSteps(run) {
  const statuses = list(run.status);
  const marks = {
    troubles: run.steps.map((x, i) => ({x, status: statuses[i]}))
        .filter(({status}) => status && status !== "ok")
        .map(({x, status}) => ({x, grave: isGrave(status)})),
    lines: resumptions(run),
    selected: selectedStep(run) == null ? [] : [selectedStep(run)],
  };
  const x = {label: "outer step", values: run.steps, whole: true};
  return (title, lines, more) => ({title, lines, x, marks, run: run.label, sync: run.label,
                                   ...more});
}

/// A part of the data has the same colour in all charts. Training has charts of its own: its
/// losses may be so much smaller that no other could be read beside them.
function lossSpecs(run, spec) {
  const part = (name, metric, i, more) => line(
      words(name), run.columns[`evaluated.${name}_${metric}`], {tint: lineColor(i), ...more});
  const parts = (metric, more) => [part("valid", metric, 1, more), part("test", metric, 2, more)];
  const losses = [line("outer loss", run.columns.outer_loss), ...parts("loss")];
  const fresh = (metric, more) =>
      [["valid", 1], ["test", 2]].map(([name, i]) => line(words(name),
          run.columns[`evaluated.fresh_${name}_${metric}`], {tint: lineColor(i), ...more}));
  const training = [part("train", "loss", 3)];
  const share = {format: percent};
  return [spec("validation loss", losses, {log: isWide(losses)}),
          spec("accuracy", parts("accuracy", share), {percent: true}),
          spec("loss of fresh networks", fresh("loss"), {log: isWide(fresh("loss"))}),
          spec("accuracy of fresh networks", fresh("accuracy", share), {percent: true}),
          spec("training loss", training, {log: isWide(training)}),
          spec("training accuracy", [part("train", "accuracy", 3, share)], {percent: true})];
}

/// What run.json says about a hyperparameter.
const factsOf = (run, name) => object(object(run.run?.hyperparameters)[name]);

/// "Learning rate." as a part of a note.
const meaningOf = (run, name) => String(factsOf(run, name).meaning ?? "").replace(/\.$/, "");

/// A schedule over training steps, at its start and as it was found.
function scheduleSpec(run, spec, {name, values}, log) {
  const found = numbers(values), given = numbers(factsOf(run, name).schedule);
  const steps = Array.from({length: found.length}, (_, i) => i + 1);
  const start = found.map((_, i) => given[i] ?? null);
  const lines = [line("found", found), line("start", start, {thin: true, dash: [4, 4]})];
  return spec(String(name), lines, {
    x: {label: "training step", values: steps, whole: true}, marks: null, sync: null, log,
    note: meaningOf(run, name)});
}

function hyperparameterSpecs(run, spec) {
  const schedules = objects(run.schedules);
  return objects(run.hyperparameters).map(({name, columns, summary, logarithmic}) => {
    const schedule = schedules.find((other) => other.name === name);
    if (schedule) return scheduleSpec(run, spec, schedule, logarithmic);
    const title = String(name), note = meaningOf(run, name);
    const lines = list(columns).map((column) => line(column, run.columns[column]));
    if (!summary) return spec(title, lines, {log: logarithmic, note});
    const part = (end) => line(
        end, run.columns[list(columns).find((column) => String(column).endsWith(`.${end}`))],
        {thin: end !== "mean", tint: "line-1"});
    return spec(title, ["mean", "max", "min"].map(part),
                {log: logarithmic, band: [2, 3], note});
  });
}

/// The borders of a histogram are lines of its chart, so that axis and legend know them.
function histogramSpecs(run, spec) {
  const schedules = objects(run.schedules).map(({name}) => name);
  const shown = objects(run.histograms).filter(({name}) => !schedules.includes(name));
  return shown.map((histogram) => {
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
  const one = (title, column, label, note, more) =>
      spec(title, [line(label, run.columns[column])], {note, ...more});
  return [one("hypergradient", "gradient_norm", "length", "length", {log: true}),
          one("solver", "residual", "residual", "residual relative to the right-hand side",
              {log: true}),
          one("Hessian products", "products", "products", "per estimate", {zero: true}),
          one("time", "estimate_seconds", "seconds", "seconds per estimate", {zero: true}),
          one("memory of tensors", "tensor_mib", "MiB", "MiB at the peak of an estimate",
              {zero: true})];
}

/// Losses and accuracies that lossSpecs() draws.
const kDrawn = /^evaluated\.(valid|test|train|fresh_valid|fresh_test)_(loss|accuracy)$/;

const kKnown = ["step", "seconds", "outer_loss", "gradient_norm", "residual", "products",
                "estimate_seconds", "tensor_mib", "train_gradients"];

/// All columns without a place of their own; those that share the word before a dot share a chart.
function otherSpecs(run, spec) {
  const drawn = new Set([...kKnown,
                         ...objects(run.hyperparameters).flatMap((hyper) => list(hyper.columns))]);
  const groups = new Map();
  for (const name of Object.keys(run.columns)) {
    if (drawn.has(name) || kDrawn.test(name)) continue;
    const [, title, label] = name.match(/^(?:evaluated\.)?([^.]*)\.?(.*)$/s);
    groups.set(title, [...groups.get(title) ?? [], line(words(label || title), run.columns[name])]);
  }
  return [...groups].map(([title, lines]) => spec(words(title), lines, {log: isWide(lines)}));
}

/// How the networks of final runs were trained, if a protocol says so.
function protocolText(run) {
  const {protocol, retrain, networks} = object(object(run.config).record);
  const {type, ...keys} = object(protocol);
  if (!type) return "";
  const told = Object.entries({...keys, ...isNumber(retrain) && {"training steps": retrain},
                               ...isNumber(networks) && {networks}})
      .map(([key, value]) => `${words(key)} ${object(value).type ?? value}`);
  return element("p", {class: "note"},
                 `Networks from scratch are trained by the protocol ${type}: ${told.join(", ")}.`);
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
  place.append(element("h3", {}, "Evaluations"), protocolText(run), table(
      `Evaluations of ${run.label}`, [["", ...metrics.map(words)].map((text) => [text])],
      rows.map(([name, result]) => [name, ...metrics.map((m) => evaluation(result, m))])));
}

function addFacts(place, run) {
  const {host, started, resumed, ...rest} = object(run.run);
  const facts = Object.entries({folder: run.folder, ...rest, started: started && time(started),
                                ...object(host)})
      .filter(([, value]) => value != null && typeof value !== "object");
  for (const event of objects(resumed)) {
    const changed = list(event.changed).join(", ");
    facts.push(["resumed", `${time(event.at)}, after outer step ${number(event.outer_step)}` +
        (changed ? `, with another ${changed}` : "")]);
  }
  if (facts.length > 0) place.append(element("h3", {}, "Machine"), element("dl", {}, facts.map(
      ([name, value]) => element("div", {}, element("dt", {}, words(name)),
                                 element("dd", {}, String(value))))));
}

/// How many estimates were not ok, where the first of them were, the last message about them and
/// what that means for the result. Only what ended the run has the colour of a warning.
function troubleText(run) {
  const statuses = list(run.status), texts = list(run.troubles);
  const bad = run.steps.map((step, i) => ({step, status: statuses[i], text: texts[i]}))
      .filter(({status}) => status && status !== "ok");
  const means = run.summary?.estimator?.trouble_means;
  return unique(bad.map(({status}) => status)).flatMap((status) => {
    const own = bad.filter((trouble) => trouble.status === status);
    const steps = own.map(({step}) => step);
    const shown = steps.slice(0, 8).join(", ") + (steps.length > 8 ? ", ..." : "");
    const text = last(own).text;
    const kind = isGrave(status) ? "warning" : "trouble";
    return element("p", {class: kind},
        `▼ ${words(String(status))}: ${count(steps.length, "estimate")} of ` +
        `${number(run.steps.filter((step) => step > 0).length)} (outer step ${shown})`,
        text ? element("span", {class: "note"}, `${steps.length > 1 ? "the last: " : ""}${text}`)
             : null);
  }).concat(bad.length > 0 && means ? [element("p", {class: "trouble"}, sentence(means))] : []);
}

const sentence = (text) => {
  const clean = String(text);
  return clean.charAt(0).toUpperCase() + clean.slice(1) + (/[.!?]$/.test(clean) ? "" : ".");
};

function fillRun(place, run, several) {
  const spec = overSteps(run);
  const found = several ? hyperTable(run) : null;
  if (found) place.append(found);
  place.append(...troubleText(run));
  if (run.steps.length === 0) place.append(element("p", {}, "No outer step was recorded."));
  const resumed = resumptions(run);
  if (resumed.length > 0) {
    place.append(element("p", {class: "note"},
        `┊ resumed after outer step ${resumed.map(number).join(", ")}`));
  }
  const selected = selectedText(run);
  if (selected) {
    place.append(element("p", {class: "note"}, `│ handed out: outer step ${selected}`));
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
  const images = imagesOf(run).filter(({name}) => several || !kLearned.includes(name));
  if (images.length > 0) place.append(element("h3", {}, "Images"));
  addImages(place, run, images);
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
    if (body.childElementCount === 0) fillRun(body, run, several);
  };
  section.addEventListener("toggle", () => section.open && section.fill());
  place.append(section);
}
