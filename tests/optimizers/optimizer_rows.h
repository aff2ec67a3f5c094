#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/config/config.h"

namespace nestgrad {

/// A rule whose settings are all hyperparameters.
struct RuleRow {
  Json json;
  std::map<std::string, double> settings;
};

/// Rules around another rule.
inline std::vector<RuleRow> wrapping_rows() {
  return {
      // Gradients are cut,
      {{{"type", "clipped"},
        {"max_norm", "$max_norm"},
        {"rule", {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}}},
       {{"max_norm", 0.5}, {"lr", 0.3}, {"momentum", 0.7}}},
      // or pass.
      {{{"type", "clipped"},
        {"max_norm", "$max_norm"},
        {"rule", {{"type", "adam"}, {"lr", "$lr"}}}},
       {{"max_norm", 50}, {"lr", 0.1}}},
      {{{"type", "ema"},
        {"decay", 0.7},
        {"rule", {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}}},
       {{"lr", 0.3}, {"momentum", 0.7}}},
      {{{"type", "ema"},
        {"decay", 0.7},
        {"rule", {{"type", "sgld"}, {"lr", "$lr"}, {"examples", 3}}}},
       {{"lr", 0.3}}},
      // The same in units of a running mean of norms.
      {{{"type", "clipped"},
        {"max_norm", "$max_norm"},
        {"relative", true},
        {"rule", {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}}},
       {{"max_norm", 0.5}, {"lr", 0.3}, {"momentum", 0.7}}},
      {{{"type", "clipped"},
        {"max_norm", "$max_norm"},
        {"relative", true},
        {"rule", {{"type", "adam"}, {"lr", "$lr"}}}},
       {{"max_norm", 50}, {"lr", 0.1}}},
      {{{"type", "clipped"},
        {"max_norm", "$max_norm"},
        {"rule",
         {{"type", "kronecker"}, {"preconditioner", "$p"}, {"lr", 0.3}}}},
       {{"max_norm", 0.5}, {"p", 0}}}};
}

/// Rules with a complex momentum.
inline std::vector<RuleRow> complex_rows() {
  return {{{{"type", "complex_sgd"},
            {"lr", "$lr"},
            {"momentum", "$momentum"},
            {"argument", "$argument"},
            {"weight_decay", "$decay"}},
           {{"lr", 0.3}, {"momentum", 0.7}, {"argument", 0.4}, {"decay", 0.2}}},
          {{{"type", "complex_adam"},
            {"lr", "$lr"},
            {"beta1", "$beta1"},
            {"argument", "$argument"},
            {"beta2", "$beta2"},
            {"weight_decay", "$decay"}},
           {{"lr", 0.1},
            {"beta1", 0.8},
            {"argument", 0.4},
            {"beta2", 0.9},
            {"decay", 0.2}}}};
}

inline std::vector<RuleRow> rule_rows() {
  std::vector<RuleRow> out = wrapping_rows();
  const std::vector<RuleRow> plain = {
      {{{"type", "sgd"}, {"lr", "$lr"}}, {{"lr", 0.3}}},
      {{{"type", "sgd"},
        {"lr", "$lr"},
        {"momentum", "$momentum"},
        {"weight_decay", "$decay"}},
       {{"lr", 0.3}, {"momentum", 0.7}, {"decay", 0.2}}},
      {{{"type", "sgd"},
        {"lr", "$lr"},
        {"momentum", "$momentum"},
        {"nesterov", true}},
       {{"lr", 0.3}, {"momentum", 0.7}}},
      {{{"type", "adam"},
        {"lr", "$lr"},
        {"beta1", "$beta1"},
        {"beta2", "$beta2"},
        {"weight_decay", "$decay"}},
       {{"lr", 0.1}, {"beta1", 0.8}, {"beta2", 0.9}, {"decay", 0.2}}},
      {{{"type", "adamw"},
        {"lr", "$lr"},
        {"beta1", "$beta1"},
        {"beta2", "$beta2"},
        {"weight_decay", "$decay"}},
       {{"lr", 0.1}, {"beta1", 0.8}, {"beta2", 0.9}, {"decay", 0.2}}},
      {{{"type", "lamb"},
        {"lr", "$lr"},
        {"beta1", "$beta1"},
        {"beta2", "$beta2"},
        {"weight_decay", "$decay"}},
       {{"lr", 0.1}, {"beta1", 0.8}, {"beta2", 0.9}, {"decay", 0.2}}},
      {{{"type", "rmsprop"}, {"lr", "$lr"}, {"alpha", "$alpha"}},
       {{"lr", 0.1}, {"alpha", 0.9}}},
      {{{"type", "rmsprop"},
        {"lr", "$lr"},
        {"alpha", "$alpha"},
        {"momentum", "$momentum"},
        {"weight_decay", "$decay"}},
       {{"lr", 0.1}, {"alpha", 0.9}, {"momentum", 0.7}, {"decay", 0.2}}},
      {{{"type", "sgld"},
        {"lr", "$lr"},
        {"weight_decay", "$decay"},
        {"temperature", "$temperature"},
        {"examples", 3}},
       {{"lr", 0.3}, {"decay", 0.2}, {"temperature", 0.5}}},
      // Its hyperparameter has numbers of its own.
      {{{"type", "kronecker"}, {"preconditioner", "$p"}, {"lr", 0.3}},
       {{"p", 0}}},
      {{{"type", "learned"},
        {"network", "$network"},
        {"lr", "$lr"},
        {"hidden", 3},
        {"length", 20}},
       {{"lr", 0.1}, {"network", 0}}}};
  out.insert(out.end(), plain.begin(), plain.end());
  for (const RuleRow& row : complex_rows()) out.push_back(row);
  return out;
}

}  // namespace nestgrad
