#include "tiff_file.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "leaf/core/strings.h"
#include "reader.h"

namespace leaf::data {
namespace {

TiffFile& file_of(thandle_t self) { return *static_cast<TiffFile*>(self); }

std::string formatted(const char* format, std::va_list arguments) {
  std::array<char, 256> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  return text.data();
}

/// libtiff lets a JPEG that ends early pass with a warning.
bool says_that_data_are_missing(std::string_view module, std::string_view message) {
  return module == "JPEGLib" && message.find("extraneous") == std::string_view::npos;
}

}  // namespace

TiffFile::TiffFile(std::string_view bytes, std::int64_t largest_block) : bytes_(bytes) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
  if (!options) {
    throw std::bad_alloc();
  }
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &TiffFile::on_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &TiffFile::on_warning, this);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), largest_block);
  handle_ = TIFFClientOpenExt("picture", "r", this, &TiffFile::read, &TiffFile::write,
                              &TiffFile::seek, &TiffFile::close, &TiffFile::size, &TiffFile::map,
                              &TiffFile::unmap, options.get());
  require(handle_ != nullptr);
}

TiffFile::~TiffFile() { TIFFClose(handle_); }

void TiffFile::require(bool succeeded) const {
  if (!succeeded || !missing_.empty()) {
    refuse_damaged(str("libtiff: ", succeeded ? missing_ : error_));
  }
}

int TiffFile::on_error(TIFF* /*handle*/, void* self, const char* /*module*/, const char* format,
                       std::va_list arguments) {
  file_of(self).error_ = formatted(format, arguments);
  return 1;  // dealt with
}

int TiffFile::on_warning(TIFF* /*handle*/, void* self, const char* module, const char* format,
                         std::va_list arguments) {
  const std::string message = formatted(format, arguments);
  std::string& missing = file_of(self).missing_;
  if (missing.empty() && says_that_data_are_missing(module == nullptr ? "" : module, message)) {
    missing = message;
  }
  return 1;
}

tmsize_t TiffFile::read(thandle_t self, void* target, tmsize_t count) {
  TiffFile& file = file_of(self);
  const std::uint64_t left =
      file.bytes_.size() - std::min<std::uint64_t>(file.position_, file.bytes_.size());
  const auto taken = std::min(static_cast<std::uint64_t>(std::max<tmsize_t>(count, 0)), left);
  if (taken > 0) {
    std::memcpy(target, file.bytes_.data() + file.position_, taken);
  }
  file.position_ += taken;
  return static_cast<tmsize_t>(taken);
}

tmsize_t TiffFile::write(thandle_t /*self*/, void* /*source*/, tmsize_t /*count*/) { return 0; }

toff_t TiffFile::seek(thandle_t self, toff_t offset, int origin) {
  TiffFile& file = file_of(self);
  const std::uint64_t base =
      origin == SEEK_CUR ? file.position_ : (origin == SEEK_END ? file.bytes_.size() : 0);
  file.position_ = base + offset;
  return file.position_;
}

int TiffFile::close(thandle_t /*self*/) { return 0; }

toff_t TiffFile::size(thandle_t self) { return file_of(self).bytes_.size(); }

int TiffFile::map(thandle_t self, void** base, toff_t* bytes) {
  const TiffFile& file = file_of(self);
  *base = const_cast<char*>(file.bytes_.data());  // libtiff does not write into what it reads
  *bytes = file.bytes_.size();
  return 1;
}

void TiffFile::unmap(thandle_t /*self*/, void* /*base*/, toff_t /*bytes*/) {}

}  // namespace leaf::data
