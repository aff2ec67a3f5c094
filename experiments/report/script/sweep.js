// A sweep.

const kMostTrials = 50;  // in the table

const valueText = (value) => isNumber(value) ? number(value)
    : typeof value === "string" ? value : JSON.stringify(value ?? null);

/// "lr 0.0123, window 20": the values of a trial under the short names of its keys.
function valuesOf({values}, dimensions) {
  const words = dimensions.map(({key, name}) => `${name} ${valueText(object(values)[key])}`);
  return words.join(", ") || "no other values";
}

/// The metric of a trial: at the end or, of one that was given up, where it was given up.
const metricOf = (trial, metric) =>
    object(trial.runs > 0 ? trial.mean : trial.given_up)[metric];

/// The metric against the values of one key, a point for each trial.
function valueSpec(sweep, {key, name, logarithmic}) {
  const {metric} = sweep;
  const format = isAccuracy(metric) ? percent : number;
  const trials = objects(sweep.trials).filter((trial) => isNumber(metricOf(trial, metric)));
  const given = (trial) => object(trial.values)[key];
  const categories = trials.every((trial) => isNumber(given(trial))) ? null
      : unique(trials.map((trial) => valueText(given(trial))));
  const place = (trial) =>
      categories ? categories.indexOf(valueText(given(trial))) : given(trial);
  trials.sort((a, b) => place(a) - place(b));
  const part = (label, kept, points, tint) => line(
      label, trials.map((trial) => kept(trial) ? metricOf(trial, metric) : null),
      {points, tint, format});
  const lines = [part("complete trials", ({runs}) => runs > 0, "full", "line-1"),
                 part("given up before the end", ({runs}) => runs === 0, "hollow", "line-2")];
  return {title: `${words(metric)} by ${name}`, lines, percent: isAccuracy(metric),
          log: isWide(lines), x: {label: key, values: trials.map(place), categories,
                                  log: logarithmic && !categories}};
}

function trialsTable({name, metric, trials}, dimensions) {
  const format = isAccuracy(metric) ? percent : number;
  const rows = objects(trials);
  const some = (key) => rows.some((trial) => trial[key] > 0);
  const columns = [
    [words(metric), (trial) => [format(metricOf(trial, metric)),
        isNumber(object(trial.standard_error)[metric])
            ? deviation(trial.standard_error[metric], metric) : null]],
    ["runs", (trial) => number(trial.runs)],
    ...some("failed") ? [["failed runs", (trial) => number(trial.failed)]] : [],
    ["outer steps", (trial) => number(trial.outer_steps)],
    ["folder", (trial) => String(trial.trial ?? "")],
  ];
  return table(`Trials of ${name}`, [["trial", ...columns.map(([title]) => title)].map((t) => [t])],
      rows.slice(0, kMostTrials).map((trial) => [valuesOf(trial, dimensions),
          ...columns.map(([, cell]) => cell(trial))]));
}

function addSweep(place, sweep) {
  const dimensions = objects(sweep.dimensions);
  const trials = objects(sweep.trials);
  place.append(element("h2", {id: sweep.anchor}, `Sweep ${sweep.name ?? ""}`),
    element("p", {class: "note"}, `${count(trials.length, "trial")}, the best first` +
        (trials.some(({runs}) => runs === 0) ? "; no runs: given up before the end" : "") +
        (trials.length > kMostTrials ? `; the first ${kMostTrials} are shown` : "")),
    trialsTable(sweep, dimensions));
  addGroup(place, `${words(sweep.metric)} by each of the varied values`,
           dimensions.map((dimension) => valueSpec(sweep, dimension)));
}
