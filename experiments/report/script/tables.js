// Tables of all runs.

/// Several runs may have the same name; then they go by their folders.
function labelRuns(runs) {
  const names = runs.map((run) => run.name);
  runs.forEach((run, i) => {
    const only = names.indexOf(run.name) === names.lastIndexOf(run.name);
    run.label = String(run.label ?? (only ? run.name : run.folder) ?? run.folder ??
                       `run ${i + 1}`);
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

const isDiverged = (run) => run.summary?.termination === "diverged";

function ending(run) {
  const text = run.summary ? words(String(run.summary.termination ?? "–")) : "not ended";
  return isDiverged(run) ? element("span", {class: "warning"}, text) : text;
}

/// The outer step whose hyperparameters and weights are handed out, or null.
const selectedStep = (run) => {
  const {step} = object(run.summary?.selected);
  return isNumber(step) ? step : null;
};

/// "40 (best of 12 evaluations: validation loss 0.4510)", or nothing.
function selectedText(run) {
  const {select, step, metric, value, evaluations} = object(run.summary?.selected);
  if (!isNumber(step)) return "";
  return number(step) + (select === "best" ? ` (best of ${count(evaluations, "evaluation")}: ` +
      `${words(String(metric))} ${number(value)})` : " (the last)");
}

/// Whether retraining under what was found beat the start, a paragraph for each run.
const verdicts = (runs) => runs.filter((run) => run.summary?.verdict?.text).map(
    (run) => element("p", {class: "verdict"}, runs.length > 1 ? `${run.label}: ` : "",
                     String(run.summary.verdict.text)));

/// A deviation has two digits.
const deviation = (spread, metric) => element("span", {class: "spread"},
    `± ${isAccuracy(metric) ? percent(spread) : Number(spread.toPrecision(2))}`);

function evaluation(result, metric) {
  const format = isAccuracy(metric) ? percent : number;
  const mean = format(object(result)[metric]);
  const spread = object(object(result).deviation)[metric];
  return isNumber(spread) ? [mean, deviation(spread, metric)] : mean;
}

const kMetrics = ["valid_loss", "test_loss", "valid_accuracy", "test_accuracy"];
const kOutcomes = [["retrained_start", "start"], ["retrained_found", "found"], ["tuned", "tuned"]];

/// Those of validation and test examples that some run has, or all if there are none of these;
/// scores of single classes are in the tables of each run.
function metricsOf(runs) {
  const given = runs.flatMap((run) => kOutcomes.flatMap(([outcome]) =>
      Object.entries(object(run.summary?.[outcome]))
          .filter(([, value]) => isNumber(value)).map(([name]) => name)));
  const judged = unique([...kMetrics, ...given])
      .filter((name) => /^(valid|test)_[^.]*$/.test(name) && given.includes(name));
  return judged.length > 0 ? judged : unique(given);
}

const resultColumns = (runs) => metricsOf(runs).flatMap((metric) => kOutcomes.map(
    ([outcome, name]) => ({
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

/// Why the run ended early and what went wrong, in sentences. Only what spoils its results has
/// the colour of a warning.
function remarks(run) {
  const summary = object(run.summary);
  const said = [[summary.message, isDiverged(run)]];
  if (summary.warnings) {  // those of the final runs included
    for (const text of list(summary.warnings)) {
      said.push([text, String(text).startsWith("diverged")]);
    }
  } else {
    for (const [key, name] of kOutcomes) {
      const {trouble} = object(summary[key]);
      said.push([trouble && `trained from scratch, ${name}: ${trouble}`, true]);
    }
  }
  if (!run.summary) {
    said.push(["there is no summary.json: the run was killed or is still going on", false]);
  }
  return said.filter(([text]) => text).map(([text, warning]) => element(
      "li", {class: warning ? "warning" : null}, `${run.label}: ${text}`));
}
