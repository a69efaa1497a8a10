import type { Brand } from '../config.ts'
import type { Connector } from '../connectors/connector.ts'
import { AttachmentBytes } from './attachment-bytes.ts'
import { Breaker, type Turn } from './breaker.ts'

/** Attempts of one brand at once in one process. */
const PER_BRAND = 5
/** Attempts at once in one process. */
const IN_ALL = 100

/** How many attempts may begin now: of each brand that has a place, and of all together. */
export type Places = { ofBrand: Map<string, number>; inAll: number }

export type Desk = {
  readonly brandId: string
  readonly connector: Connector
  readonly breaker: Breaker
  /** Places that are taken. */
  running: number
  /** Requests that wait for one. */
  waiting: number
}

/** A place for one attempt; whoever has it leaves it in the end. */
export type Place = {
  readonly desk: Desk
  readonly turn: Turn
  /** Of attachments, for which there is room. */
  bytes: number
}

/** The brands' desks, and the places that this process has for attempts at each and at all of them. */
export class Desks {
  /** Who began an attempt last stands last, so that with more brands than places each has its turn. */
  readonly #desks: Map<string, Desk>
  readonly #bytes: AttachmentBytes
  #taken = 0
  #closing = false
  #onIdle: () => void = () => {}
  /** Called when a place becomes free. */
  onFree: (brandId: string) => void = () => {}

  constructor(
    brands: Brand[],
    connectors: Map<string, Connector>,
    now: () => number,
    bytes = new AttachmentBytes(),
  ) {
    this.#bytes = bytes
    this.#desks = new Map(
      brands.flatMap(({ id }) => {
        const connector = connectors.get(id)
        return connector
          ? [[id, { brandId: id, connector, breaker: new Breaker(now), running: 0, waiting: 0 }]]
          : []
      }),
    )
  }

  of(brandId: string): Desk {
    const desk = this.#desks.get(brandId)
    if (desk === undefined) throw new Error('a delivery of a brand that is not configured')
    return desk
  }

  /** What may begin now, the brands in the order of their turn. */
  free(): Places {
    const inAll = this.#closing ? 0 : Math.max(0, IN_ALL - this.#taken)
    const ofBrand = new Map<string, number>()
    for (const [brandId, desk] of this.#desks) {
      const places = Math.min(desk.breaker.allow(PER_BRAND - desk.running), inAll)
      if (places > 0) ofBrand.set(brandId, places)
    }
    return { ofBrand, inAll }
  }

  /** Takes a place for one attempt of the brand, with room for its attachments, or null: there is none now. */
  take(brandId: string, bytes: number): Place | null {
    const desk = this.#desks.get(brandId)
    if (desk === undefined || this.#closing || this.#taken >= IN_ALL) return null
    if (desk.breaker.allow(PER_BRAND - desk.running) < 1) return null
    if (!this.#bytes.take(bytes)) return null
    return { ...this.occupy(brandId), bytes }
  }

  /**
   * Takes a place for a delivery that was claimed. A ticket may have come between the look at what is free
   * and the claim, so a brand may for a moment have more than its places.
   */
  occupy(brandId: string): Place {
    const desk = this.of(brandId)
    this.#desks.delete(brandId)
    this.#desks.set(brandId, desk)
    desk.running++
    this.#taken++
    return { desk, turn: desk.breaker.begin(), bytes: 0 }
  }

  /** Waits for room for an attempt's attachments. @returns false where it was aborted before */
  async makeRoom(place: Place, bytes: number, signal: AbortSignal): Promise<boolean> {
    if (place.bytes === bytes) return true
    if (!(await this.#bytes.wait(bytes, signal))) return false
    place.bytes = bytes
    return true
  }

  /** Gives back a place, whether its attempt has ended or none came to use it. */
  leave(place: Place): void {
    const { desk, turn, bytes } = place
    desk.breaker.cancel(turn)
    this.#bytes.give(bytes)
    desk.running--
    this.#taken--
    this.onFree(desk.brandId)
    if (this.#taken === 0) this.#onIdle()
  }

  /** Gives no more places. */
  close(): void {
    this.#closing = true
  }

  /** Until no place is taken: neither by an attempt, nor by a ticket that is not committed yet. */
  untilIdle(): Promise<void> {
    if (this.#taken === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onIdle = resolve
    return promise
  }
}
