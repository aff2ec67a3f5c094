// Says what a browser made of a page of `nestgrad report`. A test puts this script into the head
// of a copy of the page, so that it hears of every error, and reads the element "probe" afterwards.
"use strict";

(() => {
  const errors = [];
  addEventListener("error", (event) => errors.push(String(event.message)));
  addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
  addEventListener("securitypolicyviolation",
                   (event) => errors.push(`${event.violatedDirective}: ${event.blockedURI}`));

  /// Number of pixels that are not transparent.
  const painted = ({width, height}, context) => {
    const bytes = context.getImageData(0, 0, width, height).data;
    let pixels = 0;
    for (let i = 3; i < bytes.length; i += 4) pixels += bytes[i] > 0;
    return pixels;
  };

  const seriesOf = (plot) => plot.series.slice(1).map(({label}, i) => {
    const values = plot.data[i + 1].filter((value) => value != null);
    return {label, first: values[0] ?? null, last: values[values.length - 1] ?? null,
            count: values.length};
  });

  /// Whether a label of the vertical axis is wider than the room to the left of the plot.
  const isClipped = (plot) => {
    const [, axis] = plot.axes;
    plot.ctx.save();
    plot.ctx.font = axis.font[0];
    const widths = (axis._values ?? []).map((text) => plot.ctx.measureText(text ?? "").width);
    plot.ctx.restore();
    return Math.max(0, ...widths) > plot.bbox.left;
  };

  const chart = ({run, title, plot, marks}) => ({
    run, title, width: plot.width, painted: painted(plot.ctx.canvas, plot.ctx),
    series: seriesOf(plot), x: plot.axes[0].label, clipped: isClipped(plot),
    logarithmic: plot.scales.y.distr === 3, logarithmic_x: plot.scales.x.distr === 3,
    low: plot.scales.y.min, high: plot.scales.y.max, marks,
    note: plot.root.closest("figure").querySelector(".note").textContent,
  });

  const texts = (selector) =>
      [...document.querySelectorAll(selector)].map(({textContent}) => textContent);

  /// Texts of the cells, by name of the table and row.
  const tables = () => Object.fromEntries(
      [...document.querySelectorAll("[role=region]")].map((region) => [
        region.getAttribute("aria-label"),
        [...region.querySelectorAll("tr")].map(
            (row) => [...row.cells].map(({textContent}) => textContent))]));

  /// Of each picture the heading that it stands under.
  const headingsOfPictures = () => {
    let heading = "";
    return [...document.querySelectorAll("h2, img")].flatMap((found) => {
      if (found.tagName === "H2") heading = found.textContent;
      return found.tagName === "IMG" ? [heading] : [];
    });
  };

  let open = 0;  // targets that are open at first

  const report = () => {
    if (document.getElementById("probe")) return;
    const text = document.createElement("pre");
    text.id = "probe";
    const scrolls = document.documentElement.scrollWidth > innerWidth;
    try {
      text.textContent = JSON.stringify({
        errors, charts: (window.nestgradCharts ?? []).map(chart), scrolls_sideways: scrolls,
        headings: texts("h1, h2"), tables: tables(), warnings: texts(".warning"),
        troubles: texts(".trouble"), text: document.getElementById("page")?.innerText,
        images: [...document.images].filter((image) => image.naturalWidth > 0).length,
        headings_of_pictures: headingsOfPictures(), open_targets: open,
      });
    } catch (error) {
      text.textContent = JSON.stringify({errors: [...errors, String(error)]});
    }
    document.body.append(text);
  };

  /// Waits for two frames without a new chart.
  const settle = (known, frames) => {
    const count = window.nestgradCharts?.length ?? 0;
    if (count === known && frames === 2) report();
    else requestAnimationFrame(() => settle(count, count === known ? frames + 1 : 0));
  };

  // Sections draw when they are opened. A page without charts may never have a frame.
  addEventListener("load", () => {
    open = document.querySelectorAll("details.target[open]").length;
    for (const section of document.querySelectorAll("details")) section.open = true;
    settle(-1, 0);
    setTimeout(report, 3000);
  });
})();
