#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "bytes.h"
#include "io/names/rules.h"

namespace leaf::io::names {
namespace {

using test::expect_weights_error;

std::string translated(const std::string& from, const std::string& to, const std::string& name) {
  const auto values = Pattern(from).match(name);
  return values ? Pattern(to).fill(*values).value_or("no number") : "no match";
}

std::vector<std::string> names_of(const TensorMap& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
  }
  return names;
}

using Names = std::vector<std::string>;

const std::vector<Rule>& table() {
  static const std::vector<Rule> rules{
      {"noise.*", ""},
      {"up.{i}.*", "level.{2-i}.*"},
      {"q.*", "qkv.*", Shape::kSame, 0, 3},
      {"k.*", "qkv.*", Shape::kSame, 1, 3},
      {"v.*", "qkv.*", Shape::kSame, 2, 3},
      {"new.*", "out.*", Shape::kPointwise},
      {"old.*", "out.*", Shape::kPointwise},
      {"class", "cls", Shape::kToken},
      {"position", "pos", Shape::kTokens},
  };
  return rules;
}

}  // namespace

TEST(Pattern, PutsNumbersAndTheRestWhereTheyBelong) {
  EXPECT_EQ(translated("a.{i}.b.{j}.*", "x.{j}.{i}.*", "a.3.b.12.conv.weight"),
            "x.12.3.conv.weight");
  EXPECT_EQ(translated("a.{i}.*", "b.{i-1}.*", "a.4.c"), "b.3.c");
  EXPECT_EQ(translated("a.{i}.*", "b.{i+10}.*", "a.4.c"), "b.14.c");
  EXPECT_EQ(translated("a.{i}", "b.{3-i}", "a.1"), "b.2");
  EXPECT_EQ(translated("plain", "other", "plain"), "other");
  EXPECT_EQ(translated("in_*", "out.*", "in_weight"), "out.weight");
}

TEST(Pattern, ReadsComputedNumbersBackwards) {
  EXPECT_EQ(translated("b.{3-i}.*", "a.{i}.*", "b.0.c"), "a.3.c");
  EXPECT_EQ(translated("b.{i-1}.*", "a.{i}.*", "b.0.c"), "a.1.c");
  EXPECT_EQ(translated("b.{i+1}.*", "a.{i}.*", "b.0.c"), "no match");
  EXPECT_EQ(translated("b.{3-i}.*", "a.{i}.*", "b.4.c"), "no match");
}

TEST(Pattern, RefusesOtherNames) {
  for (const char* name :
       {"a.b.c", "a.1", "a.01.c", "a..c", "b.1.c", "a.1234567890.c", "", "xa.1.c"}) {
    EXPECT_EQ(translated("a.{i}.c", "{i}", name), "no match") << name;
  }
  EXPECT_EQ(translated("a.{i}.b.{i}", "{i}", "a.1.b.2"), "no match");
  EXPECT_EQ(translated("a.{i}.b.{i}", "{i}", "a.2.b.2"), "2");
  EXPECT_EQ(translated("a.{i}", "{i-1}", "a.0"), "no number");
  EXPECT_EQ(translated("a.{i}", "{j}", "a.0"), "no number");
}

TEST(Rules, RenameDropAndLeaveTheRest) {
  const at::Tensor one = at::ones({1});
  const Renamed renamed =
      to_ours({{"up.0.w", one}, {"up.2.w", one}, {"up.7.w", one}, {"noise.a", one}, {"z", one}},
              table(), "file");
  EXPECT_EQ(names_of(renamed.tensors), (Names{"level.0.w", "level.2.w"}));
  EXPECT_EQ(renamed.dropped, (Names{"noise.a"}));
  EXPECT_EQ(names_of(renamed.rest), (Names{"up.7.w", "z"}));
}

TEST(Rules, JoinInOrderAndTakeApartAgain) {
  const TensorMap theirs{{"k.w", at::full({2, 3}, 2.0)},
                         {"q.w", at::full({2, 3}, 1.0)},
                         {"v.w", at::full({2, 3}, 3.0)}};
  const TensorMap ours = to_ours(theirs, table(), "file").tensors;
  ASSERT_EQ(names_of(ours), (Names{"qkv.w"}));
  const at::Tensor expected = at::tensor({1.0, 1.0, 2.0, 2.0, 3.0, 3.0}).to(at::kFloat);
  EXPECT_TRUE(at::equal(ours.at("qkv.w").select(1, 0), expected));
  const TensorMap back = to_theirs(ours, table());
  ASSERT_EQ(names_of(back), names_of(theirs));
  for (const auto& [name, tensor] : theirs) {
    EXPECT_TRUE(at::equal(back.at(name), tensor)) << name;
  }
}

TEST(Rules, ShapesChangeWithoutCopies) {
  const at::Tensor matrix = at::rand({4, 3});
  const at::Tensor token = at::rand({5});
  const TensorMap theirs{{"old.weight", matrix}, {"class", token}, {"position", matrix}};
  const TensorMap ours = to_ours(theirs, table(), "file").tensors;
  EXPECT_EQ(ours.at("out.weight").sizes(), (at::IntArrayRef{4, 3, 1, 1}));
  EXPECT_EQ(ours.at("cls").sizes(), (at::IntArrayRef{1, 1, 5}));
  EXPECT_EQ(ours.at("pos").sizes(), (at::IntArrayRef{1, 4, 3}));
  EXPECT_EQ(ours.at("out.weight").data_ptr(), matrix.data_ptr());
  EXPECT_EQ(ours.at("cls").data_ptr(), token.data_ptr());
  const TensorMap back = to_theirs(ours, table());
  EXPECT_TRUE(at::equal(back.at("new.weight"), matrix));  // the newer spelling
  EXPECT_TRUE(at::equal(back.at("class"), token));
  EXPECT_TRUE(at::equal(back.at("position"), matrix));
}

TEST(Rules, SayWhatCannotBeJoined) {
  const at::Tensor w = at::ones({2, 3});
  const auto expect = [](const TensorMap& theirs, const std::string& reason) {
    expect_weights_error("file", reason, [&] { to_ours(theirs, table(), "file"); });
  };
  expect({{"q.w", w}, {"k.w", w}}, "'qkv.w' is made of 3 tensors");
  expect({{"q.w", w}, {"k.w", w}, {"v.w", at::ones({2, 4})}}, "'qkv.w' is made of 3 tensors");
  expect({{"q.w", at::ones({})}, {"k.w", at::ones({})}, {"v.w", at::ones({})}}, "'qkv.w'");
  expect({{"new.w", w}, {"old.w", w}}, "two of its tensors stand for 'out.w'");
}

}  // namespace leaf::io::names
