import { currentBackend } from './select.js'

/** One kernel that ran. */
export interface KernelSpan {
  /** The traced function it belongs to. */
  readonly program: string
  readonly kernel: string
  /** The op behind the kernel. */
  readonly op: string
  /** Operands, as `f32[64,784] f32[784,256] -> f32[64,256]`. */
  readonly shapes: string
  /** Microseconds since the profile's first kernel. */
  readonly start: number
  /** Microseconds. */
  readonly duration: number
  /** Multiplications and additions, where they outnumber the elements read. */
  readonly flops: number
  /** Bytes of the operands, read and written. */
  readonly bytes: number
}

/** What the machine can do at most with the threads of the backend. */
export interface MachineLimits {
  /** f32 multiply-adds, counted as two operations each, in 10^9 per second. */
  readonly gflops: number
  /** Reading memory, in 10^9 bytes per second. */
  readonly bandwidth: number
  readonly threads: number
}

export interface Profiler {
  start(): void
  /** Spans in the order in which they ran. */
  stop(): KernelSpan[]
  /** Measures the machine, in a fraction of a second. */
  limits(): MachineLimits
}

export interface Profile {
  readonly backend: string
  readonly limits: MachineLimits
  readonly spans: readonly KernelSpan[]
}

/** A line of the summary: all runs of one kernel on operands of one shape. */
export interface KernelTotal {
  readonly kernel: string
  readonly op: string
  readonly shapes: string
  readonly count: number
  /** Microseconds in total. */
  readonly time: number
  /** Part of the time of all kernels, 0 to 1. */
  readonly share: number
  readonly gflops: number
  /** 10^9 bytes per second. */
  readonly bandwidth: number
  /**
   * Part of what the roofline allows, 0 to 1: the time that operations or bytes, whichever takes longer, would need at the machine's
   * limits (Williams, Waterman and Patterson 2009). Operands that stay in the cache can exceed 1.
   */
  readonly roofline: number
}

/** Starts timing every kernel of the current backend. @throws Error where the backend cannot. */
export function startProfile(): { stop(): Profile } {
  const backend = currentBackend()
  const { profiler } = backend
  if (!profiler) {
    throw new Error(`the backend '${backend.name}' does not time its kernels; profiles need the native backend 'cpu'`)
  }
  const limits = profiler.limits()
  profiler.start()
  return { stop: () => ({ backend: backend.name, limits, spans: profiler.stop() }) }
}

/** Sums the spans of a profile by kernel and shapes, the longest first. */
export function summarizeProfile({ spans, limits }: Profile): KernelTotal[] {
  const groups = new Map<string, KernelSpan[]>()
  for (const span of spans) {
    const key = `${span.kernel} ${span.shapes}`
    const group = groups.get(key)
    if (group) group.push(span)
    else groups.set(key, [span])
  }
  const sum = (list: readonly KernelSpan[], of: (span: KernelSpan) => number): number =>
    list.reduce((total, span) => total + of(span), 0)
  const all = sum(spans, ({ duration }) => duration) || 1
  return [...groups.values()]
    .map((group): KernelTotal => {
      const time = sum(group, ({ duration }) => duration)
      const [flops, bytes] = [sum(group, (span) => span.flops), sum(group, (span) => span.bytes)]
      const least = Math.max(flops / limits.gflops, bytes / limits.bandwidth) / 1e3
      const { kernel, op, shapes } = group[0]
      const rate = (amount: number): number => (time > 0 ? amount / time / 1e3 : 0)
      const roofline = time > 0 ? least / time : 0
      return {
        kernel,
        op,
        shapes,
        count: group.length,
        time,
        share: time / all,
        gflops: rate(flops),
        bandwidth: rate(bytes),
        roofline,
      }
    })
    .sort((a, b) => b.time - a.time)
}

/** The profile in Chrome's trace event format, for chrome://tracing and Perfetto. */
export function chromeTrace({ backend, limits, spans }: Profile): string {
  const programs = [...new Set(spans.map(({ program }) => program))]
  const names = programs.map((name, tid) => ({ ph: 'M', pid: 1, tid, name: 'thread_name', args: { name } }))
  const events = spans.map(({ program, kernel, op, shapes, start, duration, flops, bytes }) => ({
    ph: 'X',
    pid: 1,
    tid: programs.indexOf(program),
    name: kernel,
    cat: op,
    ts: start,
    dur: duration,
    args: { shapes, flops, bytes },
  }))
  return JSON.stringify({
    displayTimeUnit: 'ms',
    otherData: { backend, ...limits },
    traceEvents: [...names, ...events],
  })
}
