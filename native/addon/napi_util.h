// Small helpers over Node-API: every call that can fail throws into JavaScript and returns an empty value here.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>

#include <cstdint>
#include <string>

namespace kaimo {

inline napi_value throw_error(napi_env env, const char* code, const std::string& message) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, code, message.c_str());
  return nullptr;
}

inline napi_value js_number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

inline napi_value js_string(napi_env env, const char* text) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

template <class NameOf>
napi_value js_strings(napi_env env, int32_t count, NameOf name_of) {
  napi_value list = nullptr;
  napi_create_array_with_length(env, static_cast<size_t>(count), &list);
  for (int32_t i = 0; i < count; i++) napi_set_element(env, list, static_cast<uint32_t>(i), js_string(env, name_of(i)));
  return list;
}

// Memory of a typed array; false for anything else.
struct Bytes {
  char* data = nullptr;
  size_t size = 0;
};

inline bool typed_array_bytes(napi_env env, napi_value value, Bytes* bytes, napi_typedarray_type* type) {
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  static const size_t kElementBytes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  if (*type < 0 || static_cast<size_t>(*type) >= sizeof kElementBytes / sizeof kElementBytes[0]) return false;
  bytes->data = static_cast<char*>(data);
  bytes->size = length * kElementBytes[*type];
  return true;
}

}  // namespace kaimo
