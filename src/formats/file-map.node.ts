/** Part of an open file as memory of its own, kept up to date by nobody: null where that is not possible here. */
export type FileMapper = (descriptor: number, start: number, bytes: number) => ArrayBuffer | null

let mapper: FileMapper = () => null

/** Sets what {@link mapFile} uses: the entry for Node passes the native engine's, since JavaScript cannot map files. */
export const setFileMapper = (next: FileMapper): void => {
  mapper = next
}

/**
 * `bytes` of an open file from `start` on, without reading them: they stay mapped until the buffer is collected. Writing into the buffer
 * does not change the file. Null where mapping is not possible.
 * @throws Error with code KAIMO_SHORT where the file is shorter
 */
export const mapFile: FileMapper = (descriptor, start, bytes) => (bytes > 0 ? mapper(descriptor, start, bytes) : null)
