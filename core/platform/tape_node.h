#pragma once

#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/autograd/function.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace nestgrad::torch_versions {

/// A new node of LibTorch's tape, held as the tape holds it: by a
/// std::shared_ptr or, in newer versions, an intrusive pointer.
template <class NewNode, class Edge = torch::autograd::Edge, class... Arguments>
auto new_node(Arguments&&... arguments) {
  using Pointer = decltype(Edge::function);
  if constexpr (std::is_same_v<Pointer,
                               std::shared_ptr<torch::autograd::Node>>) {
    return Pointer(new NewNode(std::forward<Arguments>(arguments)...),
                   [](auto* node) { deleteNode(node); });
  } else {
    return Pointer(
        c10::make_intrusive<NewNode>(std::forward<Arguments>(arguments)...));
  }
}

}  // namespace nestgrad::torch_versions
