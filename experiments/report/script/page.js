// The page.

/// Of those with the same name, each goes by its folder.
function labelFolders(subjects, kind) {
  const names = subjects.map(({name}) => name);
  subjects.forEach((subject, i) => {
    const only = names.indexOf(subject.name) === names.lastIndexOf(subject.name);
    subject.label = String((only ? subject.name : subject.folder) ?? `${kind} ${i + 1}`);
    subject.anchor = `${kind}-${i + 1}`;
  });
}

/// `named`: what has a section of its own before the runs; `own`: runs that are in no sweep.
function heading({version, generated, runs}, named, own) {
  const parts = named.map(({label}) => label);
  if (own.length > 0) parts.push(own.length === 1 ? own[0].label : count(own.length, "run"));
  const facts = [`nestgrad ${version ?? ""}`, time(generated).replace(/:\d\d UTC/, " UTC")];
  const links = [...named.map(({anchor, label}) => element("a", {href: `#${anchor}`}, label)),
                 ...runs.map((run) => linkTo(run, runs.length > 1))];
  return element("header", {}, element("h1", {}, parts.join(", ") || "No results"),
    element("p", {class: "note"}, facts.filter((text) => text.trim()).join(" · ")),
    links.length > 1 ? element("nav", {"aria-label": "Contents"}, links) : null);
}

function openRun(section) {
  section.open = true;
  section.fill();
}

/// What one run found and what that is worth.
function addOutcome(page, run) {
  addFound(page, run);
  const step = selectedStep(run);
  const losses = lossTable(run);
  page.append(element("h2", {}, "Results"), ...verdicts([run]), losses ?? "",
    losses ? element("p", {class: "note"}, outcomesText([run])) : "",
    element("p", {}, run.summary ? ["Ended: ", ending(run)] : "Not ended",
            step == null ? "." : `; handed out: outer step ${selectedText(run)}.`));
}

function addOutcomes(page, runs) {
  const found = foundTable(runs);
  if (found) page.append(element("h2", {}, "Found"), found);
  const selection = runs.some(selectedText)
      ? [{group: "outer step", cell: (run) => number(selectedStep(run))}] : [];
  page.append(element("h2", {}, "Results"), ...verdicts(runs),
    runsTable("Results", runs, resultColumns(runs), [{group: "ended", cell: ending}, ...selection]),
    element("p", {class: "note"}, outcomesText(runs)));
}

function addRuns(page, runs) {
  const several = runs.length > 1;
  if (several) addOutcomes(page, runs);
  else addOutcome(page, runs[0]);
  page.append(runsTable("Cost", runs, costColumns),
              element("ul", {class: "remarks"}, runs.flatMap(remarks)));
  if (several) {
    addComparison(page, runs);
    addDifferences(page, runs);
  }
}

function show(data) {
  const runs = objects(data.runs);
  const own = runs.filter(({label}) => label == null);
  labelRuns(runs);
  const kinds = {sweep: objects(data.sweeps), attribution: objects(data.attributions),
                 search: objects(data.comparisons)};
  for (const [kind, subjects] of Object.entries(kinds)) labelFolders(subjects, kind);
  const page = document.getElementById("page");
  const named = Object.values(kinds).flat();
  page.replaceChildren(heading({...data, runs}, named, own));
  if (named.length + runs.length === 0) {
    return page.append(element("p", {}, "There are no runs to show."));
  }
  for (const sweep of kinds.sweep) addSweep(page, sweep);
  for (const attribution of kinds.attribution) addAttribution(page, attribution);
  for (const comparison of kinds.search) addSearch(page, comparison);
  if (runs.length > 0) addRuns(page, runs);
  if (runs.length + kinds.sweep.length + kinds.search.length > 0) {
    page.append(element("p", {class: "note hint"}, "Drag across a chart to enlarge a part of it, " +
        "double-click to see all again. A click on a name in a legend hides its line."));
  }
  for (const run of runs) addRun(page, run, runs.length > 1);
  if (runs.length > 0) openRun(page.querySelector("details.run"));
  page.addEventListener("click", (event) => {
    const target = event.target.closest?.("a[href^='#run-']");
    if (target) openRun(document.getElementById(target.hash.slice(1)));
  });
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
}

show(JSON.parse(document.getElementById("data").textContent));
