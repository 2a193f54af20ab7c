// The Node-API shim over the executor. JavaScript sees: start, compile, run, runSync, alignment, arenaBytes,
// programId, startProfile, stopProfile, mapFile.
//
// Lives: the executor belongs to the process and is never destroyed. Each environment (main thread or worker) has an EnvState. A run
// holds a reference to the array of its buffers until it is done. When an environment goes away, its runs are withdrawn first.
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "../runtime/cpu.h"
#include "../runtime/executor.h"
#include "../runtime/file_map.h"
#include "../runtime/isa.h"
#include "../runtime/memory.h"
#include "napi_util.h"

namespace kaimo {
namespace {

struct Process {
  std::mutex mutex;
  const IsaTable* isa = nullptr;
  Executor* executor = nullptr;
};

Process& process() {
  static Process* const instance = new Process();
  return *instance;
}

// V8 marks its whole heap for every 64 MB of array memory that comes, which costs more than calculating 64 MB of results. So most of the
// memory of results is kept from its sight, and shown at once when enough of it may be garbage.
struct Garbage {
  int64_t hidden = 0;
  int64_t shown = 0;  // since hidden memory was last shown
};

struct EnvState {
  Garbage garbage;
  napi_threadsafe_function finished = nullptr;
  int64_t pending = 0;
  bool closing = false;
};

struct AsyncJob : Job {
  EnvState* state = nullptr;
  napi_deferred deferred = nullptr;
  napi_ref buffers_ref = nullptr;
};

using ProgramHandle = std::shared_ptr<Program>;

napi_value failure_value(napi_env env, const Failure& failure) {
  napi_value result = nullptr;
  if (failure.status == Status::ok) {
    napi_get_undefined(env, &result);
    return result;
  }
  const double fields[] = {static_cast<double>(failure.status), static_cast<double>(failure.instruction), static_cast<double>(failure.error.operand),
                           static_cast<double>(failure.error.index), static_cast<double>(failure.error.limit)};
  napi_create_array_with_length(env, 5, &result);
  for (uint32_t i = 0; i < 5; i++) napi_set_element(env, result, i, js_number(env, fields[i]));
  return result;
}

// On the executor's thread, or on the environment's while it withdraws.
void job_finished(Job* base) {
  AsyncJob* const job = static_cast<AsyncJob*>(base);
  if (napi_call_threadsafe_function(job->state->finished, job, napi_tsfn_nonblocking) != napi_ok) delete job;
}

// On the environment's thread; `env` is null when it is going away.
void settle(napi_env env, napi_value, void*, void* data) {
  std::unique_ptr<AsyncJob> job(static_cast<AsyncJob*>(data));
  if (env == nullptr || job->state->closing) return;
  EnvState* const state = job->state;
  napi_delete_reference(env, job->buffers_ref);
  if (--state->pending == 0) napi_unref_threadsafe_function(env, state->finished);
  napi_resolve_deferred(env, job->deferred, failure_value(env, job->failure));
}

void close_environment(void* data) {
  EnvState* const state = static_cast<EnvState*>(data);
  state->closing = true;
  Executor* const executor = process().executor;
  if (executor != nullptr) executor->withdraw(state);
}

napi_value info_value(napi_env env) {
  const Process& host = process();
  napi_value info = nullptr;
  napi_create_object(env, &info);
  napi_set_named_property(env, info, "isa", js_string(env, host.isa->name));
  napi_set_named_property(env, info, "threads", js_number(env, host.executor->threads()));
  napi_set_named_property(env, info, "cores", js_number(env, available_cores()));
  napi_set_named_property(env, info, "kernels", js_strings(env, host.isa->n_kernels, [&](int32_t i) { return host.isa->kernels[i].name; }));
  napi_set_named_property(env, info, "opcodes", js_strings(env, host.isa->n_opcodes, [&](int32_t i) { return host.isa->opcodes[i]; }));
  return info;
}

// start(isa: string, threads: number): info. The first call in the process decides; "" and 0 mean the best.
napi_value start(napi_env env, napi_callback_info callback) {
  napi_value args[2] = {};
  size_t count = 2;
  napi_get_cb_info(env, callback, &count, args, nullptr, nullptr);
  char wanted[32] = {};
  size_t length = 0;
  double threads = 0;
  if (napi_get_value_string_utf8(env, args[0], wanted, sizeof wanted, &length) != napi_ok || napi_get_value_double(env, args[1], &threads) != napi_ok) {
    return throw_error(env, "KAIMO_ARGUMENT", "start(isa, threads) expects a string and a number");
  }
  Process& host = process();
  std::lock_guard<std::mutex> lock(host.mutex);
  if (host.executor == nullptr) {
    const char* reason = "";
    const IsaTable* const isa = select_isa(wanted, &reason);
    if (isa == nullptr) {
      const std::string what = wanted[0] != '\0' ? "KAIMO_ISA=" + std::string(wanted) + " cannot run here: " : std::string();
      return throw_error(env, wanted[0] != '\0' ? "KAIMO_OVERRIDE" : "KAIMO_PROCESSOR", what + reason);
    }
    const int cores = available_cores();
    const int chosen = threads >= 1 ? static_cast<int>(threads < 256 ? threads : 256) : cores;
    keep_freed_memory();
    host.isa = isa;
    host.executor = new Executor(chosen, chosen <= cores);
  }
  return info_value(env);
}

// compile(code: Float64Array, constants: Uint8Array): an opaque program.
napi_value compile(napi_env env, napi_callback_info callback) {
  napi_value args[2] = {};
  size_t count = 2;
  napi_get_cb_info(env, callback, &count, args, nullptr, nullptr);
  Bytes code, constants;
  napi_typedarray_type code_type, constants_type;
  if (!typed_array_bytes(env, args[0], &code, &code_type) || code_type != napi_float64_array ||
      !typed_array_bytes(env, args[1], &constants, &constants_type) || process().executor == nullptr) {
    return throw_error(env, "KAIMO_ARGUMENT", "compile(code, constants) expects a Float64Array and a Uint8Array, after start()");
  }
  std::string error;
  auto program = Program::decode(reinterpret_cast<const double*>(code.data), code.size / sizeof(double), *process().isa, &error);
  if (program == nullptr) return throw_error(env, "KAIMO_PROGRAM", error);
  if (program->slot_bytes(kConstantSlot) > static_cast<int64_t>(constants.size)) return throw_error(env, "KAIMO_PROGRAM", "constants are missing");
  if (!program->set_constants(constants.data, constants.size)) return throw_error(env, "KAIMO_MEMORY", "out of memory for the constants of a program");
  napi_value handle = nullptr;
  auto* const held = new ProgramHandle(std::move(program));
  const auto release = [](napi_env, void* data, void*) { delete static_cast<ProgramHandle*>(data); };
  if (napi_create_external(env, held, release, nullptr, &handle) != napi_ok) {
    delete held;
    return throw_error(env, "KAIMO_MEMORY", "cannot create a program");
  }
  return handle;
}

// Fills the job from (program, buffers); false with an exception pending where they do not fit.
bool bind(napi_env env, napi_value program_value, napi_value buffers, Job* job) {
  void* raw = nullptr;
  if (napi_get_value_external(env, program_value, &raw) != napi_ok || raw == nullptr) {
    throw_error(env, "KAIMO_ARGUMENT", "expected a compiled program");
    return false;
  }
  job->program = *static_cast<ProgramHandle*>(raw);
  const Program& program = *job->program;
  uint32_t length = 0;
  if (napi_get_array_length(env, buffers, &length) != napi_ok || length != program.buffer_slots()) {
    throw_error(env, "KAIMO_ARGUMENT", "expected an array of " + std::to_string(program.buffer_slots()) + " buffers");
    return false;
  }
  job->buffers.resize(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value item = nullptr;
    napi_get_element(env, buffers, i, &item);
    Bytes bytes;
    napi_typedarray_type type;
    const int64_t needed = program.slot_bytes(kFirstBufferSlot + i);
    if (!typed_array_bytes(env, item, &bytes, &type) || static_cast<int64_t>(bytes.size) < needed) {
      throw_error(env, "KAIMO_ARGUMENT", "buffer " + std::to_string(i) + ": expected a typed array of " + std::to_string(needed) + " bytes, got " +
                                             std::to_string(bytes.size) + " (was its ArrayBuffer transferred to another thread?)");
      return false;
    }
    job->buffers[i] = bytes.data;
  }
  return true;
}

// run(program, buffers, stop: Int32Array(1)): a promise of undefined, or of [status, instruction, operand, index, limit].
// A value other than 0 in `stop` ends the run before its next instruction.
napi_value run(napi_env env, napi_callback_info callback) {
  napi_value args[3] = {};
  size_t count = 3;
  void* data = nullptr;
  napi_get_cb_info(env, callback, &count, args, nullptr, &data);
  EnvState* const state = static_cast<EnvState*>(data);
  auto job = std::make_unique<AsyncJob>();
  if (!bind(env, args[0], args[1], job.get())) return nullptr;
  Bytes stop;
  napi_typedarray_type type;
  if (!typed_array_bytes(env, args[2], &stop, &type) || type != napi_int32_array || stop.size < sizeof(int32_t)) {
    return throw_error(env, "KAIMO_ARGUMENT", "run() expects an Int32Array as stop flag");
  }
  job->stop_word = reinterpret_cast<const volatile int32_t*>(stop.data);
  job->owner = state;
  job->state = state;
  job->finished = job_finished;
  napi_value held = nullptr, promise = nullptr;
  napi_create_array_with_length(env, 2, &held);
  napi_set_element(env, held, 0, args[1]);
  napi_set_element(env, held, 1, args[2]);
  if (napi_create_reference(env, held, 1, &job->buffers_ref) != napi_ok || napi_create_promise(env, &job->deferred, &promise) != napi_ok) {
    return throw_error(env, "KAIMO_MEMORY", "cannot start a run");
  }
  if (state->pending++ == 0) napi_ref_threadsafe_function(env, state->finished);
  process().executor->submit(job.release());
  return promise;
}

// runSync(program, buffers): undefined, or [status, instruction, operand, index, limit].
napi_value run_sync(napi_env env, napi_callback_info callback) {
  napi_value args[2] = {};
  size_t count = 2;
  void* data = nullptr;
  napi_get_cb_info(env, callback, &count, args, nullptr, &data);
  Job job;
  job.owner = data;
  if (!bind(env, args[0], args[1], &job)) return nullptr;
  process().executor->run_and_wait(&job);
  return failure_value(env, job.failure);
}

// V8 subtracts the memory that it frees by itself, so what is hidden has to be shown again once, whenever that is.
void hide_garbage(napi_env env, Garbage* garbage, int64_t bytes) {
  constexpr int64_t kWorthHiding = 64 << 10, kShown = 64 << 20;
  if (bytes < kWorthHiding) return;
  int64_t total = 0;
  if (garbage->shown < kShown) {
    garbage->shown += bytes;
  } else if (garbage->hidden < most_garbage()) {
    garbage->hidden += bytes;
    napi_adjust_external_memory(env, -bytes, &total);
  } else {
    napi_adjust_external_memory(env, garbage->hidden, &total);
    *garbage = Garbage();
  }
}

// alignment(array): bytes from its start to the next multiple of 64. For memory that was just allocated.
napi_value alignment(napi_env env, napi_callback_info callback) {
  napi_value arg = nullptr;
  size_t count = 1;
  void* data = nullptr;
  napi_get_cb_info(env, callback, &count, &arg, nullptr, &data);
  Bytes bytes;
  napi_typedarray_type type;
  if (!typed_array_bytes(env, arg, &bytes, &type)) return throw_error(env, "KAIMO_ARGUMENT", "alignment() expects a typed array");
  prefer_huge_pages(bytes.data, bytes.size);
  hide_garbage(env, &static_cast<EnvState*>(data)->garbage, static_cast<int64_t>(bytes.size));
  return js_number(env, static_cast<double>((64 - reinterpret_cast<uintptr_t>(bytes.data) % 64) % 64));
}

napi_value arena_bytes(napi_env env, napi_callback_info) {
  Executor* const executor = process().executor;
  return js_number(env, executor == nullptr ? 0 : static_cast<double>(executor->arena_bytes()));
}

// programId(program): the number that spans of a profile carry.
napi_value program_id(napi_env env, napi_callback_info callback) {
  napi_value arg = nullptr;
  size_t count = 1;
  napi_get_cb_info(env, callback, &count, &arg, nullptr, nullptr);
  void* raw = nullptr;
  if (napi_get_value_external(env, arg, &raw) != napi_ok || raw == nullptr) return throw_error(env, "KAIMO_ARGUMENT", "expected a compiled program");
  return js_number(env, static_cast<double>((*static_cast<ProgramHandle*>(raw))->id()));
}

// startProfile(limit): records the next `limit` kernels of the process.
napi_value start_profile(napi_env env, napi_callback_info callback) {
  napi_value arg = nullptr;
  size_t count = 1;
  napi_get_cb_info(env, callback, &count, &arg, nullptr, nullptr);
  double limit = 0;
  if (napi_get_value_double(env, arg, &limit) != napi_ok || !(limit >= 1 && limit <= 1e8) || process().executor == nullptr) {
    return throw_error(env, "KAIMO_ARGUMENT", "startProfile(limit) expects a number from 1 to 1e8, after start()");
  }
  process().executor->recorder().start(static_cast<size_t>(limit));
  return nullptr;
}

// stopProfile(): Float64Array of [program, instruction, start in ns, duration in ns] for each kernel that ran.
napi_value stop_profile(napi_env env, napi_callback_info) {
  if (process().executor == nullptr) return throw_error(env, "KAIMO_ARGUMENT", "stopProfile() comes after start()");
  const std::vector<Span> spans = process().executor->recorder().stop();
  void* data = nullptr;
  napi_value buffer = nullptr, array = nullptr;
  const size_t length = spans.size() * 4;
  if (napi_create_arraybuffer(env, length * sizeof(double), &data, &buffer) != napi_ok) return throw_error(env, "KAIMO_MEMORY", "out of memory for a profile");
  double* out = static_cast<double*>(data);
  for (const Span& span : spans) {
    *out++ = static_cast<double>(span.program);
    *out++ = static_cast<double>(span.instruction);
    *out++ = static_cast<double>(span.start);
    *out++ = static_cast<double>(span.duration);
  }
  napi_create_typedarray(env, napi_float64_array, length, buffer, 0, &array);
  return array;
}

// Pages of a file are the system's: V8 counts a buffer of them as memory of its own, and would collect garbage for every 64 MB.
void count_external(napi_env env, int64_t bytes) {
  int64_t total = 0;
  if (env != nullptr) napi_adjust_external_memory(env, bytes, &total);
}

// mapFile(descriptor, start, bytes): an ArrayBuffer of that part of the file, which stays mapped as long as somebody holds it; null where
// mapping is not possible. Throws where the file is shorter.
napi_value map_file_range(napi_env env, napi_callback_info callback) {
  napi_value args[3] = {};
  size_t count = 3;
  napi_get_cb_info(env, callback, &count, args, nullptr, nullptr);
  int32_t descriptor = -1;
  int64_t start = -1, bytes = -1;
  if (napi_get_value_int32(env, args[0], &descriptor) != napi_ok || napi_get_value_int64(env, args[1], &start) != napi_ok ||
      napi_get_value_int64(env, args[2], &bytes) != napi_ok || start < 0 || bytes < 1) {
    return throw_error(env, "KAIMO_ARGUMENT", "mapFile(descriptor, start, bytes) expects three numbers, bytes being at least 1");
  }
  FileMap map;
  napi_value buffer = nullptr;
  napi_get_null(env, &buffer);
  const MapStatus status = map_file(descriptor, static_cast<uint64_t>(start), static_cast<size_t>(bytes), &map);
  if (status == MapStatus::too_short) return throw_error(env, "KAIMO_SHORT", "the file ends before byte " + std::to_string(start + bytes));
  if (status != MapStatus::ok) return buffer;
  const auto release = [](napi_env for_env, void*, void* hint) {
    FileMap* const held = static_cast<FileMap*>(hint);
    unmap_file(*held);
    count_external(for_env, static_cast<int64_t>(held->bytes));
    delete held;
  };
  FileMap* const held = new FileMap(map);
  count_external(env, -bytes);
  // Refused where JavaScript memory lives in a cage of its own.
  if (napi_create_external_arraybuffer(env, map.data, static_cast<size_t>(bytes), release, held, &buffer) != napi_ok) {
    release(env, nullptr, held);
    napi_get_null(env, &buffer);
  }
  return buffer;
}

napi_value init(napi_env env, napi_value exports) {
  EnvState* const state = new EnvState();
  napi_set_instance_data(env, state, [](napi_env, void* data, void*) { delete static_cast<EnvState*>(data); }, nullptr);
  if (napi_create_threadsafe_function(env, nullptr, nullptr, js_string(env, "kaimo"), 0, 1, nullptr, nullptr, nullptr, settle, &state->finished) != napi_ok) {
    return throw_error(env, "KAIMO_MEMORY", "cannot create the completion queue");
  }
  napi_unref_threadsafe_function(env, state->finished);
  // Hooks run in reverse: runs are withdrawn before the queue closes.
  napi_add_env_cleanup_hook(env, close_environment, state);
  const napi_property_descriptor properties[] = {
      {"start", nullptr, start, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"compile", nullptr, compile, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"run", nullptr, run, nullptr, nullptr, nullptr, napi_enumerable, state},
      {"runSync", nullptr, run_sync, nullptr, nullptr, nullptr, napi_enumerable, state},
      {"alignment", nullptr, alignment, nullptr, nullptr, nullptr, napi_enumerable, state},
      {"arenaBytes", nullptr, arena_bytes, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"programId", nullptr, program_id, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"startProfile", nullptr, start_profile, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"stopProfile", nullptr, stop_profile, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"mapFile", nullptr, map_file_range, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof properties[0], properties);
  return exports;
}

}  // namespace
}  // namespace kaimo

NAPI_MODULE_INIT() { return kaimo::init(env, exports); }
