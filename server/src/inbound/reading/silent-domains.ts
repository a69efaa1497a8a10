/** Milliseconds for which a domain that did not answer is not asked again. */
const SILENT_FOR = 60_000
const MOST = 1000
/** Silent keys after which all of their domain's count as silent. */
const MANY_KEYS = 5

/**
 * Domains whose DNS did not answer a moment ago. Each mail of theirs would keep a thread waiting, and whoever sends many
 * of them could keep everybody else's mail from being read: such a mail is to be tried again, and is told so at once.
 *
 * What is true of a domain is true of what lies below it, since its servers say where to ask; not the other way round,
 * or whoever finds one silent name of a company's could keep all of its mail waiting. The name of a DKIM key is no
 * domain's either: it may lead to a service that is gone, and anybody can name it. Since anybody can make up as many of
 * them, several say that none of those beside them answers: all keys of their domain, and nothing else of it. A domain
 * of one label is never among them.
 */
export class SilentDomains {
  readonly #until = new Map<string, number>()
  readonly #now: () => number

  /** @param now milliseconds of a clock that is never put back */
  constructor(now: () => number) {
    this.#now = now
  }

  /** @param name that was asked for, as `_dmarc.example.com` */
  add(name: string): void {
    const domain = domainOf(name)
    if (!domain.includes('.')) return
    this.#remember(domain)
    const beside = domain.slice(domain.indexOf('.') + 1)
    if (isOfKeys(beside) && this.#below(beside) >= MANY_KEYS) this.#remember(beside)
  }

  has(name: string): boolean {
    const labels = domainOf(name).split('.')
    return labels.some((_, at) => (this.#until.get(labels.slice(at).join('.')) ?? 0) > this.#now())
  }

  #remember(domain: string): void {
    this.#until.delete(domain)
    this.#until.set(domain, this.#now() + SILENT_FOR)
    // The oldest stands first.
    for (const [oldest] of this.#until) {
      if (this.#until.size <= MOST) break
      this.#until.delete(oldest)
    }
  }

  /** How many names right below this one are silent now. */
  #below(name: string): number {
    let count = 0
    for (const [silent, until] of this.#until)
      if (until > this.#now() && silent.slice(silent.indexOf('.') + 1) === name) count++
    return count
  }
}

/** Whether keys lie right below a name: a selector may have labels of its own (RFC 6376, section 3.6.2.1). */
function isOfKeys(name: string): boolean {
  return name.split('.').includes('_domainkey')
}

/** The name without the label that DMARC puts before a domain. */
function domainOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^_dmarc\./, '')
}
