/* leaf's C interface: a model folder in, masks out. Link libleaf_c (pkg-config leaf, or leaf::c in
 * CMake).
 *
 * Every function that may fail returns a status; leaf_last_error() then has one line that says
 * what, where and what to do. No C++ exception leaves the library. A model may be used by several
 * threads at once, and the results are the same to the bit as one after the other; a result belongs
 * to one thread at a time. */
#ifndef LEAF_H
#define LEAF_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LEAF_API __attribute__((visibility("default")))
#else
#define LEAF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum leaf_status {
  LEAF_OK = 0,
  LEAF_INVALID_ARGUMENT =
      1, /* a null pointer, a size that is not positive, an unknown device or option */
  LEAF_DATA_ERROR = 2,    /* an image that cannot be used */
  LEAF_WEIGHTS_ERROR = 3, /* a model folder that is missing, damaged or does not fit together */
  LEAF_FILE_ERROR = 4,    /* a file that cannot be read */
  LEAF_OUT_OF_MEMORY = 5,
  LEAF_FAILED = 6 /* anything else */
} leaf_status;

typedef struct leaf_model leaf_model;   /* a loaded model */
typedef struct leaf_result leaf_result; /* one image's mask and probabilities */

/* How a model is loaded. Start from leaf_default_options(): later versions may add fields at the
 * end. */
typedef struct leaf_options {
  size_t struct_size; /* sizeof(leaf_options) */
  const char* device; /* "auto" (a GPU when there is one), "cpu", "cuda", "cuda:N"; default "cpu" */
  const char* precision; /* "fp32", "bf16" or "fp16"; default "fp32" */
  uint64_t seed;         /* of the starting noise; default 0 */
  int32_t
      num_inference_steps; /* denoising steps; 0 takes those that the model was validated with */
  int32_t threads;         /* CPU threads of the whole process; 0 leaves them as they are */
} leaf_options;

/* 8-bit RGB pixels of the caller's. */
typedef struct leaf_image {
  const uint8_t* rgb; /* the first row; a pixel is three bytes */
  int64_t height;     /* pixels */
  int64_t width;      /* pixels */
  int64_t row_bytes;  /* from one row to the next; 0 means 3 * width */
  const char* name;   /* its starting noise follows from it; NULL is "" */
} leaf_image;

/* leaf's version, "0.1.0". */
LEAF_API const char* leaf_version(void);

/* What went wrong in this thread's last call that did not return LEAF_OK; "" before any. Valid
 * until this thread's next call that fails. */
LEAF_API const char* leaf_last_error(void);

LEAF_API leaf_options leaf_default_options(void);

/* Loads a model folder or a run folder (its best model, else its last). `options` may be NULL. */
LEAF_API leaf_status leaf_load(const char* folder, const leaf_options* options, leaf_model** model);

/* Frees a model that no thread uses any more; its results stay valid. NULL is allowed. */
LEAF_API void leaf_free(leaf_model* model);

/* Side in pixels of the square that the model sees. */
LEAF_API int64_t leaf_resolution(const leaf_model* model);

/* How many classes the model tells apart, the background among them: 2, or more. */
LEAF_API int32_t leaf_class_count(const leaf_model* model);

/* The name of a class by its number, 0 of the background; it lives as long as the model. NULL for a
 * number that no class has. */
LEAF_API const char* leaf_class_name(const leaf_model* model, int32_t number);

/* Segments an image file; mask and probabilities are those of its stored pixels, as leaf_infer
 * writes them. */
LEAF_API leaf_status leaf_segment_file(const leaf_model* model, const char* path,
                                       leaf_result** result);

/* The same for a file that is in memory. The starting noise follows from `name`, by which errors
 * call the image too: with the file's name without folders and extension the mask is that of
 * leaf_segment_file. NULL is "". */
LEAF_API leaf_status leaf_segment_bytes(const leaf_model* model, const void* bytes, size_t size,
                                        const char* name, leaf_result** result);

/* Segments `count` images in one batch into results[0 .. count-1], which do not depend on the
 * batch. On failure no result is made. */
LEAF_API leaf_status leaf_segment_images(const leaf_model* model, const leaf_image* images,
                                         size_t count, leaf_result** results);

LEAF_API int64_t leaf_result_height(const leaf_result* result);
LEAF_API int64_t leaf_result_width(const leaf_result* result);

/* height * width bytes in rows: 0 for the background and 255 for the target, or of a model with
 * more than two classes the class's number (leaf_class_name). They live as long as the result. */
LEAF_API const uint8_t* leaf_result_mask(const leaf_result* result);

/* height * width probabilities in [0, 1], in rows, that a pixel is no background. */
LEAF_API const float* leaf_result_probability(const leaf_result* result);

/* NULL is allowed. */
LEAF_API void leaf_result_free(leaf_result* result);

#ifdef __cplusplus
}
#endif

#endif /* LEAF_H */
