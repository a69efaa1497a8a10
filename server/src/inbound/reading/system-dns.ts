import { Resolver } from 'node:dns/promises'
import type { Resolve } from './authentication.ts'

/** The machine's DNS, with few tries: whoever asks has a bound of its own. */
export function createSystemDns(): Resolve {
  const resolver = new Resolver({ timeout: 2000, tries: 2 })
  return (name, type) => resolver.resolve(name, type)
}
