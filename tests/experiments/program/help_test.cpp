// What the command line says about itself.

#include "experiments/setup/experiment.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

std::string said(const std::string& arguments, int code = 0) {
  const TemporaryFolder folder;
  const Ended ended = program(folder.path(""), arguments);
  CAPTURE(arguments, ended.output);
  CHECK(ended.code == code);
  return ended.output;
}

}  // namespace

TEST_CASE("explain finds the place that a person means", "[help]") {
  const std::string mlp = said("explain mlp");
  CHECK(mlp.rfind("problem.model.mlp (a model)\n", 0) == 0);
  CHECK_THAT(mlp, ContainsSubstring("record.other_models.mlp (a model)\n"));
  const std::string decay = said("explain weight_decay");
  CHECK(decay.rfind("weight_decay (a hyperparameter of the problem "
                    "'classification')\n",
                    0) == 0);
  CHECK_THAT(decay, ContainsSubstring("inner.weight_decay (a key of the "
                                      "optimizer 'sgd')\n"));
  CHECK_THAT(said("explain example_weight"),
             ContainsSubstring("between 0 and 1"));
  CHECK_THAT(said("explain hyperparameters.example_weight"),
             ContainsSubstring("between 0 and 1"));
  CHECK_THAT(said("explain classification.example_weight"),
             ContainsSubstring("between 0 and 1"));
  CHECK_THAT(said("explain exampel_weight", 2),
             ContainsSubstring("did you mean 'example_weight'?"));
  CHECK(said("explain hyperparameters").rfind("hyperparameters\n", 0) == 0);
  CHECK_THAT(said("explain classification"),
             ContainsSubstring("  hyperparameters:\n    weight_decay "));
  const std::string sweep = said("explain sweep");
  CHECK(sweep.rfind("sweep\n", 0) == 0);
  CHECK_THAT(sweep, ContainsSubstring("    vary "));
  CHECK_THAT(said("explain sweep.halving.factor"),
             ContainsSubstring("sweep.halving.factor\n"));
  CHECK_THAT(said("explain outer.lr"),
             ContainsSubstring("outer.lr (a key of the optimizer 'adam')\n"));
}

TEST_CASE("every hyperparameter of a problem that is shipped can be explained",
          "[help]") {
  for (const std::string& path : shipped_configs()) {
    CAPTURE(path);
    const Config config = experiment_config(JsonFile::read(path));
    const auto schema =
        ProblemRegistry::instance().schema(config.object("problem").type());
    const Config section = config.object("hyperparameters");
    for (const auto& [name, entry] : section.json().items()) {
      // Those that the model or the rule refers to have free names: "$lr",
      // "$mask.0".
      const std::string all = config.json().dump();
      if (all.find("\"$" + name + "\"") != std::string::npos ||
          all.find("\"$" + name + ".") != std::string::npos) {
        continue;
      }
      const auto& tuned = schema.tuned();
      CAPTURE(name);
      CHECK(std::any_of(tuned.begin(), tuned.end(),
                        [&, &wanted = name](const auto& one) {
                          return one.first == wanted;
                        }));
    }
  }
}

TEST_CASE("mistyped commands and options name the nearest", "[help]") {
  CHECK_THAT(said("rnu a.json", 2),
             ContainsSubstring("there is no command 'rnu'; did you mean 'run'? "
                               "There are: run, "));
  CHECK_THAT(said("zzzzzz", 2),
             ContainsSubstring("there is no command 'zzzzzz'; there are: run"));
  CHECK_THAT(said("run a.json --quite", 2),
             ContainsSubstring("--quite: did you mean '--quiet'?"));
  CHECK_THAT(said("resume a --alow=data", 2),
             ContainsSubstring("--alow: did you mean '--allow'?"));
}

TEST_CASE("help shows defaults, and -V the version", "[help]") {
  // "=3", or "[3]" since CLI11 2.4.
  const auto shows = [](const std::string& text, const std::string& value) {
    return text.find("=" + value) != std::string::npos ||
           text.find("[" + value + "]") != std::string::npos;
  };
  const std::string check = said("check --help");
  CHECK(shows(check, "1e-05"));
  CHECK(shows(check, "20"));
  CHECK(shows(said("compare --help"), "3"));
  CHECK_THAT(said("run --help"), ContainsSubstring("default: record.folder"));
  CHECK(shows(said("resume --help"), "0"));
  CHECK(said("-V") == said("--version"));
  CHECK(said("-V") == NESTGRAD_VERSION "\n");
}

TEST_CASE("a configuration is read from standard input", "[help]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(2).dump());
  const auto piped = [&](const std::string& text, const std::string& command) {
    return shell(folder.path(""),
                 fmt::format("{} | '{}' {}", text, NESTGRAD_PROGRAM, command));
  };
  REQUIRE(piped("cat a.json", "run - -q --seed 3").code == 0);
  CHECK(json_of(folder.path("runs/stdin-1/config.json"))["seed"] == 3);
  CHECK(piped("cat a.json", "plan - --json").code == 0);
  const Ended broken = piped("echo '{\"seed\": }'", "run -");
  CHECK(broken.code == 2);
  CHECK_THAT(broken.output, ContainsSubstring("line 1, column 10 of stdin"));
  const Ended wrong = piped("echo '{\"sede\": 1}'", "run -");
  CHECK_THAT(wrong.output, ContainsSubstring("stdin:1: /sede: "));
}

TEST_CASE("the page of the manual has every command and every option",
          "[help]") {
  const TemporaryFolder folder;
  const std::string page = said("man");
  folder.write("nestgrad.1", page);
  for (const char* heading :
       {"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "EXIT STATUS"}) {
    CHECK_THAT(page, ContainsSubstring(fmt::format(".SH {}\n", heading)));
  }
  for (const char* part :
       {".SS \\fBnestgrad run\\fR \\fIconfig\\fR\n",
        ".SS \\fBnestgrad explain\\fR \\fIkey\\fR\n", "\\fB\\-\\-set\\fR",
        "\\fB\\-q\\fR, \\fB\\-\\-quiet\\fR",
        "\\fB\\-\\-progress\\fR \\fIjson\\fR", "; default: 1e\\-05.",
        ".TP\n\\fB5\\fR\nOut of memory."}) {
    CHECK_THAT(page, ContainsSubstring(part));
  }
  // groff says nothing, where it is there, and shows what --help says.
  const Ended shown = shell(
      folder.path(""),
      "if command -v groff >/dev/null; then groff -man -Tascii -ww nestgrad.1; "
      "else cat nestgrad.1; fi");
  CHECK(shown.code == 0);
  CHECK(shown.output.find(": warning:") == std::string::npos);
  CHECK(shown.output.find(": error:") == std::string::npos);
}

}  // namespace nestgrad
