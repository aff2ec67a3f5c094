// An attribution: what each training example did to the loss of others.

const kOpenTargets = 8;
const kToldExamples = 3;  // of each kind in the first lines
const kLowScore = 0.3;  // below it predictions are not to be trusted

const threeDecimals = (value) => isNumber(value) ? value.toFixed(3) : "–";

const kParts = {train: "training", valid: "validation", test: "test"};

/// The words of a target: "test:3" is "test example 3".
function targetText(name) {
  const [, part, mean, which] =
      String(name).match(/^(train|valid|test)(:mean)?(?::(.+))?$/) ?? [];
  if (!part) return "";
  if (which == null) return `mean of the ${kParts[part]} examples`;
  return mean ? `mean of the ${kParts[part]} examples ${which}`
      : `${kParts[part]} example ${which}`;
}

/// How well the attribution predicts networks that were trained without some examples.
function scoreText(verification, targets) {
  if (!verification) {
    return "Not verified: no networks were trained without some of the examples.";
  }
  const {networks, share_left_out: share, score, low, high} = verification;
  const trained = `${count(networks, "network")}, each trained without ` +
      `${number(Number((100 * share).toPrecision(6)))} % of the examples`;
  if (!isNumber(score)) {
    return `Linear datamodelling score: not defined, as the predicted or the true losses of ` +
        `${trained}, are all equal.`;
  }
  return `Linear datamodelling score ${threeDecimals(score)}, 95 % interval ` +
      `${threeDecimals(low)} to ${threeDecimals(high)}: the rank correlation of predicted and ` +
      `true losses of ${trained}${targets > 1 ? `, mean over ${number(targets)} targets` : ""}. ` +
      "1: predicted in the right order; 0: no better than chance." +
      (low < kLowScore ? " The score is low: predictions of what a network would be without " +
           "some examples are not to be trusted." : "");
}

/// "1,708 (Bag), 38,226 (Sneaker)": rows of the source are names, so that no comma parts them.
const examplesText = (examples) => objects(examples).slice(0, kToldExamples)
    .map(({row, label}) => `${row ?? "–"}${label ? ` (${label})` : ""}`).join(", ");

/// The first lines: sentences.
function attributionText({method, training_steps: steps, training_examples: examples, targets,
                          targets_left_out: left, verification}) {
  const [first] = objects(targets);
  const all = list(targets).length + (left > 0 ? left : 0);
  const judged = objects(targets).find((target) => isNumber(target.wrong_labels_auc));
  const harmful = examplesText(first?.most_harmful);
  const helpful = examplesText(first?.most_helpful);
  return [
    `${count(examples, "training example")}, ${count(steps, "training step")}, ` +
        `method ${method ?? "–"}, ${count(all, "target")}.`,
    scoreText(verification, all),
    judged && `Wrong labels: area under the ROC curve ${threeDecimals(judged.wrong_labels_auc)}, ` +
        `where examples are ordered by their influence on ${judged.name}. ` +
        "1: all examples with wrong labels are more harmful than the others; 0.5: chance.",
    harmful && `Most harmful to ${first.name}: rows ${harmful}.`,
    helpful && `Most helpful to ${first.name}: rows ${helpful}.`,
  ].filter(Boolean);
}

/// Both lists beside each other, by their ranks.
function examplesTable(title, {most_helpful, most_harmful}) {
  const sides = [["most helpful", objects(most_helpful)], ["most harmful", objects(most_harmful)]];
  const labelled = sides.some(([, examples]) => examples.some(({label}) => label));
  const names = ["row", ...labelled ? ["label"] : [], "influence"];
  const cells = (example) => !example ? names.map(() => "")
      : [String(example.row ?? "–"), ...labelled ? [String(example.label ?? "")] : [],
         number(example.influence)];
  const length = Math.max(...sides.map(([, examples]) => examples.length));
  return table(title,
      [[["rank", 1, 2], ...sides.map(([side]) => [side, names.length])],
       sides.flatMap(() => names.map((name) => [name]))],
      Array.from({length}, (_, i) =>
          [String(i + 1), ...sides.flatMap(([, examples]) => cells(examples[i]))]));
}

function targetSection(title, target, open) {
  const {name, loss, most_helpful, most_harmful, wrong_labels_auc: area} = target;
  const facts = [targetText(name), `loss ${number(loss)}`,
                 isNumber(area) ? `wrong labels: area ${threeDecimals(area)}` : ""];
  const empty = list(most_helpful).length + list(most_harmful).length === 0;
  return element("details", {class: "target", open: open ? "" : null},
      element("summary", {}, element("h3", {}, String(name)),
          element("span", {class: "note"}, facts.filter(Boolean).join(" · "))),
      empty ? element("p", {}, "No training example has an influence on it.")
          : examplesTable(`${title}: examples for ${name}`, target));
}

function addAttribution(place, attribution) {
  const results = object(attribution.results);
  const targets = objects(results.targets);
  const left = results.targets_left_out;
  place.append(element("h2", {id: attribution.anchor}, `Attribution ${attribution.label}`),
      ...attributionText(results).map((text) => element("p", {}, text)));
  addImages(place, attribution, imagesOf(attribution));
  place.append(element("h3", {}, "Examples by target"),
      element("p", {class: "note"}, "influence: the derivative of the loss of the target by the " +
          "weight of the training example. Above 0 the example raises the loss and is harmful, " +
          "below 0 it lowers it and is helpful. row: where the example stands in the source."),
      element("div", {class: "targets"}, targets.map((target, i) =>
          targetSection(attribution.label, target, i < kOpenTargets))));
  if (left > 0) {
    place.append(element("p", {class: "note"},
        `${count(left, "more target")} in attribution.csv and attribution.npz.`));
  }
}
