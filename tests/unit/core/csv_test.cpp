#include "core/csv.h"

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

namespace {

/// The message of the DataError about a table of these bytes; "" when there is none.
std::string table_error(const std::string& content, const TableColumns& columns) {
  const test::TemporaryFolder folder;
  write_file(folder / "t.csv", content);
  try {
    read_table(folder / "t.csv", columns);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

Table table_of(const std::string& content, const TableColumns& columns) {
  const test::TemporaryFolder folder;
  write_file(folder / "t.csv", content);
  return read_table(folder / "t.csv", columns);
}

const TableColumns kGroups{.names = {"name", "group"}, .other_names = true};
const TableColumns kSplit{.names = {"image", "mask", "split"}};

}  // namespace

TEST(Csv, BlanksRoundAFieldAreNoPartOfItUnlessQuoted) {
  const test::TemporaryFolder folder;
  write_file(folder / "t.csv", "a , \tb\xC2\xA0,\" c \" , \"d\"\ra b,,\"\",x\n");
  EXPECT_EQ(read_csv(folder / "t.csv"),
            (std::vector<std::vector<std::string>>{{"a", "b", " c ", "d"}, {"a b", "", "", "x"}}));
  write_file(folder / "t.csv", csv_row({" c ", "\td"}));
  EXPECT_EQ(read_csv(folder / "t.csv"), (std::vector<std::vector<std::string>>{{" c ", "\td"}}));
}

TEST(Table, FindsItsColumnsByName) {
  const Table table =
      table_of("Split,age,IMAGE,mask\r\ntrain,7,a,b\r\n,,,\r\n\"te\nst\",8,c,d\r\n", kSplit);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.header.fields, (std::vector<std::string>{"IMAGE", "mask", "Split"}));
  EXPECT_EQ(table.rows[0].fields, (std::vector<std::string>{"a", "b", "train"}));
  EXPECT_EQ(table.rows[0].line, 2U);
  EXPECT_EQ(table.rows[1].line, 4U);
}

TEST(Table, TwoColumnsMayBeCalledOtherwiseWhereThatIsAllowed) {
  EXPECT_EQ(table_of("frame,sequence\n1,a\n", kGroups).rows[0].fields,
            (std::vector<std::string>{"1", "a"}));
  EXPECT_EQ(table_of("group,name\na,1\n", kGroups).rows[0].fields,
            (std::vector<std::string>{"1", "a"}));
  EXPECT_EQ(table_of("name,group,,\n1,a,,\n", kGroups).rows[0].fields,
            (std::vector<std::string>{"1", "a"}));
  EXPECT_NE(table_error("a,b,c\n1,2,3\n", kGroups).find("must name the columns name,group"),
            std::string::npos);
}

TEST(Table, RefusesWhatItCannotMean) {
  const auto expect = [](const std::string& content, const std::string& part) {
    const std::string message = table_error(content, kSplit);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect("a.png,b.png,train\n", "line 1: the first line must name the columns image,mask,split");
  expect("image,mask\n", "must name the columns");
  expect("image;mask;split\n", "separated by semicolons, save it with commas");
  expect("image,mask,split\n\na,b\n", "line 3: expected image,mask,split, found 2 fields");
  expect("image,mask,split\na,b,c,d\n", "line 2: expected image,mask,split, found 4 fields");
  expect("image,mask,split\na,\"b,train\nc,d,test\n", "line 2: a quote (\") that begins here");
  expect("image,mask,split\na,\"b\" c,train\n", "line 2: text behind a closing quote");
  expect(std::string("\xFF\xFEi\0m\0", 6), "UTF-16");
  expect("", "is empty");
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
