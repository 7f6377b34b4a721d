#include "leaf/data/mask_classes.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "leaf/data/mask_values.h"
#include "support/images.h"
#include "support/picture_row.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

using test::picture_row;

using Items = std::vector<std::string>;
using Labels = std::vector<int>;

std::string refusal(const Items& items) {
  return test::message_of<ConfigError>([&] { parse_classes(items); });
}

Mask read(const Picture& picture, const Items& items) {
  MaskOptions options;
  options.classes = parse_classes(items);
  return interpret_mask(picture, "a.png", options);
}

Labels numbers(const at::Tensor& pixels) {
  const at::Tensor flat = pixels.flatten().to(at::kInt).contiguous();
  return {flat.const_data_ptr<int>(), flat.const_data_ptr<int>() + flat.numel()};
}

Labels labels(const Picture& picture, const Items& items) {
  return numbers(read(picture, items).labels);
}

const Items kFundus{"background=255", "disc=128", "cup=0"};

TEST(MaskClasses, ItemsAreReadAndWrittenAlike) {
  for (const Items& items :
       {Items{"background", "polyp"}, kFundus, Items{"background=0+7", "a=1", "ignore=255+254"},
        Items{"background=#000000", "red=#ff0000+#800000", "b-2=#0000ff"}}) {
    EXPECT_EQ(class_items(parse_classes(items)), items);
  }
  EXPECT_EQ(parse_classes({"background", "foreground"}), MaskClasses());
  EXPECT_FALSE(MaskClasses().by_value());
  EXPECT_TRUE(parse_classes(kFundus).by_value());
  EXPECT_EQ(class_names(parse_classes(kFundus)), (Items{"background", "disc", "cup"}));
}

TEST(MaskClasses, WhatIsWrongIsSaid) {
  EXPECT_EQ(refusal({"background=0", "disc=128", "cup=128"}),
            "has the value 128 for 'disc' and for 'cup'; a value stands for one class");
  EXPECT_EQ(refusal({"background=0", "a=1", "ignore=1"}),
            "has the value 1 for 'a' and for 'ignore'; a value stands for one class");
  EXPECT_EQ(refusal({"background=0", "a=1", "a=2"}), "has the class 'a' twice");
  EXPECT_EQ(refusal({"a=0", "background=1"}),
            "has the background in another place than the first; put it there");
  EXPECT_EQ(refusal({"background=0", "b"}), "has no value for 'b', but for others");
  EXPECT_EQ(refusal({"background=0", "b="}), "has no value for 'b'");
  EXPECT_EQ(refusal({"background=0", "b=#ffffff"}),
            "has numbers and colours; give one kind of values for all classes");
  Items nine{"background=0"};
  for (int i = 1; i < 9; ++i) {
    nine.push_back("c" + std::to_string(i) + "=" + std::to_string(i));
  }
  EXPECT_TRUE(refusal(nine).starts_with("has 9 classes; at most 8")) << refusal(nine);
  EXPECT_TRUE(refusal({"background=0"}).starts_with("expects two classes or more"));
  EXPECT_TRUE(refusal({}).starts_with("expects two classes or more"));
  EXPECT_TRUE(refusal({"a", "b", "c"}).starts_with("expects NAME=VALUE for each of 3"));
  EXPECT_TRUE(refusal({"a", "ignore"}).starts_with("has 'ignore' without a value"));
  for (const char* value : {"65536", "-1", "1.5", "#fff", "#gggggg", "one"}) {
    const std::string text = refusal({"background=0", std::string("b=") + value});
    EXPECT_TRUE(text.starts_with("expects whole numbers from 0 to 65535 or colours")) << text;
  }
  EXPECT_TRUE(refusal({"=1", "b=2"}).starts_with("expects NAME or NAME=VALUE"));
  EXPECT_TRUE(refusal({"a b=1", "b=2"}).starts_with("expects NAME or NAME=VALUE"));
}

TEST(MaskClasses, ValuesBecomeLabels) {
  EXPECT_EQ(labels(picture_row({255, 128, 0, 128}), kFundus), (Labels{0, 1, 2, 1}));
  EXPECT_EQ(
      labels(picture_row({7, 300, 65535}, at::kInt, 16), {"background=7", "a=65535", "b=300"}),
      (Labels{0, 2, 1}));
  EXPECT_EQ(labels(picture_row({0, 17, 34}, at::kByte, 4), {"background=0", "a=1", "b=2"}),
            (Labels{0, 1, 2}));
  EXPECT_EQ(labels(picture_row({0, 1, 2}, at::kFloat, 32), {"background=0", "a=1+2"}),
            (Labels{0, 1, 1}));
}

TEST(MaskClasses, APalettesIndicesAreItsValuesWhateverIsUsedOfIt) {
  Picture picture = picture_row({0, 1, 1});
  picture.palette = {{0, 0, 0}, {255, 255, 255}, {200, 0, 0}};
  const Items items{"background=0", "white=1", "red=2"};
  EXPECT_EQ(labels(picture, items), (Labels{0, 1, 1}));
  picture.samples.fill_(2);
  EXPECT_EQ(labels(picture, items), (Labels{2, 2, 2}));
  EXPECT_EQ(labels(picture, {"background=#000000", "white=#ffffff", "red=#c80000"}),
            (Labels{2, 2, 2}));
}

TEST(MaskClasses, ColoursOfOneLargestChannelAreToldApart) {
  Picture picture;
  picture.samples =
      at::tensor({0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 0, 0}).to(at::kByte).view({1, 4, 3});
  const Items items{"background=#000000", "blue=#0000ff", "red=#ff0000"};
  const Mask mask = read(picture, items);
  EXPECT_EQ(numbers(mask.labels), (Labels{0, 2, 1, 2}));
  EXPECT_TRUE(mask.remarks.empty());
  EXPECT_NE(test::message_of<DataError>([&] {
              read(picture_row({0}, at::kInt, 16), items);
            }).find("mask 'a.png' has 16 bits a sample; classes that are colours need 8"),
            std::string::npos);
}

TEST(MaskClasses, IgnoredPixelsAreBackground) {
  const Mask mask = read(picture_row({0, 9, 1, 9}), {"background=0", "a=1", "b=2", "ignore=9"});
  EXPECT_EQ(numbers(mask.labels), (Labels{0, 0, 1, 0}));
  EXPECT_EQ(numbers(mask.ignored), (Labels{0, 1, 0, 1}));
  EXPECT_FALSE(read(picture_row({0, 1}), {"background=0", "a=1", "ignore=9"}).ignored.defined());
}

TEST(MaskClasses, AValueThatNoClassHasIsRefused) {
  const auto refused = [](const Picture& picture) {
    return test::message_of<DataError>([&] { read(picture, kFundus); });
  };
  EXPECT_EQ(
      refused(picture_row({255, 255, 7})),
      "mask 'a.png' holds 7 (first in row 0, column 2), which no class has; DataConfig::classes "
      "is background=255, disc=128, cup=0: add it to a class or as ignore=7");
  Picture lossy = picture_row({254});
  lossy.lossy = true;
  EXPECT_NE(refused(lossy).find("the file is lossy"), std::string::npos);
}

TEST(LabelMaps, AreWrittenWithTheValuesThatAreRead) {
  const test::TemporaryFolder folder;
  const at::Tensor map = at::arange(24).remainder(3).to(at::kByte).view({4, 6});
  for (const Items& items : {kFundus, Items{"background=300", "a=0", "b=65535"},
                             Items{"background=#102030", "a=#ff0000", "b=#0000ff"}}) {
    MaskOptions options;
    options.classes = parse_classes(items);
    write_label_map(folder / "map.png", map, options.classes);
    EXPECT_TRUE(load_mask(folder / "map.png", options).labels.equal(map)) << items[0];
  }
  MaskOptions two;
  two.classes = parse_classes({"background=0", "polyp=7"});
  write_label_map(folder / "seven.png", map.ne(0).to(at::kByte) * 255, two.classes);
  EXPECT_TRUE(read_mask(folder / "seven.png").equal(map.ne(0).to(at::kByte) * 7));
  write_label_map(folder / "two.png", map.ne(0).to(at::kByte), MaskClasses());
  EXPECT_TRUE(read_mask(folder / "two.png").equal(map.ne(0).to(at::kByte) * 255));
}

TEST(LabelMaps, NestedClassesHoldWhatLiesWithinThem) {
  const at::Tensor map = at::tensor({0, 1, 2, 2, 0}).to(at::kByte).view({1, 5});
  MaskClasses classes = parse_classes(kFundus);
  EXPECT_EQ(numbers(class_region(map, 1, classes)), (Labels{0, 1, 0, 0, 0}));
  classes.coding = ClassCoding::kChannels;
  EXPECT_EQ(numbers(class_region(map, 1, classes)), (Labels{0, 1, 1, 1, 0}));
  EXPECT_EQ(numbers(class_region(map, 2, classes)), (Labels{0, 0, 1, 1, 0}));
  EXPECT_EQ(numbers(class_region(map, 0, classes)), (Labels{1, 0, 0, 0, 1}));
  EXPECT_EQ(numbers(class_region(map.ne(0).to(at::kByte) * 255, 1, MaskClasses())),
            (Labels{0, 1, 1, 1, 0}));
}

TEST(ClassOverlay, DrawsEveryClassAndNamesItBelow) {
  const at::Tensor rgb = at::zeros({64, 96, 3}, at::kByte);
  at::Tensor map = at::zeros({64, 96}, at::kByte);
  map.narrow(0, 10, 40).narrow(1, 10, 40).fill_(1);
  map.narrow(0, 20, 10).narrow(1, 20, 10).fill_(2);
  const MaskClasses classes = parse_classes(kFundus);
  const at::Tensor picture = class_overlay(rgb, map, classes);
  ASSERT_GT(picture.size(0), 64);
  EXPECT_EQ(picture.size(1), 96);
  const auto has = [](const at::Tensor& pixels, std::size_t index) {
    const ClassColour colour = class_colour(index);
    return pixels.eq(at::tensor({colour[0] + 0, colour[1] + 0, colour[2] + 0}))
        .all(2)
        .any()
        .item<bool>();
  };
  for (const std::size_t index : {1, 2}) {
    EXPECT_TRUE(has(picture.narrow(0, 0, 64), index)) << index;
  }
  EXPECT_TRUE(picture.narrow(0, 64, picture.size(0) - 64).any().item<bool>());
  EXPECT_GT(class_overlay(rgb, map, classes, map).size(0), picture.size(0));
  EXPECT_TRUE(class_overlay(rgb, map, MaskClasses()).equal(overlay(rgb, map)));
}

}  // namespace
}  // namespace leaf::data
