// A compiled program: a flat list of instructions, decoded once and run many times.
//
// It arrives as a stream of doubles (exact integers, except for float attributes):
//   program     := slots counters arena_bytes n_slots x slot_bytes instructions n_instructions x instruction
//   instruction := control kernel n_in n_out n_ints n_floats (n_in + n_out) x operand ints floats
//   operand     := slot byte_offset dtype rank dims strides
// Slot 0 is the arena, slot 1 the constants; then come inputs, outputs, and slots that move inside loops (slot_bytes -1).
// Strides are in elements. Control instructions take their arguments as ints, listed at Control.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "../kernels/kernel.h"
#include "isa.h"
#include "recorder.h"

namespace kaimo {

enum class Control : int32_t {
  kernel,         // runs a kernel
  jump,           // [target]
  branch_unless,  // [target], operand: a bool
  loop_begin,     // [counter, trip count, target when the count is 0]
  loop_next,      // [counter, its loop_begin instruction]: the next round starts after that one
  move_slot,      // [slot, source slot, byte offset, counter, byte stride]: base = source + offset + counter * stride
  last = move_slot
};

constexpr int32_t kArenaSlot = 0;
constexpr int32_t kConstantSlot = 1;
constexpr int32_t kFirstBufferSlot = 2;

struct Instruction {
  Control control;
  Kernel kernel;
  int32_t in;      // index of the first operand
  int32_t ints;
  int32_t floats;
  int16_t n_in;
  int16_t n_out;
  int32_t n_ints;
  int32_t n_floats;
};

struct Failure {
  Status status = Status::ok;
  int64_t instruction = -1;
  KernelError error{-1, 0, 0};
};

class Program {
 public:
  // Null with `*error` set where the stream is malformed.
  static std::shared_ptr<Program> decode(const double* code, size_t length, const IsaTable& isa, std::string* error);
  ~Program();

  int64_t arena_bytes() const { return arena_bytes_; }
  int64_t slots() const { return static_cast<int64_t>(slot_bytes_.size()); }
  // Least number of bytes that the buffer of a slot must have; -1 for a slot that moves.
  int64_t slot_bytes(int64_t slot) const { return slot_bytes_[slot]; }
  // Copies the constants; false when out of memory.
  bool set_constants(const void* data, size_t bytes);
  int64_t buffer_slots() const { return buffer_slots_; }

  // Tells the programs of a process apart.
  int64_t id() const { return id_; }

  // Runs on the thread that owns the executor. `buffers` are the bases of slots 2 and up. `stop` and `stop_word` end it early; spans of
  // kernels go to the recorder while it is on.
  Failure run(Pool* pool, char* arena, char* const* buffers, const std::atomic<bool>& stop, const volatile int32_t* stop_word, Recorder* recorder);

 private:
  struct Fixup {
    int32_t operand;
    int64_t offset;
  };

  bool read_operand(class Reader& reader, int32_t index);
  bool read_instruction(class Reader& reader, const IsaTable& isa, std::string* error);
  bool check_control(const Instruction& instruction) const;
  void set_base(int64_t slot, char* base);

  std::vector<Instruction> instructions_;
  std::vector<Operand> operands_;
  std::vector<int64_t> ints_;
  std::vector<double> floats_;
  std::vector<int64_t> slot_bytes_;
  std::vector<char*> bases_;
  std::vector<std::vector<Fixup>> fixups_;
  std::vector<int64_t> counters_;
  int64_t id_ = 0;
  int64_t arena_bytes_ = 0;
  int64_t buffer_slots_ = 0;
  char* constants_ = nullptr;
};

}  // namespace kaimo
