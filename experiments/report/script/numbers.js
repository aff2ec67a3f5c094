// Draws the page of `nestgrad report` from the JSON in <script id="data">. Data reach the page
// as text only, never as HTML, and any key of them may be missing. The files of this folder are
// one script in the page, in the order that report.cpp gives them.
"use strict";

// Numbers and words.

/// Without numbers so large that an axis around them would reach infinity.
const isNumber = (value) => typeof value === "number" && Math.abs(value) < 1e300;
const numbers = (list) => Array.isArray(list) ? list.map((v) => isNumber(v) ? v : null) : [];
const sum = (list) => list.reduce((total, v) => total + v, 0);
const last = (list) => list[list.length - 1];
const unique = (list) => [...new Set(list)];
const object = (value) => value && typeof value === "object" ? value : {};
const list = (value) => Array.isArray(value) ? value : [];
const objects = (value) => list(value).map(object);

const kWhole = new Intl.NumberFormat("en");
const kFourDigits = new Intl.NumberFormat(
    "en", {minimumSignificantDigits: 4, maximumSignificantDigits: 4});

function number(value) {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return kWhole.format(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(3).replace("e+", "e");
  return kFourDigits.format(value);
}

const percent = (value) => isNumber(value) ? `${(100 * value).toFixed(2)} %` : "–";
const isAccuracy = (name) => name.split(".")[0].endsWith("accuracy");
const words = (name) => name.replace(/_/g, " ").replace(/\bvalid\b/, "validation");
const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
const time = (text) => String(text ?? "").replace("T", " ").replace("Z", " UTC");

/// Labels of an axis: all with as many decimals as the finest of them needs.
function ticks(splits) {
  const short = splits.map((v) => v == null ? null : Number(v.toPrecision(8)));
  const size = Math.max(...short.map(Math.abs));
  if (size >= 1e6 || size < 1e-3) return short.map(power);
  const decimals = (v) => (String(v).split(".")[1] ?? "").length;
  const digits = Math.max(...short.map(decimals));
  return short.map((v) => v == null ? "" : v.toLocaleString(
      "en", {minimumFractionDigits: digits, maximumFractionDigits: digits}));
}

const power = (v) => v == null ? "" : v === 0 ? "0" : v.toExponential().replace("e+", "e");

/// Labels of a log axis, each by itself.
const powers = (splits) => splits.map(
    (v) => v >= 1e-3 && v < 1e6 ? ticks([v])[0] : power(v && Number(v.toPrecision(3))));

/// The finest of a few divisions of decades that gives at most six ticks.
function logSplits(plot, axis, low, high) {
  const first = Math.floor(Math.log10(low)), decades = Math.ceil(Math.log10(high)) - first;
  const divisions = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]];
  for (let every = 1; ; ++every) {
    for (const division of divisions.slice(every === 1 ? 0 : -1)) {
      const found = [];
      for (let power = first; power <= first + decades; power += every) {
        found.push(...division.map((digit) => Number(`${digit}e${power}`)));
      }
      const inside = found.filter((v) => v >= low && v <= high);
      if (inside.length <= 6) return inside.length > 1 ? inside : evenSplits(low, high);
    }
  }
}

/// Less than a digit: as on a linear axis.
function evenSplits(low, high) {
  const unit = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = [5, 2, 1].map((n) => n * unit).find((n) => (high - low) / n >= 2) ?? unit;
  const first = Math.ceil(low / step);
  return Array.from({length: Math.floor(high / step) - first + 1}, (_, i) => (first + i) * step);
}

const shares = (splits) => ticks(splits.map((v) => 100 * v)).map((text) => `${text} %`);
