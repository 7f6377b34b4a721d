#include "validation_share.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace leaf {

std::vector<data::Pair> share_of(const std::vector<data::Pair>& pairs, std::int64_t batch_size,
                                 const ProcessGroup& group) {
  std::vector<data::Pair> share;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto batch = static_cast<std::int64_t>(i) / batch_size;
    if (batch % group.count() == group.rank()) {
      share.push_back(pairs[i]);
    }
  }
  return share;
}

at::Tensor gathered_rows(const at::Tensor& rows, std::int64_t batch_size, ProcessGroup& group) {
  if (group.count() == 1) {
    return rows;
  }
  const at::Tensor mine = rows.contiguous();
  std::vector<at::Tensor> shares;
  std::vector<at::Tensor> batches;
  for (const std::string& bytes :
       group.gather({static_cast<const char*>(mine.const_data_ptr()), mine.nbytes()})) {
    const auto count = static_cast<std::int64_t>(bytes.size() / sizeof(double)) / rows.size(1);
    shares.push_back(at::empty({count, rows.size(1)}, at::kDouble));
    std::memcpy(shares.back().mutable_data_ptr(), bytes.data(), bytes.size());
  }
  for (std::int64_t begin = 0; begin < shares[0].size(0); begin += batch_size) {
    for (const at::Tensor& share : shares) {
      if (begin < share.size(0)) {
        batches.push_back(share.narrow(0, begin, std::min(batch_size, share.size(0) - begin)));
      }
    }
  }
  return batches.empty() ? rows : at::cat(batches);
}

}  // namespace leaf
