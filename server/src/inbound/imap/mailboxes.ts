import type { Brand } from '../../config.ts'
import { MailboxWatch, type MailboxWatchDeps } from './mailbox-watch.ts'

/** Every brand's mailbox, each read by a watch of its own. */
export class Mailboxes {
  readonly #watches: Map<string, MailboxWatch>

  constructor(
    brands: Brand[],
    deps: Omit<MailboxWatchDeps, 'brandId' | 'settings' | 'onKept'> & { onKept: (brandId: string) => void },
  ) {
    this.#watches = new Map(
      brands.flatMap(({ id, inbound }) => {
        if (!inbound?.imap) return []
        const onKept = () => deps.onKept(id)
        return [[id, new MailboxWatch({ ...deps, brandId: id, settings: inbound.imap, onKept })] as const]
      }),
    )
  }

  start(): void {
    for (const watch of this.#watches.values()) watch.start()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch.stop()))
  }

  /** Of the mailboxes that this process reads: seconds since each was last looked at with success. */
  ages(): { brandId: string; age: number }[] {
    return [...this.#watches].flatMap(([brandId, { age }]) => (age === null ? [] : [{ brandId, age }]))
  }
}
