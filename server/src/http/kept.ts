/** Milliseconds. */
export type Keeping = {
  answer: number
  /** How long it is not asked again after it could not be answered. */
  fault: number
  now: () => number
}

/** Asks once for all who ask meanwhile and for a while after, so that asking often costs nothing. */
export function kept<T>(ask: () => Promise<T>, { answer, fault, now }: Keeping): () => Promise<T> {
  let last: { answer: Promise<T>; until: number } | null = null
  return () => {
    if (last !== null && now() < last.until) return last.answer
    // Underway, it has no end yet.
    const asked = { answer: ask(), until: Infinity }
    last = asked
    asked.answer.then(
      () => {
        asked.until = now() + answer
      },
      () => {
        asked.until = now() + fault
      },
    )
    return asked.answer
  }
}
