// Comparison of runs.

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
  {label: "gradients", unit: "gradients", whole: true,
   of: (run) => numbers(run.columns.train_gradients)},
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
          x: {label: cost.label, values: x, whole: cost.whole},
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
