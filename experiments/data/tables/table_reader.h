#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "experiments/data/tables/column_choice.h"
#include "experiments/data/tables/csv_file.h"
#include "experiments/data/tables/table.h"

namespace nestgrad {

/// Where the rows of a table stand.
struct TablePlaces {
  std::vector<std::string> files;
  std::vector<std::int64_t> first_rows;  ///< of each file
  std::vector<int> lines;                ///< of each row
  std::vector<std::string> columns;      ///< as messages call them

  /// "'data.csv', line 5: column 'a'"
  std::string operator()(std::int64_t row, std::int64_t column) const;
};

/// The rows of one file or of several with the same columns.
struct Table {
  TableColumns columns;  ///< of the features
  Tensor cells;          ///< [rows, features]; see TableColumns

  /// Numbers, or the texts that stand for classes. No value is missing.
  std::vector<TableColumn> targets;
  Tensor target_cells;  ///< [rows, targets], like `cells`

  Tensor parts;  ///< [rows], int64: 0 for training, 1 validation, 2 test
  TablePlaces places;
};

/// Reads tables with the same columns, one file after another. The first file
/// decides which columns there are, and which of them have texts.
///
/// Throws Error with the file and the line if a file is no such table, if a
/// value is missing that must not be, if a column has a word among numbers or
/// as many different texts as a name has, and if two columns of which one is a
/// feature, or two targets, have the same name.
class TableReader {
 public:
  enum class Kind {
    kEither,   ///< numbers or, if they are fewer, texts
    kNumbers,  ///< whatever else stands in the column is a mistake
    kTexts     ///< numbers are texts, too, and there may be any number of them
  };

  /// `most_texts`: how many different texts a feature may have; 0: 50, and half
  /// as many as rows.
  TableReader(const TableFormat& format, const ColumnChoice& choice,
              Kind of_targets, std::int64_t most_texts);

  /// For tables without targets, with features that are known. They are found
  /// by their names in the header alone, or without one by their numbers.
  TableReader(const TableFormat& format,
              const std::vector<TableColumn>& features);

  /// Appends the rows of a file to this part, unless a column tells the part.
  void read(const std::string& path, std::int64_t part);

  /// All that has been read.
  Table table() const;

 private:
  enum class Role { kFeature, kTarget };

  /// A column and what has been read of it.
  struct Column {
    std::string name;
    Role role;
    Kind kind;
    std::vector<double> cells = {};
    std::vector<std::string> texts = {};
    std::unordered_map<std::string, std::size_t> known = {};  // texts
    std::int64_t numbers = 0, words = 0;
    int line_of_word = 0;  // the first
    std::string word = {};
  };

  /// Positions of the columns in a file.
  struct Positions {
    std::vector<std::size_t> columns;
    std::optional<std::size_t> split;
  };

  bool first_line_has_names(const CsvFile& file, const Fields& line) const;
  Positions positions(const CsvFile& file, const Fields& line);
  void require_own_names(const CsvFile& file) const;
  Positions positions_in_another(const CsvFile& file, const Fields& line) const;
  void read_rows(CsvFile& file, const Positions& at, std::size_t width,
                 std::int64_t part);
  void add(const CsvFile& file, Column& column, const std::string& field);
  static void add_text(Column& column, const std::string& field);
  void settle_kinds(CsvFile& file, const Positions& at);
  void require_few_texts(const CsvFile& file, const Column& column) const;
  void require_header(const CsvFile& file, const Column& column) const;

  [[noreturn]] void fail_at_one_column(const CsvFile& file,
                                       const std::string& line) const;
  [[noreturn]] void fail_at_missing(const CsvFile& file, const Column& column,
                                    const std::string& field) const;
  [[noreturn]] void fail_at_word(const CsvFile& file, const Column& column,
                                 int line, const std::string& word) const;
  std::string called(const Column& column) const;

  TableFormat format_;
  ColumnChoice choice_;
  Kind of_targets_;
  std::int64_t most_texts_;
  bool told_header_ = false;         // the format says whether there is one
  std::vector<TableColumn> wanted_;  // features that are known

  Fields names_;                 // in the first file; empty without a header
  std::size_t width_ = 0;        // columns of the first file
  Positions first_;              // in the first file
  std::vector<Column> columns_;  // features, then targets
  std::vector<std::int64_t> parts_;
  TablePlaces places_;
};

}  // namespace nestgrad
