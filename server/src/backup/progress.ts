/** How far a backup or a restore has come. */
export type Progress = {
  /** @param of how many rows, or bytes of the attachments or of the archive, are expected; a guess for rows */
  begin(what: 'rows' | 'attachments' | 'archive', of: number): void
  add(count: number): void
}

export const noProgress: Progress = { begin: () => {}, add: () => {} }
