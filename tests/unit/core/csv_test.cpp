#include "leaf/core/csv.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/temporary_folder.h"

namespace leaf {

TEST(Csv, RowsComeBackAsWritten) {
  const test::TemporaryFolder folder;
  const std::vector<std::vector<std::string>> rows = {
      {"name", "group"}, {"a,b", "say \"x\""}, {"", "last"}};
  std::string content;
  for (const auto& row : rows) {
    content += csv_row(row);
  }
  write_file(folder / "t.csv", content);
  EXPECT_EQ(read_csv(folder / "t.csv"), rows);
}

TEST(Csv, WindowsLinesBlankLinesAndByteOrderMark) {
  const test::TemporaryFolder folder;
  write_file(folder / "t.csv",
             "\xEF\xBB\xBF"
             "a,b\r\n\r\n1,2");
  EXPECT_EQ(read_csv(folder / "t.csv"),
            (std::vector<std::vector<std::string>>{{"a", "b"}, {"1", "2"}}));
}

TEST(Csv, MissingFile) { EXPECT_THROW(read_csv("/no/such.csv"), FileError); }

TEST(Csv, ALineBreakInAFieldComesBack) {
  const test::TemporaryFolder folder;
  const std::vector<std::vector<std::string>> rows{{"a\nb.png", "x"}, {"c\r\nd", "\"q\",\n"}};
  write_file(folder / "rows.csv", csv_row(rows[0]) + "\r\n" + csv_row(rows[1]));
  EXPECT_EQ(read_csv(folder / "rows.csv"), rows);
}

TEST(Csv, WhatASpreadsheetWouldComputeIsMarkedAsText) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(csv_row({"=1+1", "@a", "+x.png", "-0.5", "1e-3", "a=b", "'quoted'", "-nan"}),
            "'=1+1,'@a,'+x.png,-0.5,1e-3,a=b,'quoted',-nan\n");
  const std::vector<std::vector<std::string>> rows{
      {"=1+1", "'=x", "''+", "-a.png", "\t=", "'a", "'", "-0.5"}};
  write_file(folder / "rows.csv", csv_row(rows[0]));
  EXPECT_EQ(read_csv(folder / "rows.csv"), rows);
}

}  // namespace leaf
