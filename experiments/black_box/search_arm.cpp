#include "experiments/black_box/search_arm.h"

#include "experiments/sweep/sweep_record.h"

namespace nestgrad {

SearchArm SearchArm::in(const std::vector<Json>& lines, const std::string& name,
                        std::int64_t seed) {
  SearchArm out{name, seed};
  for (const Json& line : lines) {
    if (line.at("arm") != name || line.at("seed") != seed) continue;
    if (line.contains("ended")) {
      out.ended = line["ended"].get<std::string>();
      continue;
    }
    out.points.push_back({line.at("processor_seconds").get<double>(),
                          numbers_of(line.at("metrics")),
                          line.value("values", std::vector<double>()),
                          line.value("outer_steps", std::int64_t{0})});
  }
  return out;
}

void SearchArm::add(JsonLines& file, ArmPoint point) {
  Json line = this->line();
  line["number"] = points.size();
  line["processor_seconds"] = point.seconds;
  line["metrics"] = point.metrics;
  if (name == kHypergradients) line["outer_steps"] = point.outer_steps;
  if (!point.values.empty()) line["values"] = point.values;
  file.append(line);
  points.push_back(std::move(point));
}

void SearchArm::end(JsonLines& file, const std::string& reason) {
  Json line = this->line();
  line["ended"] = reason;
  file.append(line);
  ended = reason;
}

}  // namespace nestgrad
