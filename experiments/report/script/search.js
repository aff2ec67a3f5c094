// A comparison of hypergradients with black-box searches in equal time.

const kRatio = "ratio";  // of geometric means; other comparisons are differences

/// A mean and its 95 % interval. Ratios have no unit.
function meanCell({mean, low, high, kind}, metric) {
  const format = isAccuracy(metric) && kind !== kRatio ? percent : number;
  return !isNumber(low) || !isNumber(high) ? format(mean)
      : [format(mean), element("span", {class: "spread"}, `(${format(low)} to ${format(high)})`)];
}

const aheadCell = (ahead) => ahead === "undecided" ? ahead
    : element("strong", {}, String(ahead ?? "–"));

/// The metric that is tuned, then the others.
function searchMetrics({metric, ways}) {
  const others = objects(ways).flatMap((way) => Object.keys(object(way.course)));
  return unique([metric, ...others]).filter((name) => name && name !== "seconds").map(String);
}

/// A line for each way, hypergradients first.
function waysTable(label, results) {
  const ways = objects(results.ways);
  const metrics = searchMetrics(results);
  const comparisons = objects(results.comparisons);
  const parts = (metric) => {
    const one = comparisons.find((other) => other.metric === metric);
    return one ? ["mean", one.kind === kRatio ? kRatio : "difference", "ahead"] : ["mean"];
  };
  const networks = ({seeds}) => sum(numbers(objects(seeds).map((seed) => seed.networks)));
  const cells = (way, metric) => {
    const by = comparisons.find((one) => one.with === way.name && one.metric === metric);
    return [meanCell(object(way[metric]), metric),
            ...by ? [meanCell(by, metric), aheadCell(by.ahead)]
                : parts(metric).slice(1).map(() => "")];
  };
  return table(`Ways of ${label}`,
      [[["way", 1, 2], ["networks trained", 1, 2],
        ...metrics.map((metric) => [words(metric), parts(metric).length])],
       metrics.flatMap((metric) => parts(metric).map((part) => [part]))],
      ways.map((way, index) => [
        element("span", {}, swatch({index}), String(way.name)),
        number(networks(way)), ...metrics.flatMap((metric) => cells(way, metric))]));
}

/// What the columns of the table mean, as far as it has them.
function waysText({comparisons}, seeds) {
  const some = (wanted) => objects(comparisons).some(({kind}) => (kind === kRatio) === wanted);
  return [
    "networks trained: with all seeds together",
    seeds === 1 ? "mean: of one seed, which tells no interval"
        : "mean: over seeds, with its 95 % interval",
    some(true) && "ratio: hypergradients divided by this search, of geometric means; undecided " +
        "where its interval includes 1",
    some(false) && "difference: hypergradients less this search; undecided where its interval " +
        "includes 0",
  ].filter(Boolean).join("; ");
}

/// Who is ahead by the metric that is tuned, a sentence for each search.
function aheadText({metric, ways, comparisons}) {
  const [first] = objects(ways);
  return objects(comparisons).filter((one) => one.metric === metric).map((one) => {
    const {with: other, ahead} = one;
    if (ahead === "undecided") return `undecided between ${first?.name} and ${other}`;
    return `${ahead} ahead of ${ahead === other ? first?.name : other}`;
  }).join("; ");
}

/// Why ways ended before their time was used up.
function endingsText({ways}) {
  return objects(ways).flatMap(({name, seeds}) => {
    const early = objects(seeds).filter(({ended}) => ended && ended !== "budget");
    return unique(early.map(({ended}) => ended)).map((reason) => {
      const own = early.filter(({ended}) => ended === reason);
      return `${name}, ${own.length === 1 ? "seed" : "seeds"} ` +
          `${own.map(({seed}) => seed).join(", ")}: ${reason} before the time was used up`;
    });
  });
}

/// Processor seconds, growing, and the means at them.
function courseOf({course}, metric) {
  const means = numbers(object(course)[metric]);
  const seconds = numbers(object(course).seconds);
  const kept = seconds.map((_, i) => i).filter((i) => seconds[i] > (seconds[i - 1] ?? 0));
  return [kept.map((i) => seconds[i]), kept.map((i) => means[i] ?? null)];
}

function courseSpec(label, {ways}, metric) {
  const kept = objects(ways).map((way, index) => ({way, index, course: courseOf(way, metric)}))
      .filter(({course: [seconds]}) => seconds.length > 0);
  if (kept.length === 0) return null;
  const [x, ...means] = uPlot.join(kept.map(({course}) => course));
  const format = isAccuracy(metric) ? percent : number;
  const lines = kept.map(({way, index}, i) => line(String(way.name), means[i], {
    format, tint: lineColor(index), dash: lineDash(index)}));
  return {title: words(metric), run: label, lines, log: isWide(lines), percent: isAccuracy(metric),
          height: 280, x: {label: "processor seconds", values: x, log: true}};
}

function addSearch(place, comparison) {
  const results = object(comparison.results);
  const {label, anchor} = comparison;
  const seeds = Math.max(0, ...objects(results.ways).map((way) => list(way.seeds).length));
  const ahead = aheadText(results);
  place.append(element("h2", {id: anchor}, `Hypergradients and black-box search: ${label}`),
      element("p", {}, `${count(results.numbers, "number")} to tune, ` +
          `${results.budget ?? "–"} processor seconds for each way with each seed, ` +
          `${count(seeds, "seed")}.`));
  if (ahead) {
    const metric = sentence(words(String(results.metric))).replace(/\.$/, "");
    place.append(element("p", {}, `${metric}: ${ahead}.`));
  }
  place.append(waysTable(label, results),
      element("p", {class: "note"}, waysText(results, seeds)),
      element("ul", {class: "remarks"},
              endingsText(results).map((text) => element("li", {}, text))));
  addGroup(place, "Mean over seeds of the network that each way would hand out",
           searchMetrics(results).map((metric) => courseSpec(label, results, metric))
               .filter(Boolean));
}
