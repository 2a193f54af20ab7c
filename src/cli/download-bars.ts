import type { SingleBar } from 'cli-progress'
import type { HubProgress } from '../hub/index.node.js'
import { formatBytes } from './output.js'

export interface DownloadBars {
  onProgress(progress: HubProgress): void
  stop(): void
}

/** A bar for each file under way on a terminal; a line for each finished file elsewhere. */
export async function downloadBars(stream: NodeJS.WriteStream = process.stderr): Promise<DownloadBars> {
  return stream.isTTY ? terminalBars(stream) : plainLines(stream)
}

async function terminalBars(stream: NodeJS.WriteStream): Promise<DownloadBars> {
  const { MultiBar } = await import('cli-progress')
  const bars = new MultiBar({
    stream,
    format: '{file} {bar} {percentage}% of {size}, {eta_formatted} to go',
    barsize: 24,
    hideCursor: true,
    barCompleteChar: '=',
    barIncompleteChar: '-',
  })
  const byFile = new Map<string, SingleBar>()
  return {
    onProgress({ file, bytes, totalBytes }) {
      const known = byFile.get(file)
      const bar = known ?? bars.create(totalBytes, bytes, { file, size: formatBytes(totalBytes) })
      byFile.set(file, bar)
      bar.update(bytes)
    },
    stop: () => bars.stop(),
  }
}

function plainLines(stream: NodeJS.WriteStream): DownloadBars {
  const done = new Set<string>()
  return {
    onProgress({ file, bytes, totalBytes, files }) {
      if (bytes < totalBytes || done.has(file)) return
      done.add(file)
      stream.write(`${file} (${formatBytes(totalBytes)}), ${done.size} of ${files}\n`)
    },
    stop: () => undefined,
  }
}
