export type Release = { version: string; commit: string }

/**
 * What was released, the oldest first. A release is added once it is out, so the last one is always the
 * release before this program.
 */
export const RELEASES: Release[] = [{ version: '0.1.0', commit: 'de3796481f409d0d36743623eb1901f91449c604' }]

/** The release before this program. */
export function previousRelease(): Release {
  const release = RELEASES.at(-1)
  if (release === undefined) throw new Error('nothing was released yet')
  return release
}
