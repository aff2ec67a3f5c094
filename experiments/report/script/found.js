// What runs found.

/// How a hyperparameter moved: by a factor if it is tuned in logarithms, else by a difference.
function changeText(start, found, logarithmic) {
  if (!isNumber(start) || !isNumber(found)) return "–";
  if (start === found) return "unchanged";
  if (logarithmic && start > 0 && found > 0) return `× ${number(found / start)}`;
  return (found > start ? "+" : "") + number(found - start);
}

/// What a hyperparameter means, with its units, and what each of its numbers belongs to.
function meaningText(run, name) {
  const facts = object(object(run.run?.hyperparameters)[name]);
  const {per} = object(object(object(run.config).hyperparameters)[name]);
  const each = typeof per === "string" && per !== "all" && facts.numbers > 1
      ? `One number per ${words(per)}.` : "";
  return [facts.meaning && sentence(facts.meaning), each].filter(Boolean).join(" ");
}

/// A row for each number of hyperparameters that the records list: its column, the start and
/// what was found.
function foundRows(run) {
  return objects(run.hyperparameters).flatMap(({name, columns, summary}) => {
    const facts = object(object(run.run?.hyperparameters)[name]);
    const given = object(object(object(run.config).hyperparameters)[name]).initial;
    const texts = list(columns).map(String);
    const inOrder = ["mean", "min", "max"].map(
        (part) => texts.find((column) => column.endsWith(`.${part}`))).filter(Boolean);
    return (summary ? inOrder : texts).map((column, i) => {
      const plain = column.replace(/^hyper\./, "");
      const part = plain.slice(String(name).length + 1);
      return {
        name: String(name), part,
        label: summary ? `${name}, ${part}${isNumber(facts.numbers)
            ? ` of ${number(facts.numbers)}` : ""}` : plain,
        start: object(facts.start)[plain] ?? given,
        found: object(object(run.summary?.hyperparameters)[plain]).found ??
            latest(numbers(run.columns[column])),
        logarithmic: facts.logarithmic === true,
        first: i === 0,
        meaning: meaningText(run, String(name)),
      };
    });
  });
}

/// A cell over all rows of a hyperparameter.
const meaningCell = (rows, meaning) => element(
    "td", {rowspan: rows > 1 ? rows : null}, element("span", {class: "meaning"}, meaning));

/// What one run found, or nothing.
function hyperTable(run) {
  const rows = foundRows(run);
  if (rows.length === 0) return null;
  const known = rows.some(({meaning}) => meaning);
  const head = ["hyperparameter", "start", run.summary ? "found" : "so far", "change",
                ...known ? ["meaning and unit"] : []];
  const numbersOf = (name) => rows.filter((row) => row.name === name).length;
  return table(`Hyperparameters of ${run.label}`, [head.map((text) => [text])],
      rows.map(({name, label, start, found, logarithmic, first, meaning}) => [
        label, number(start), element("strong", {}, number(found)),
        changeText(start, found, logarithmic),
        ...known && first ? [meaningCell(numbersOf(name), meaning)] : []]), "found");
}

/// "weight_decay 0.01": what was not tuned.
const constants = (run) => Object.entries(object(object(run.config).hyperparameters))
    .filter(([, section]) => object(section).tuned === false)
    .map(([name, {initial}]) => initial == null ? name : `${name} ${valueText(initial)}`);

/// Whether the records say that a run tunes nothing.
const tunesNothing = ({run}) => run?.hyperparameters != null &&
    Object.keys(object(run.hyperparameters)).length === 0;

/// What a page about one run begins with.
function addFound(place, run) {
  const found = hyperTable(run);
  const constant = constants(run);
  const learned = imagesOf(run).filter(({name}) => kLearned.includes(name));
  if (!found && !tunesNothing(run)) return;
  place.append(element("h2", {}, "Found"));
  addImages(place, run, learned);
  place.append(found ?? element("p", {}, "This run tunes no hyperparameter."));
  if (constant.length > 0) {
    place.append(element("p", {class: "note"}, `Held constant: ${constant.join(", ")}.`));
  }
}

/// What one run led to: a row for each metric, a column for each outcome.
function lossTable(run) {
  const name = (outcome, title) =>
      outcome === "tuned" && tunesNothing(run) ? "trained" : title;
  const metrics = metricsOf([run]);
  const outcomes = kOutcomes.filter(([outcome]) =>
      metrics.some((metric) => isNumber(object(run.summary?.[outcome])[metric])));
  if (outcomes.length === 0) return null;
  return table("Results", [[["metric"], ...outcomes.map(([key, title]) => [name(key, title)])]],
      metrics.map((metric) => [words(metric), ...outcomes.map(
          ([outcome]) => evaluation(run.summary[outcome], metric))]));
}

/// What the columns of the results mean, as far as these runs have them.
function outcomesText(runs) {
  const some = (outcome) => runs.some((run) => run.summary?.[outcome]);
  const retrained = some("retrained_start") || some("retrained_found");
  const spread = runs.some((run) => object(run.summary?.retrained_found).deviation);
  return [
    retrained && "start, found: trained from scratch with the hyperparameters of the start " +
        "and with those found",
    spread && "±: standard deviation over networks",
    some("tuned") && (runs.every(tunesNothing) ? "trained: the weights at the end of the run"
        : "tuned: the weights that tuning has led to"),
    runs.length > 1 && runs.some(selectedText) && "outer step: the one that is handed out",
  ].filter(Boolean).join("; ");
}

/// What all runs found, a row for each of them, or nothing.
function foundTable(runs) {
  const rows = new Map(runs.map((run) => [run, foundRows(run)]));
  const all = [...rows.values()].flat();
  const columns = unique(all.map(({label}) => label)).map((label) => {
    const {name, part} = all.find((row) => row.label === label);
    const value = (run) => rows.get(run).find((row) => row.label === label)?.found;
    return {group: name, name: part, value, cell: (run) => number(value(run))};
  });
  return columns.length > 0 ? runsTable("Hyperparameters found", runs, columns) : null;
}
