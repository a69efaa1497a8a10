/** Answers besides the expected ones, which a page does not pass over. */
export type Refusals = {
  /** Turns of which a measurement came. */
  turns: number
  /** Turns that met a refusal, so that what they had measured was thrown away. */
  takenAgain: number
  /** Requests that were refused while nothing was measured yet. */
  warmUp: number
}

export function noRefusals(): Refusals {
  return { turns: 0, takenAgain: 0, warmUp: 0 }
}

/** For the section that was measured. */
export function describeRefusals({ turns, takenAgain, warmUp }: Refusals): string {
  return `Turns taken again since they met a refusal: ${takenAgain}, of ${turns} that count; requests refused while warming up: ${warmUp}.`
}
