#pragma once

#include <array>
#include <string_view>

// One function for each parser of files that come from elsewhere. It feeds the bytes to the parser
// and lets pass only the error that the parser promises; everything else ends the program.
namespace leaf::fuzz {

void safetensors(std::string_view bytes);
void torch_zip(std::string_view bytes);
void pickle(std::string_view bytes);
void json(std::string_view bytes);
void shard_index(std::string_view bytes);
void recognise(std::string_view bytes);
void config(std::string_view bytes);
void csv(std::string_view bytes);
void model_folder(std::string_view bytes);
void checkpoint(std::string_view bytes);
void picture(std::string_view bytes);
void dicom(std::string_view bytes);
void volume(std::string_view bytes);
void http_request(std::string_view bytes);

struct Target {
  const char* name;  ///< of its folder in seeds/ too
  void (*run)(std::string_view bytes);
};
inline constexpr std::array<Target, 14> kTargets{{{"safetensors", &safetensors},
                                                  {"torch_zip", &torch_zip},
                                                  {"pickle", &pickle},
                                                  {"json", &json},
                                                  {"shard_index", &shard_index},
                                                  {"recognise", &recognise},
                                                  {"config", &config},
                                                  {"csv", &csv},
                                                  {"model_folder", &model_folder},
                                                  {"checkpoint", &checkpoint},
                                                  {"picture", &picture},
                                                  {"dicom", &dicom},
                                                  {"volume", &volume},
                                                  {"http_request", &http_request}}};

}  // namespace leaf::fuzz
