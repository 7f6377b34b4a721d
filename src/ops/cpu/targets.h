#pragma once

// One instruction set for each vector width: 128 bits as plain C++, 256 (AVX2), 512 (AVX-512); NEON
// on Arm. To be included before <hwy/foreach_target.h>.
// SVE's vectors have no size that the compiler knows, and so cannot stand in arrays.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
