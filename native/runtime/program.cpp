#include "program.h"

#include <cstdlib>
#include <cstring>

namespace kaimo {

namespace {
constexpr double kExact = 9007199254740992.0;  // 2^53
constexpr int64_t kDTypes = 11;
constexpr int64_t kMaxOperands = 1 << 14;
std::atomic<int64_t> programs{0};
}  // namespace

// Reads exact integers from the stream; any value out of place sets `bad`.
class Reader {
 public:
  Reader(const double* code, size_t length) : code_(code), length_(length) {}
  bool bad = false;

  int64_t integer(int64_t low, int64_t high) {
    const double value = number();
    if (!(value >= -kExact && value <= kExact) || value != static_cast<double>(static_cast<int64_t>(value))) {
      bad = true;
      return low;
    }
    const int64_t result = static_cast<int64_t>(value);
    if (result < low || result > high) {
      bad = true;
      return low;
    }
    return result;
  }
  int64_t integer() { return integer(INT64_MIN, INT64_MAX); }
  double number() {
    if (at_ >= length_) {
      bad = true;
      return 0;
    }
    return code_[at_++];
  }
  int64_t left() const { return static_cast<int64_t>(length_ - at_); }

 private:
  const double* code_;
  size_t length_;
  size_t at_ = 0;
};

bool Program::read_operand(Reader& reader, int32_t index) {
  Operand operand;
  std::memset(&operand, 0, sizeof operand);
  const int64_t slot = reader.integer(0, slots() - 1);
  const int64_t offset = reader.integer();
  operand.dtype = static_cast<DType>(reader.integer(0, kDTypes - 1));
  operand.rank = static_cast<int32_t>(reader.integer(0, kMaxRank));
  for (int32_t i = 0; i < operand.rank; i++) operand.dims[i] = reader.integer(0, INT64_MAX);
  for (int32_t i = 0; i < operand.rank; i++) operand.strides[i] = reader.integer();
  if (reader.bad) return false;
  operands_.push_back(operand);
  fixups_[slot].push_back({index, offset});
  return true;
}

bool Program::read_instruction(Reader& reader, const IsaTable& isa, std::string* error) {
  Instruction instruction;
  instruction.control = static_cast<Control>(reader.integer(0, static_cast<int64_t>(Control::last)));
  const int64_t kernel = reader.integer(-1, isa.n_kernels - 1);
  instruction.kernel = kernel < 0 ? nullptr : isa.kernels[kernel].run;
  instruction.n_in = static_cast<int16_t>(reader.integer(0, kMaxOperands));
  instruction.n_out = static_cast<int16_t>(reader.integer(0, kMaxOperands));
  instruction.n_ints = static_cast<int32_t>(reader.integer(0, reader.left()));
  instruction.n_floats = static_cast<int32_t>(reader.integer(0, reader.left()));
  instruction.in = static_cast<int32_t>(operands_.size());
  instruction.ints = static_cast<int32_t>(ints_.size());
  instruction.floats = static_cast<int32_t>(floats_.size());
  for (int32_t i = 0; i < instruction.n_in + instruction.n_out && !reader.bad; i++) read_operand(reader, instruction.in + i);
  for (int32_t i = 0; i < instruction.n_ints && !reader.bad; i++) ints_.push_back(reader.integer());
  for (int32_t i = 0; i < instruction.n_floats && !reader.bad; i++) floats_.push_back(reader.number());
  if (reader.bad || (instruction.control == Control::kernel && instruction.kernel == nullptr)) {
    *error = "malformed instruction " + std::to_string(instructions_.size());
    return false;
  }
  instructions_.push_back(instruction);
  return true;
}

bool Program::check_control(const Instruction& instruction) const {
  const int64_t* ints = ints_.data() + instruction.ints;
  const auto is_target = [&](int64_t t) { return t >= 0 && t <= static_cast<int64_t>(instructions_.size()); };
  const auto is_counter = [&](int64_t c) { return c >= 0 && c < static_cast<int64_t>(counters_.size()); };
  const auto is_moving = [&](int64_t s) { return s >= 0 && s < slots() && slot_bytes_[s] < 0; };
  const auto is_loop = [&](int64_t t) {
    return t >= 0 && t < static_cast<int64_t>(instructions_.size()) && instructions_[t].control == Control::loop_begin;
  };
  const int32_t n = instruction.n_ints;
  switch (instruction.control) {
    case Control::kernel: return true;
    case Control::jump: return n == 1 && is_target(ints[0]);
    case Control::branch_unless: return n == 1 && is_target(ints[0]) && instruction.n_in == 1;
    case Control::loop_begin: return n == 3 && is_counter(ints[0]) && is_target(ints[2]);
    case Control::loop_next: return n == 2 && is_counter(ints[0]) && is_loop(ints[1]);
    case Control::move_slot: return n == 5 && is_moving(ints[0]) && ints[1] >= 0 && ints[1] < slots() && is_counter(ints[3]);
  }
  return false;
}

std::shared_ptr<Program> Program::decode(const double* code, size_t length, const IsaTable& isa, std::string* error) {
  auto program = std::shared_ptr<Program>(new Program());
  program->id_ = ++programs;
  Reader reader(code, length);
  const int64_t slots = reader.integer(kFirstBufferSlot, reader.left());
  const int64_t counters = reader.integer(0, 1 << 20);
  program->arena_bytes_ = reader.integer(0, INT64_MAX);
  for (int64_t i = 0; i < slots && !reader.bad; i++) program->slot_bytes_.push_back(reader.integer(-1, INT64_MAX));
  const int64_t count = reader.integer(0, reader.left());
  if (reader.bad) {
    *error = "malformed program header";
    return nullptr;
  }
  for (int64_t slot = kFirstBufferSlot; slot < slots && program->slot_bytes_[slot] >= 0; slot++) program->buffer_slots_++;
  program->bases_.assign(slots, nullptr);
  program->fixups_.resize(slots);
  program->counters_.assign(counters, 0);
  for (int64_t i = 0; i < count; i++) {
    if (!program->read_instruction(reader, isa, error)) return nullptr;
  }
  for (int64_t i = 0; i < count; i++) {
    if (!program->check_control(program->instructions_[i])) {
      *error = "malformed control instruction " + std::to_string(i);
      return nullptr;
    }
  }
  // Bases start at null: every operand holds its own offset until its slot is set.
  for (auto& fixups : program->fixups_) {
    for (const Fixup& fixup : fixups) program->operands_[fixup.operand].data = nullptr;
  }
  return program;
}

Program::~Program() { std::free(constants_); }

bool Program::set_constants(const void* data, size_t bytes) {
  constants_ = static_cast<char*>(std::aligned_alloc(64, (bytes + 127) & ~size_t(63)));
  if (constants_ == nullptr) return false;
  if (bytes > 0) std::memcpy(constants_, data, bytes);
  set_base(kConstantSlot, constants_);
  return true;
}

void Program::set_base(int64_t slot, char* base) {
  if (bases_[slot] == base) return;
  bases_[slot] = base;
  for (const Fixup& fixup : fixups_[slot]) operands_[fixup.operand].data = base + fixup.offset;
}

Failure Program::run(Pool* pool, char* arena, char* const* buffers, const std::atomic<bool>& stop, const volatile int32_t* stop_word,
                     Recorder* recorder) {
  set_base(kArenaSlot, arena);
  for (int64_t i = 0; i < buffer_slots_; i++) set_base(kFirstBufferSlot + i, buffers[i]);
  const int64_t count = static_cast<int64_t>(instructions_.size());
  Failure failure;
  KernelCall call;
  call.pool = pool;
  const bool recording = recorder != nullptr && recorder->on();
  for (int64_t at = 0; at < count;) {
    if (stop.load(std::memory_order_relaxed) || (stop_word != nullptr && *stop_word != 0)) {
      failure.status = Status::cancelled;
      failure.instruction = at;
      return failure;
    }
    const Instruction& instruction = instructions_[at];
    const int64_t* ints = ints_.data() + instruction.ints;
    switch (instruction.control) {
      case Control::kernel: {
        call.in = operands_.data() + instruction.in;
        call.out = call.in + instruction.n_in;
        call.n_in = instruction.n_in;
        call.n_out = instruction.n_out;
        call.ints = ints;
        call.n_ints = instruction.n_ints;
        call.floats = floats_.data() + instruction.floats;
        call.n_floats = instruction.n_floats;
        call.error = KernelError{-1, 0, 0};
        const int64_t start = recording ? Recorder::now() : 0;
        const Status status = instruction.kernel(call);
        if (recording) recorder->add(id_, at, start);
        if (status != Status::ok) {
          failure.status = status;
          failure.instruction = at;
          failure.error = call.error;
          return failure;
        }
        at++;
        break;
      }
      case Control::jump: at = ints[0]; break;
      case Control::branch_unless: at = *operands_[instruction.in].data != 0 ? at + 1 : ints[0]; break;
      case Control::loop_begin:
        counters_[ints[0]] = 0;
        at = ints[1] > 0 ? at + 1 : ints[2];
        break;
      case Control::loop_next: {
        const int64_t* begin = ints_.data() + instructions_[ints[1]].ints;
        at = ++counters_[ints[0]] < begin[1] ? ints[1] + 1 : at + 1;
        break;
      }
      case Control::move_slot:
        set_base(ints[0], bases_[ints[1]] + ints[2] + counters_[ints[3]] * ints[4]);
        at++;
        break;
    }
  }
  return failure;
}

}  // namespace kaimo
