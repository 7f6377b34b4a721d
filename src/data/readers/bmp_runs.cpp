#include "bmp_runs.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "reader.h"

namespace leaf::data {
namespace {

/// A pen that writes indices from the bottom row upwards.
class Pen {
 public:
  explicit Pen(at::Tensor& indices)
      : pixels_(indices.mutable_data_ptr<std::uint8_t>()),
        width_(indices.size(1)),
        height_(indices.size(0)) {}

  /// What lies beyond the picture is left out.
  void write(unsigned index) {
    if (x_ < width_ && y_ < height_) {
      pixels_[(height_ - 1 - y_) * width_ + x_] = static_cast<std::uint8_t>(index);
    }
    ++x_;
  }

  void move(std::int64_t columns, std::int64_t rows) {
    x_ += columns;
    y_ += rows;
  }

  void next_row() {
    x_ = 0;
    ++y_;
  }

  bool is_done() const { return y_ >= height_ || (y_ == height_ - 1 && x_ >= width_); }

 private:
  std::uint8_t* pixels_;
  std::int64_t width_;
  std::int64_t height_;
  std::int64_t x_ = 0;
  std::int64_t y_ = 0;
};

/// Takes bytes from the front.
class Source {
 public:
  explicit Source(std::string_view bytes) : rest_(bytes) {}

  bool has(std::size_t count) const { return rest_.size() >= count; }

  void skip(std::size_t count) { rest_.remove_prefix(std::min(count, rest_.size())); }

  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

 private:
  std::string_view rest_;
};

/// The i-th index in bytes that hold one each, or two.
unsigned index_at(std::string_view bytes, std::size_t i, std::int64_t bits) {
  if (bits == 8) {
    return static_cast<unsigned char>(bytes[i]);
  }
  const unsigned pair = static_cast<unsigned char>(bytes[i / 2]);
  return i % 2 == 0 ? pair >> 4 : pair & 0xF;
}

/// `count` indices as they are, padded to an even number of bytes.
void write_plain(Source& source, std::size_t count, std::int64_t bits, Pen& pen) {
  const std::size_t bytes = bits == 8 ? count : (count + 1) / 2;
  if (!source.has(bytes)) {
    refuse_damaged("its run-length data end early");
  }
  const std::string_view indices = source.take(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    pen.write(index_at(indices, i, bits));
  }
  source.skip(bytes % 2);
}

}  // namespace

void unpack_runs(std::string_view bytes, std::int64_t bits, at::Tensor& indices) {
  enum Escape : unsigned { kEndOfRow, kEndOfPicture, kMove };
  indices.zero_();
  Pen pen(indices);
  Source source(bytes);
  while (source.has(2)) {
    const std::string_view pair = source.take(2);
    const auto count = static_cast<unsigned char>(pair[0]);
    const auto code = static_cast<unsigned char>(pair[1]);
    if (count > 0) {
      for (unsigned i = 0; i < count; ++i) {
        pen.write(index_at(pair.substr(1), bits == 8 ? 0 : i % 2, bits));
      }
    } else if (code == kEndOfRow) {
      pen.next_row();
    } else if (code == kEndOfPicture) {
      return;
    } else if (code == kMove && source.has(2)) {
      const std::string_view way = source.take(2);
      pen.move(static_cast<unsigned char>(way[0]), static_cast<unsigned char>(way[1]));
    } else if (code > kMove) {
      write_plain(source, code, bits, pen);
    }
  }
  if (!pen.is_done()) {
    refuse_damaged("its run-length data end early");
  }
}

}  // namespace leaf::data
