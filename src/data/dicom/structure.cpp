#include "structure.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctag.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {
namespace {

constexpr std::size_t kPreamble = 128;
constexpr std::string_view kMark = "DICM";
constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr std::uint32_t kItem = 0xFFFEE000;
constexpr std::uint32_t kItemEnd = 0xFFFEE00D;
constexpr std::uint32_t kSequenceEnd = 0xFFFEE0DD;

/// Lengths of four bytes follow these representations, of two bytes the others.
constexpr std::array<std::string_view, 13> kLong = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                    "SV", "UC", "UN", "UR", "UT", "UV"};
constexpr std::array<std::string_view, 21> kShort = {"AE", "AS", "AT", "CS", "DA", "DS", "DT",
                                                     "FD", "FL", "IS", "LO", "LT", "PN", "SH",
                                                     "SL", "SS", "ST", "TM", "UI", "UL", "US"};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// "(7fe0,0010)"
std::string tag_text(std::uint32_t tag) {
  std::ostringstream text;
  text << std::hex << std::setfill('0') << '(' << std::setw(4) << (tag >> 16U) << ','
       << std::setw(4) << (tag & 0xFFFFU) << ')';
  return text.str();
}

std::string without_padding(std::string_view text) {
  return std::string(text.substr(0, text.find_last_not_of(std::string_view("\0 ", 2)) + 1));
}

/// Who has reserved which private elements of an item, by the tag that says so: (0029,0010) of
/// (0029,1000) to (0029,10ff).
class PrivateCreators {
 public:
  void note(std::uint32_t tag, std::string_view value) {
    const std::uint32_t number = tag & 0xFFFFU;
    if (!is_private(tag) || number < 0x10 || number > 0xFF) {
      return;
    }
    constexpr std::size_t kMost = 1000;  // DCMTK looks through all of them at each private element
    if (!creators_.emplace(tag, without_padding(value)).second || creators_.size() > kMost) {
      refuse_damaged(
          str("element ", tag_text(tag), " is there twice, or one of a thousand of its kind"));
    }
  }
  /// As DCMTK's dictionary has it.
  bool has_sequence(std::uint32_t tag) const {
    const auto creator = creators_.find((tag & 0xFFFF0000U) | (tag >> 8U & 0xFFU));
    const bool is_known = is_private(tag) && creator != creators_.end();
    const DcmTag known(static_cast<Uint16>(tag >> 16U), static_cast<Uint16>(tag & 0xFFFFU),
                       is_known ? creator->second.c_str() : nullptr);
    return known.getEVR() == EVR_SQ;
  }

 private:
  static bool is_private(std::uint32_t tag) { return (tag >> 16U & 1U) != 0; }

  std::map<std::uint32_t, std::string> creators_;
};

struct Element {
  std::uint32_t tag = 0;  ///< group << 16 | number
  std::string_view representation;
  std::uint32_t length = 0;
};

/// Takes numbers and elements' heads off the bytes, never beyond an end.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes, std::size_t begin = 0) : bytes_(bytes), at_(begin) {}

  std::size_t at() const { return at_; }
  std::string_view bytes() const { return bytes_; }

  std::string_view take(std::size_t count, std::size_t end) {
    if (end - at_ < count) {
      refuse_damaged("it ends within an element");
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  std::uint32_t number(std::size_t count, std::size_t end, bool big_endian) {
    const std::string_view digits = take(count, end);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = big_endian ? i : count - 1 - i;
      value = value << 8U | static_cast<std::uint8_t>(digits[place]);
    }
    return value;
  }

  Element head(std::size_t end, const Encoding& encoding) {
    const bool big = encoding.big_endian;
    Element element;
    element.tag = number(2, end, big) << 16U;
    element.tag |= number(2, end, big);
    const bool bare = encoding.implicit || element.tag == kItem || element.tag == kItemEnd ||
                      element.tag == kSequenceEnd;
    if (bare) {
      element.length = number(4, end, big);
      return element;
    }
    element.representation = take(2, end);
    if (contains(kLong, element.representation)) {
      take(2, end);
      element.length = number(4, end, big);
    } else if (contains(kShort, element.representation)) {
      element.length = number(2, end, big);
    } else {
      refuse_damaged(str("element ", tag_text(element.tag), " has no value representation"));
    }
    return element;
  }

  /// The end of an element's value, which lies within `end`.
  std::size_t end_of(const Element& element, std::size_t end) const {
    if (element.length > end - at_) {
      refuse_damaged(str("element ", tag_text(element.tag), " states ", element.length,
                         " bytes, and ", end - at_, " are there"));
    }
    return at_ + element.length;
  }

  void go_to(std::size_t place) { at_ = place; }

 private:
  std::string_view bytes_;
  std::size_t at_;
};

class StructureCheck {
 public:
  explicit StructureCheck(std::string_view data_set)
      : cursor_(data_set), padding_(data_set.find_last_not_of('\0') + 1) {}

  std::size_t run(const Encoding& encoding) {
    elements(cursor_.bytes().size(), /*delimited=*/false, encoding, 0);
    return cursor_.at();
  }

 private:
  /// Up to `end`, or to the delimiter of an item of undefined length.
  void elements(std::size_t end, bool delimited, const Encoding& encoding, int depth) {
    constexpr int kDeepest = 64;
    if (depth > kDeepest) {
      refuse_damaged(str("its sequences are nested deeper than ", kDeepest, " items"));
    }
    std::uint32_t before = 0;
    PrivateCreators creators;
    while (cursor_.at() < end && (depth > 0 || cursor_.at() < padding_)) {
      const Element element = cursor_.head(end, encoding);
      if (delimited && element.tag == kItemEnd) {
        return;
      }
      const bool ends_twice = element.tag == kItemEnd && element.length == 0 && cursor_.at() == end;
      if (element.tag >> 16U == kItem >> 16U && !ends_twice) {  // DCMTK ends the item there
        refuse_damaged(str("element ", tag_text(element.tag), " stands among those of an item"));
      }
      count(element.tag < before);
      before = element.tag;
      value_of(element, end, encoding, depth, creators);
    }
    if (delimited) {
      refuse_damaged("an item has no end");
    }
  }

  void value_of(const Element& element, std::size_t end, const Encoding& encoding, int depth,
                PrivateCreators& creators) {
    const std::string_view kind = element.representation;
    const bool is_open = element.length == kUndefined;
    const bool is_sequence =
        kind == "SQ" || (kind.empty() && (is_open || creators.has_sequence(element.tag)));
    if (is_sequence || (is_open && kind == "UN")) {
      // Of unknown representation they are written implicitly, whatever is around them.
      const Encoding inner = kind == "UN" ? Encoding{.implicit = true} : encoding;
      items(is_open ? end : cursor_.end_of(element, end), is_open, inner, depth);
    } else if (is_open && (kind == "OB" || kind == "OW")) {
      fragments(end, encoding);
    } else {
      const std::size_t behind = cursor_.end_of(element, end);
      creators.note(element.tag, cursor_.take(element.length, behind));
    }
  }

  void items(std::size_t end, bool delimited, const Encoding& encoding, int depth) {
    while (cursor_.at() < end) {
      const Element item = cursor_.head(end, encoding);
      if (delimited && item.tag == kSequenceEnd) {
        return;
      }
      if (item.tag != kItem) {
        refuse_damaged(str("element ", tag_text(item.tag), " stands where an item belongs"));
      }
      count(false);
      const bool is_open = item.length == kUndefined;
      elements(is_open ? end : cursor_.end_of(item, end), is_open, encoding, depth + 1);
    }
    if (delimited) {
      refuse_damaged("a sequence has no end");
    }
  }

  /// Compressed pixels.
  void fragments(std::size_t end, const Encoding& encoding) {
    for (;;) {
      const Element item = cursor_.head(end, encoding);
      if (item.tag == kSequenceEnd) {
        return;
      }
      if (item.tag != kItem) {
        refuse_damaged("its compressed pixels are no sequence of items");
      }
      count(false);
      cursor_.go_to(cursor_.end_of(item, end));
    }
  }

  /// DCMTK takes up to 200 bytes for each, and looks for the place of those that are out of order.
  void count(bool out_of_order) {
    constexpr int kMost = 1'000'000;
    constexpr int kMostOutOfOrder = 1'000;
    disorder_ += out_of_order ? 1 : 0;
    if (++elements_ > kMost || disorder_ > kMostOutOfOrder) {
      refuse_damaged(elements_ > kMost ? "it has more than a million elements"
                                       : "its elements are in no order");
    }
  }

  Cursor cursor_;
  std::size_t padding_;  ///< where nothing but zeros follows
  int elements_ = 0;
  int disorder_ = 0;
};

}  // namespace

bool has_preamble(std::string_view bytes) {
  return bytes.size() > kPreamble && bytes.substr(kPreamble).starts_with(kMark);
}

bool is_dicom_file(const std::filesystem::path& path) {
  std::error_code none;
  if (path.filename() == "DICOMDIR" || !std::filesystem::is_regular_file(path, none)) {
    return false;
  }
  std::array<char, kPreamble + kMark.size()> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  return has_preamble({head.data(), head.size()});
}

FileStart read_start(std::string_view bytes) {
  constexpr std::uint32_t kMetaGroup = 2;
  constexpr std::uint32_t kTransferSyntax = 0x00020010;
  Cursor cursor(bytes, kPreamble + kMark.size());
  FileStart start;
  const auto next_group = [&] {
    Cursor ahead = cursor;
    return bytes.size() - ahead.at() < 2 ? 0 : ahead.number(2, bytes.size(), false);
  };
  while (next_group() == kMetaGroup) {
    const Element element = cursor.head(bytes.size(), {});
    const std::size_t end = cursor.end_of(element, bytes.size());
    if (element.tag == kTransferSyntax) {
      start.transfer_syntax = without_padding(bytes.substr(cursor.at(), element.length));
    }
    cursor.go_to(end);
  }
  if (start.transfer_syntax.empty()) {
    refuse_damaged("it states no transfer syntax");
  }
  start.data_set = cursor.at();
  return start;
}

std::size_t check_structure(std::string_view data_set, const Encoding& encoding) {
  return StructureCheck(data_set).run(encoding);
}

}  // namespace leaf::data::dicom
