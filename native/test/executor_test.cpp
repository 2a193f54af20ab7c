// The pool, the executor and programs without JavaScript, for the thread sanitizer: several threads submit, wait and withdraw at once.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "../runtime/executor.h"

namespace kaimo {
namespace {

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                        \
    }                                                                      \
  } while (false)

// out[i] = in[i] + 1, one task for every 64 elements.
Status add_one(KernelCall& call) {
  const int64_t n = call.out[0].dims[0];
  struct Context {
    const float* in;
    float* out;
    int64_t n;
  } context{reinterpret_cast<const float*>(call.in[0].data), reinterpret_cast<float*>(call.out[0].data), n};
  parallel_for(
      call.pool, (n + 63) / 64,
      [](void* raw, int64_t task, int) {
        const Context& c = *static_cast<Context*>(raw);
        for (int64_t i = task * 64; i < c.n && i < task * 64 + 64; i++) c.out[i] = c.in[i] + 1;
      },
      &context);
  return Status::ok;
}

const KernelEntry kKernels[] = {{"add_one", add_one}};
const IsaTable kTable = {"test", kKernels, 1, nullptr, 0};

constexpr int64_t kElements = 1000;

// Slots: arena, constants, input, output. Adds `steps` in a loop over the output.
std::shared_ptr<Program> steps_program(double steps) {
  const double n = kElements;
  const std::vector<double> code = {
      4, 1, 4096, 4096, 0, 4 * n, 4 * n, 3,               // slots, counters, arena, bytes of each slot, instructions
      0, 0, 1, 1, 0, 0, 2, 0, 0, 1, n, 1, 3, 0, 0, 1, n, 1,  // output = input + 1
      3, -1, 0, 0, 3, 0, 0, steps, 4,                        // loop_begin
      0, 0, 1, 1, 0, 0, 3, 0, 0, 1, n, 1, 3, 0, 0, 1, n, 1,  // output = output + 1
  };
  std::vector<double> full = code;
  full[7] = 4;
  const double next[] = {4, -1, 0, 0, 2, 0, 0, 1};  // loop_next
  full.insert(full.end(), next, next + 8);
  std::string error;
  auto program = Program::decode(full.data(), full.size(), kTable, &error);
  if (program == nullptr) std::fprintf(stderr, "%s\n", error.c_str());
  CHECK(program != nullptr && program->set_constants(nullptr, 0));
  return program;
}

struct Buffers {
  std::vector<float> in = std::vector<float>(kElements, 1.0f);
  std::vector<float> out = std::vector<float>(kElements);
};

void fill(Job* job, Buffers& buffers, std::shared_ptr<Program> program, const void* owner) {
  job->program = std::move(program);
  job->buffers = {reinterpret_cast<char*>(buffers.in.data()), reinterpret_cast<char*>(buffers.out.data())};
  job->owner = owner;
}

void run_many(Executor& executor, int rounds) {
  auto program = steps_program(20);
  for (int round = 0; round < rounds; round++) {
    Buffers buffers;
    Job job;
    fill(&job, buffers, program, &executor);
    executor.run_and_wait(&job);
    CHECK(job.failure.status == Status::ok);
    CHECK(buffers.out[0] == 22.0f && buffers.out[kElements - 1] == 22.0f);
  }
}

struct CountedJob : Job {
  std::atomic<int>* count = nullptr;
};

// Submits runs that would take very long and withdraws them.
void withdraw_many(Executor& executor, int rounds) {
  for (int round = 0; round < rounds; round++) {
    int owner = 0;
    std::atomic<int> finished{0};
    Buffers buffers[3];
    std::vector<std::unique_ptr<CountedJob>> jobs;
    for (Buffers& each : buffers) {
      jobs.push_back(std::make_unique<CountedJob>());
      fill(jobs.back().get(), each, steps_program(1e12), &owner);
      jobs.back()->count = &finished;
      jobs.back()->finished = [](Job* job) { static_cast<CountedJob*>(job)->count->fetch_add(1); };
      executor.submit(jobs.back().get());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    executor.withdraw(&owner);
    CHECK(finished.load() == 3);
    for (auto& job : jobs) CHECK(job->failure.status == Status::cancelled);
  }
}

void check_malformed() {
  std::string error;
  const std::vector<std::vector<double>> streams = {{}, {4}, {1e300, 0, 0}, {4, 0, -1}, {2, 0, 0, 0, 0, 1, 0, 7}, {2, 0, 0, 0, 0, 1, 1, -1, 0, 0, 1, 0, 99}};
  for (const auto& stream : streams) CHECK(Program::decode(stream.data(), stream.size(), kTable, &error) == nullptr);
}

}  // namespace
}  // namespace kaimo

int main() {
  kaimo::check_malformed();
  for (int threads : {1, 2, 5}) {
    auto* executor = new kaimo::Executor(threads, threads <= 2);
    std::thread first([&] { kaimo::run_many(*executor, 100); });
    std::thread second([&] { kaimo::run_many(*executor, 100); });
    std::thread third([&] { kaimo::withdraw_many(*executor, 10); });
    first.join();
    second.join();
    third.join();
    // The executor is never destroyed, as in the addon.
  }
  std::printf("executor: ok\n");
  return 0;
}
