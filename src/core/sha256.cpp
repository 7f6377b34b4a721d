#include "core/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
      throw Error("OpenSSL cannot compute SHA-256 here");
    }
  }

  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

  std::string hexadecimal() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes.data(), &size);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kDigits[bytes[i] >> 4];
      text += kDigits[bytes[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.hexadecimal();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  std::error_code ignored;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, ignored)) {  // a pipe would be waited for
    file.open(path, std::ios::binary);
  }
  if (!file.is_open()) {
    throw FileError(str("cannot read '", path.string(), "'"));
  }
  constexpr std::size_t kPiece = std::size_t{1} << 18;
  std::vector<char> piece(kPiece);
  Digest digest;
  while (file.read(piece.data(), kPiece) || file.gcount() > 0) {
    digest.add({piece.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (file.bad()) {
    throw FileError(str("cannot read '", path.string(), "'"));
  }
  return digest.hexadecimal();
}

}  // namespace leaf
