#include "experiments/report/report.h"

#include <algorithm>
#include <cmath>

#include "core/platform/files.h"
#include "core/platform/text.h"
#include "core/storage/safetensors.h"
#include "core/tensor/numbers.h"
#include "experiments/plot/axis.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/recorder.h"
#include "experiments/record/run_folder.h"
#include "experiments/report/assets.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// Rows of a chart. A screen cannot show more points of a line.
constexpr std::size_t kMostRows = 2000;

const std::vector<std::string> kPictures = {
    "distilled.png", "distilled_over_time.png", "samples.png"};

/// The files of the page's script, in their order within it.
constexpr const char* kScripts[] = {
    "script/numbers.js",     "script/elements.js", "script/charts.js",
    "script/tables.js",      "script/found.js",    "script/images.js",
    "script/comparison.js",  "script/sweep.js",    "script/run.js",
    "script/attribution.js", "script/search.js",   "script/page.js"};

/// The object in a file, or null if there is no such file.
Json json_of(const std::string& path) {
  if (!file_exists(path)) return nullptr;
  Json json = Json::parse(read_file(path), nullptr, false);
  require(json.is_object(), "{}: is damaged", path);
  return json;
}

std::vector<Json> lines_of(const std::string& path) {
  if (!file_exists(path)) return {};
  try {
    return parse_json_lines(read_file(path));
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path, error.what()));
  }
}

bool has_evaluation(const Json& line) {
  for (const auto& entry : line.items()) {
    if (entry.key().rfind(kEvaluated, 0) == 0) return true;
  }
  return false;
}

/// At most about kMostRows lines: every n-th one, and those that hold an
/// evaluation or report trouble.
std::vector<Json> thinned(const std::vector<Json>& lines) {
  const std::size_t every = (lines.size() + kMostRows - 1) / kMostRows;
  std::vector<Json> out;
  std::size_t evaluations = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool evaluated =
        has_evaluation(lines[i]) && evaluations++ % every == 0;
    if (evaluated || i % every == 0 || i + 1 == lines.size() ||
        lines[i].value("status", "ok") != "ok") {
      out.push_back(lines[i]);
    }
  }
  // Most steps had trouble: keep only some of them.
  if (out.size() <= 2 * kMostRows) return out;
  std::vector<Json> fewer;
  for (std::size_t i = 0; i < lines.size(); i += every) {
    fewer.push_back(lines[i]);
  }
  return fewer;
}

/// The columns of a table, one for each key that has a number in some line.
Json columns_of(const std::vector<Json>& lines) {
  Json columns = Json::object();
  for (const Json& line : lines) {
    for (const auto& [key, value] : line.items()) {
      if (!value.is_string() && !columns.contains(key)) {
        columns[key] = Json::array();
      }
    }
  }
  for (auto& [key, column] : columns.items()) {
    for (const Json& line : lines) {
      const auto found = line.find(key);
      column.push_back(found != line.end() && found->is_number() ? *found
                                                                 : Json());
    }
  }
  return columns;
}

/// Whether `column` belongs to the hyperparameter `name`; see summary_of().
/// `start`: its numbers at the start, by their columns.
bool belongs(const std::string& column, const std::string& name,
             const Json& start) {
  const std::string plain =
      column.rfind("hyper.", 0) == 0 && name.rfind("hyper.", 0) != 0
          ? column.substr(6)
          : column;
  if (plain == name) return true;
  if (plain.rfind(name + ".", 0) != 0) return false;
  const std::string rest = plain.substr(name.size() + 1);
  return rest == "mean" || rest == "min" || rest == "max" ||
         rest.find_first_not_of("0123456789") == std::string::npos ||
         start.contains(plain);
}

std::vector<double> numbers_in(const Json& columns,
                               const std::vector<std::string>& names) {
  std::vector<double> out;
  for (const std::string& name : names) {
    for (const Json& value : columns[name]) {
      if (value.is_number()) out.push_back(value.get<double>());
    }
  }
  return out;
}

/// `tuned`: what run.json says about them. Runs of older versions have nothing
/// there.
Json hyperparameters_of(const Json& config, const Json& tuned,
                        const Json& columns) {
  Json out = Json::array();
  const Json hypers = config.value("hyperparameters", Json::object());
  for (const auto& hyper : hypers.items()) {
    std::vector<std::string> names;
    bool summary = false;
    const Json start =
        tuned.value(hyper.key(), Json::object()).value("start", Json::object());
    for (const auto& column : columns.items()) {
      if (!belongs(column.key(), hyper.key(), start)) continue;
      // A hyperparameter named like a metric has the column "hyper.NAME".
      if (columns.contains("hyper." + column.key())) continue;
      names.push_back(column.key());
      summary = summary || column.key() == hyper.key() + ".mean";
    }
    if (names.empty()) continue;
    out.push_back(
        {{"name", hyper.key()},
         {"columns", names},
         {"summary", summary},
         {"logarithmic", tuned.value(hyper.key(), Json::object())
                                 .value("logarithmic", false) ||
                             suits_logarithm(numbers_in(columns, names))}});
  }
  return out;
}

/// The schedules that were found, a number for each training step.
Json schedules_of(const Json& tuned, const std::string& file) {
  Json out = Json::array();
  ParameterSet found;
  for (const auto& [name, facts] : tuned.items()) {
    if (!facts.contains("schedule") || !file_exists(file)) continue;
    if (found.empty()) found = load_safetensors(file);
    if (!found.contains(name)) continue;
    out.push_back({{"name", name}, {"values", to_numbers(found.at(name))}});
  }
  return out;
}

/// Histograms by hyperparameter. If the kind of its axis has changed, only
/// those with the last kind.
Json histograms_of(const std::vector<Json>& lines) {
  std::map<std::string, Json> axis;
  for (const Json& line : lines) {
    axis[line.at("name").get<std::string>()] = line.at("logarithmic");
  }
  std::map<std::string, Json> by_name;
  for (const Json& line : lines) {
    const auto name = line.at("name").get<std::string>();
    if (line.at("logarithmic") != axis[name]) continue;
    Json& entry = by_name[name];
    if (entry.is_null()) {
      entry = {{"name", name}, {"logarithmic", axis[name]}};
    }
    for (const char* key : {"step", "low", "high", "counts"}) {
      entry[key].push_back(line.at(key));
    }
  }
  Json out = Json::array();
  for (const auto& named : by_name) out.push_back(named.second);
  return out;
}

/// Those pictures that the folder has.
Json pictures_in(const std::string& folder,
                 const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const std::string& name : names) {
    const std::string file = folder + "/" + name;
    if (!file_exists(file)) continue;
    out.push_back(
        {{"name", name},
         {"data", "data:image/png;base64," + base64(read_file(file))}});
  }
  return out;
}

/// What the page shows about an attribution or a comparison, which `what` says.
/// `list`: the key of its results without which they say nothing.
Json ended_data(const std::string& folder, const std::string& what,
                const std::string& list) {
  const std::string file = folder + "/results.json";
  const Json results = json_of(file);
  require(!results.is_null(),
          "{}: this {} has not ended and has no results yet; 'nestgrad resume "
          "{}' continues it",
          folder, what, folder);
  const auto found = results.find(list);
  require(found != results.end() && found->is_array(), "{}: is damaged", file);
  return {{"name", folder_name(folder)},
          {"folder", folder},
          {"results", results},
          {"images", pictures_in(folder, {"attribution.png"})}};
}

std::string escaped(std::string text) {
  replace_all(text, "&", "&amp;");
  replace_all(text, "<", "&lt;");
  return text;
}

Json read_run(const ReportedRun& reported) {
  const std::string& folder = reported.folder;
  const auto file = [&](const std::string& name) {
    return folder + "/" + name;
  };
  require(folder_exists(folder), "{}: there is no such folder", folder);
  const Json config = json_of(file("config.json"));
  require(!config.is_null(),
          "{}: contains no config.json, so no run began here", folder);
  const std::vector<Json> all = lines_of(file("metrics.jsonl"));
  const std::vector<Json> lines = thinned(all);
  // The start has a line before those of the outer steps.
  const auto outer_steps =
      std::count_if(all.begin(), all.end(),
                    [](const Json& line) { return line.value("step", 1) > 0; });
  const Json columns = columns_of(lines);
  Json status = Json::array(), troubles = Json::array();
  for (const Json& line : lines) {
    status.push_back(line.value("status", "ok"));
    troubles.push_back(line.value("trouble", Json()));
  }
  const Json run = json_of(file("run.json"));
  const Json tuned = run.is_null()
                         ? Json::object()
                         : run.value("hyperparameters", Json::object());
  return {
      {"name", folder_name(folder)},
      {"label", reported.label.empty() ? Json() : Json(reported.label)},
      {"folder", folder},
      {"config", config},
      {"run", run},
      {"summary", json_of(file("summary.json"))},
      {"outer_steps", outer_steps},
      {"rows_left_out", all.size() - lines.size()},
      {"columns", columns},
      {"status", status},
      {"troubles", troubles},
      {"hyperparameters", hyperparameters_of(config, tuned, columns)},
      {"schedules", schedules_of(tuned, file("hyperparameters.safetensors"))},
      {"histograms", histograms_of(lines_of(file("histograms.jsonl")))},
      {"images", pictures_in(folder, kPictures)}};
}

}  // namespace

Json report_data(const ReportedRun& run) {
  return as_written(run.folder, [&] { return read_run(run); });
}

std::string report_page(const ReportSubjects& subjects) {
  Json data = {{"version", NESTGRAD_VERSION},  {"generated", utc_now()},
               {"sweeps", subjects.sweeps},    {"attributions", Json::array()},
               {"comparisons", Json::array()}, {"runs", Json::array()}};
  std::string title = "nestgrad:";
  for (const Json& sweep : subjects.sweeps) {
    title += " " + sweep.value("name", "");
  }
  for (const std::string& folder : subjects.attributions) {
    data["attributions"].push_back(
        ended_data(folder, "attribution", "targets"));
    title += " " + folder_name(folder);
  }
  for (const std::string& folder : subjects.comparisons) {
    data["comparisons"].push_back(ended_data(folder, "comparison", "ways"));
    title += " " + folder_name(folder);
  }
  for (const ReportedRun& run : subjects.runs) {
    data["runs"].push_back(report_data(run));
    // Runs with a label belong to a sweep.
    if (run.label.empty()) title += " " + folder_name(run.folder);
  }
  std::string json = to_line(data);
  replace_all(json, "<", "\\u003c");  // no tag may end the script
  // Text from runs is put in last, so that marks in it are not replaced.
  const auto asset = [](const std::string& name) {
    return assets().at("report/" + name);
  };
  std::string page = asset("page.html");
  replace_all(page, "{{STYLE}}", asset("page.css") + asset("uPlot.min.css"));
  replace_all(page, "{{LIBRARY}}", asset("uPlot.iife.min.js"));
  std::string script;
  for (const char* name : kScripts) script += asset(name) + "\n";
  replace_all(page, "{{SCRIPT}}", script);
  const std::size_t title_place = page.find("{{TITLE}}");
  page.replace(title_place, std::string("{{TITLE}}").size(), escaped(title));
  const std::size_t data_place = page.rfind("{{DATA}}");
  page.replace(data_place, std::string("{{DATA}}").size(), json);
  return page;
}

}  // namespace nestgrad
