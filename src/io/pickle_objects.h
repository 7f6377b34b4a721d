#pragma once

#include <c10/core/ScalarType.h>

#include <string_view>
#include <vector>

#include "pickle_state.h"

namespace leaf::io::pickle {

/// What a pickle's calls mean: the few that describe dictionaries and tensors make those, all
/// others an Opaque. Nothing is ever run.
class ObjectMaker : public MachineState {
 public:
  using MachineState::MachineState;

  /// Pushes what `function` makes of a tuple of arguments.
  void call(Ref function, Ref arguments);

  /// Gives the object on the stack its attributes. A TorchScript module becomes the dictionary of
  /// them, its tensors and modules; other objects' stay unread.
  void build(Ref attributes);

  /// Pushes the storage that a persistent id names: ("storage", type, key, device, count).
  void load_storage(Ref persistent_id);

 private:
  void call_ordered_dict(Ref arguments);
  bool rebuild_tensor(std::string_view function, Ref arguments);
  void rebuild_subclass(std::string_view function, Ref arguments);
  void push_tensor(const std::vector<Ref>& parts, const Storage& storage, c10::ScalarType dtype);
};

}  // namespace leaf::io::pickle
