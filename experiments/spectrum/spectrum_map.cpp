#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdlib>

#include "core/platform/error.h"
#include "core/platform/text.h"
#include "core/tensor/numbers.h"
#include "experiments/plot/chart.h"
#include "experiments/plot/plane.h"
#include "experiments/spectrum/spectrum.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMostValues = 1000;

std::vector<std::string> split(const std::string& text, char mark) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == mark) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

[[noreturn]] void fail(const std::string& text) {
  throw Error(fmt::format(
      "'{}' must have the form KEY=FROM:TO:COUNT or KEY,KEY=FROM:TO:COUNT with "
      "FROM below TO and COUNT from 2 to {}, such as "
      "inner.momentum,outer.momentum=0:0.95:20",
      text, kMostValues));
}

double number(const std::string& text, const std::string& all) {
  char* end = nullptr;
  const double out = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(out)) fail(all);
  return out;
}

}  // namespace

Variation Variation::parse(const std::string& text) {
  const std::vector<std::string> sides = split(text, '=');
  if (sides.size() != 2) fail(text);
  Variation out;
  out.keys = split(sides[0], ',');
  for (const std::string& key : out.keys) {
    if (key.empty()) fail(text);
  }
  const std::vector<std::string> parts = split(sides[1], ':');
  if (parts.size() != 3) fail(text);
  const double from = number(parts[0], text), to = number(parts[1], text),
               count = number(parts[2], text);
  if (from >= to || count < 2 || count > kMostValues ||
      count != std::floor(count)) {
    fail(text);
  }
  out.values = to_numbers(
      at::linspace(from, to, static_cast<std::int64_t>(count), at::kDouble));
  return out;
}

std::string Variation::name() const {
  return fmt::format("{}", fmt::join(keys, ","));
}

SpectrumMap map_spectrum(const JsonFile& file, std::int64_t steps,
                         std::vector<Variation> varied,
                         const std::function<void(double)>& progress) {
  SpectrumMap out;
  out.varied = std::move(varied);
  const auto size = [&](std::size_t i) {
    return i < out.varied.size() ? out.varied[i].values.size() : 1;
  };
  out.radii = at::empty(
      {static_cast<std::int64_t>(size(0)), static_cast<std::int64_t>(size(1))},
      at::kDouble);
  const std::size_t count = size(0) * size(1);
  for (std::size_t k = 0; k < count; ++k) {
    JsonFile changed = file;
    const std::size_t at[] = {k / size(1), k % size(1)};
    for (std::size_t i = 0; i < out.varied.size(); ++i) {
      for (const std::string& key : out.varied[i].keys) {
        changed.set(fmt::format("{}={}", key, out.varied[i].values[at[i]]));
      }
    }
    out.radii.view(-1)[static_cast<std::int64_t>(k)] =
        spectrum_of(changed, steps).radius();
    if (progress) {
      progress(static_cast<double>(k + 1) / static_cast<double>(count));
    }
  }
  return out;
}

std::string SpectrumMap::to_csv() const {
  std::string out;
  for (const Variation& v : varied) out += csv_field(v.name()) + ",";
  out += "spectral_radius\n";
  for (std::int64_t i = 0; i < radii.size(0); ++i) {
    for (std::int64_t j = 0; j < radii.size(1); ++j) {
      out += fmt::format("{},", varied[0].values[static_cast<std::size_t>(i)]);
      if (varied.size() > 1) {
        out +=
            fmt::format("{},", varied[1].values[static_cast<std::size_t>(j)]);
      }
      out += fmt::format("{}\n", radii[i][j].item<double>());
    }
  }
  return out;
}

std::string SpectrumMap::text() const {
  const Tensor known =
      at::where(radii.isnan(), at::full_like(radii, INFINITY), radii);
  const auto best = known.argmin().item<std::int64_t>();
  const std::int64_t at[] = {best / radii.size(1), best % radii.size(1)};
  std::string where;
  for (std::size_t i = 0; i < varied.size(); ++i) {
    where += fmt::format("{} {} = {:.6g}", i == 0 ? "" : ",", varied[i].name(),
                         varied[i].values[static_cast<std::size_t>(at[i])]);
  }
  return fmt::format(
      "The spectral radius of an outer step is below 1 at {} of {} points.\n"
      "The least is {:.6f}, at{}.\n",
      (known < 1).sum().item<std::int64_t>(), radii.numel(),
      known.min().item<double>(), where);
}

void SpectrumMap::draw(const std::string& path) const {
  constexpr const char* kTitle = "Spectral radius of an outer step";
  if (varied.size() == 1) {
    Panel panel;
    panel.title = kTitle;
    panel.x_label = varied[0].name();
    panel.curves = {{"", varied[0].values, to_numbers(radii)}};
    draw_chart(path, "", {panel});
    return;
  }
  Plane plane;
  plane.title = kTitle;
  plane.x_label = varied[0].name();
  plane.y_label = varied[1].name();
  plane.map = radii.t();
  plane.map_x = varied[0].values;
  plane.map_y = varied[1].values;
  plane.level = 1;
  draw_plane(path, plane);
}

}  // namespace nestgrad
