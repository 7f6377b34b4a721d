/* Segments images with leaf's C interface and writes each mask as a PGM file:
 *   segment MODEL IMAGE MASK.pgm [IMAGE MASK.pgm ...] */
#include <leaf.h>
#include <stdio.h>

static int fail(const char* what) {
  fprintf(stderr, "segment: %s: %s\n", what, leaf_last_error());
  return 1;
}

static int write_mask(const leaf_result* result, const char* path) {
  const size_t pixels = (size_t)(leaf_result_height(result) * leaf_result_width(result));
  FILE* file = fopen(path, "wb");
  if (file == NULL) {
    perror(path);
    return 1;
  }
  fprintf(file, "P5\n%lld %lld\n255\n", (long long)leaf_result_width(result),
          (long long)leaf_result_height(result));
  const int complete = fwrite(leaf_result_mask(result), 1, pixels, file) == pixels;
  if (fclose(file) != 0 || !complete) {
    perror(path);
    return 1;
  }
  return 0;
}

static int segment(const leaf_model* model, const char* image, const char* mask) {
  leaf_result* result = NULL;
  if (leaf_segment_file(model, image, &result) != LEAF_OK) {
    return fail(image);
  }
  const int failed = write_mask(result, mask);
  leaf_result_free(result);
  return failed;
}

int main(int argc, char** argv) {
  if (argc < 4 || argc % 2 != 0) {
    fprintf(stderr, "usage: segment MODEL IMAGE MASK.pgm [IMAGE MASK.pgm ...]\n");
    return 2;
  }
  leaf_model* model = NULL;
  if (leaf_load(argv[1], NULL, &model) != LEAF_OK) {
    return fail(argv[1]);
  }
  int failed = 0;
  for (int i = 2; i < argc; i += 2) {
    failed |= segment(model, argv[i], argv[i + 1]);
  }
  leaf_free(model);
  return failed;
}
