import { open } from 'node:fs/promises'

/** Makes a rename inside a folder outlast a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
