import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/** What `sun_path` holds without its closing NUL: 107 bytes on Linux, 103 on macOS and the BSDs. */
export const SOCKET_PATH_LIMIT = process.platform === 'linux' ? 107 : 103

/**
 * A name for a unix socket that fits into `sun_path` however long its path is: on Linux its folder is opened
 * and named `/proc/self/fd/N`. `release` is called once the socket is connected, or could not be.
 * @throws the system's error where the folder cannot be opened
 */
export function socketName(path: string): { name: string; release: () => void } {
  if (Buffer.byteLength(path) <= SOCKET_PATH_LIMIT || process.platform !== 'linux') {
    return { name: path, release: () => {} }
  }
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  return { name: `/proc/self/fd/${folder}/${basename(path)}`, release: () => closeSync(folder) }
}
