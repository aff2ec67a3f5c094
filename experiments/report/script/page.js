// The page.

function heading({version, generated, runs, sweeps}) {
  const names = objects(sweeps).map(({name}) => name).join(", ");
  const title = names || (runs.length === 1 ? runs[0].label : count(runs.length, "run"));
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
  for (const sweep of objects(data.sweeps)) addSweep(page, sweep);
  const found = several ? foundTable(runs) : hyperTable(runs[0]);
  if (found) page.append(element("h2", {}, "Found"), found);
  const selection = runs.some(selectedText)
      ? [{group: "outer step", cell: (run) => number(selectedStep(run))}] : [];
  page.append(element("h2", {}, "Results"), ...verdicts(runs),
    runsTable("Results", runs, resultColumns(runs), [{group: "ended", cell: ending}, ...selection]),
    element("p", {class: "note"}, "start, found: trained from scratch with the hyperparameters " +
        "of the start and with those found; tuned: the weights that tuning has led to" +
        (selection.length > 0 ? "; outer step: the one that is handed out" : "")),
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
