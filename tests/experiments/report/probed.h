#pragma once

#include <algorithm>
#include <string>

#include "core/platform/files.h"
#include "core/platform/text.h"
#include "tests/support/program.h"
#include "tests/support/shortened.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

/// Runs a shipped configuration, shortened, in a folder of this name.
inline void run_shortened(const TemporaryFolder& folder,
                          const std::string& config, const std::string& name) {
  Json json = shortened(
      JsonFile::read(NESTGRAD_SOURCE_DIR "/configs/" + config + ".json").json(),
      12);
  json["record"]["every"] = 3;
  folder.write(name + ".json", json.dump());
  const Ended ended =
      program(folder.path(""), "run " + name + ".json --quiet --out " + name);
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
}

/// What a browser makes of a page; see tests/experiments/report/probe.js.
inline Json probed(const TemporaryFolder& folder, const std::string& page,
                   int width) {
  std::string text = read_file(folder.path(page));
  const std::size_t head = text.find("</head>");
  REQUIRE(head != std::string::npos);
  text.insert(head, "<script>" +
                        read_file(NESTGRAD_SOURCE_DIR
                                  "/tests/experiments/report/probe.js") +
                        "</script>");
  folder.write("probed.html", text);
  const Ended ended = shell(
      folder.path(""),
      fmt::format("timeout 100 chromium --headless --no-sandbox --disable-gpu "
                  "--enable-logging=stderr --user-data-dir=browser "
                  "--virtual-time-budget=8000 --window-size={},900 "
                  "--dump-dom probed.html",
                  width));
  CAPTURE(ended.output.substr(0, 2000));
  CHECK(ended.output.find("CONSOLE") == std::string::npos);
  const std::string mark = "<pre id=\"probe\">";
  const std::size_t begin = ended.output.rfind(mark);
  REQUIRE(begin != std::string::npos);
  const std::size_t from = begin + mark.size();
  std::string dumped =
      ended.output.substr(from, ended.output.find("</pre>", from) - from);
  replace_all(dumped, "&lt;", "<");
  replace_all(dumped, "&gt;", ">");
  replace_all(dumped, "&amp;", "&");
  Json probe = Json::parse(dumped);
  CHECK(probe["errors"] == Json::array());
  return probe;
}

/// The page of folders in `folder`, as a browser shows it.
inline Json page_of(const TemporaryFolder& folder, const std::string& folders,
                    int width = 1280) {
  const Ended ended =
      program(folder.path(""), "report " + folders + " --out page.html");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  return probed(folder, "page.html", width);
}

/// Whether one of these texts has this part.
inline bool contains(const Json& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(), [&](const Json& text) {
    return text.get<std::string>().find(part) != std::string::npos;
  });
}

/// A line of a chart, or null.
inline const Json* series_of(const Json& probe, const std::string& run,
                             const std::string& title,
                             const std::string& label) {
  for (const Json& chart : probe["charts"]) {
    if (chart["run"] != run || chart["title"] != title) continue;
    for (const Json& series : chart["series"]) {
      if (series["label"] == label) return &series;
    }
  }
  return nullptr;
}

/// The first chart of this title, or null.
inline const Json* chart_of(const Json& probe, const std::string& title) {
  for (const Json& chart : probe["charts"]) {
    if (chart["title"] == title) return &chart;
  }
  return nullptr;
}

}  // namespace nestgrad
