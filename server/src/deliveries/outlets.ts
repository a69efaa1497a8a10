import type { Side } from '../connectors/connector.ts'
import type { Outlet } from '../connectors/registry.ts'
import { AttachmentBytes } from './attachment-bytes.ts'
import { Breaker, type Turn } from './breaker.ts'

/** Attempts of one outlet at once in one process. */
const PER_OUTLET = 5
/** Attempts at once in one process. */
const IN_ALL = 100

/** One outlet with what this process may attempt there now. */
export type FreePlaces = { outlet: Outlet; places: number }

/** How many attempts may begin now: of each outlet that has a place, and of all together. */
export type Places = { ofOutlet: FreePlaces[]; inAll: number }

export type OpenOutlet = Outlet & {
  readonly breaker: Breaker
  /** Places that are taken. */
  running: number
}

/** A place for one attempt; whoever has it leaves it in the end. */
export type Place = {
  readonly outlet: OpenOutlet
  readonly turn: Turn
  /** Of attachments, for which there is room. */
  bytes: number
}

/**
 * The outlets, a brand's desk and its customers apart, and the places that this process has for attempts at each
 * and at all of them.
 */
export class Outlets {
  /** Who began an attempt last stands last, so that with more outlets than places each has its turn. */
  readonly #outlets: Map<string, OpenOutlet>
  readonly #bytes: AttachmentBytes
  #taken = 0
  #closing = false
  #onIdle: () => void = () => {}
  /** Called when a place becomes free. */
  onFree: (outlet: Outlet) => void = () => {}

  constructor(outlets: Outlet[], now: () => number, bytes = new AttachmentBytes()) {
    this.#bytes = bytes
    this.#outlets = new Map(
      outlets.map((outlet) => [nameOf(outlet), { ...outlet, breaker: new Breaker(now), running: 0 }]),
    )
  }

  of(brandId: string, side: Side): OpenOutlet {
    const outlet = this.#outlets.get(nameOf({ brandId, side }))
    if (outlet === undefined) throw new Error('a delivery to where nothing is configured')
    return outlet
  }

  /** What may begin now, the outlets in the order of their turn. */
  free(): Places {
    const inAll = this.#closing ? 0 : Math.max(0, IN_ALL - this.#taken)
    const ofOutlet: FreePlaces[] = []
    for (const outlet of this.#outlets.values()) {
      const places = Math.min(outlet.breaker.allow(PER_OUTLET - outlet.running), inAll)
      if (places > 0) ofOutlet.push({ outlet, places })
    }
    return { ofOutlet, inAll }
  }

  /** Takes a place for one attempt there, with room for its attachments, or null: there is none now. */
  take(brandId: string, side: Side, bytes: number): Place | null {
    const outlet = this.#outlets.get(nameOf({ brandId, side }))
    if (outlet === undefined || this.#closing || this.#taken >= IN_ALL) return null
    if (outlet.breaker.allow(PER_OUTLET - outlet.running) < 1) return null
    if (!this.#bytes.take(bytes)) return null
    return { ...this.occupy(brandId, side), bytes }
  }

  /**
   * Takes a place for a delivery that was claimed. A ticket may have come between the look at what is free
   * and the claim, so an outlet may for a moment have more than its places.
   */
  occupy(brandId: string, side: Side): Place {
    const outlet = this.of(brandId, side)
    const name = nameOf(outlet)
    this.#outlets.delete(name)
    this.#outlets.set(name, outlet)
    outlet.running++
    this.#taken++
    return { outlet, turn: outlet.breaker.begin(), bytes: 0 }
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
    const { outlet, turn, bytes } = place
    outlet.breaker.cancel(turn)
    this.#bytes.give(bytes)
    outlet.running--
    this.#taken--
    this.onFree(outlet)
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

/** An outlet's key: no brand's id holds a space. */
export function nameOf({ brandId, side }: Pick<Outlet, 'brandId' | 'side'>): string {
  return `${side} ${brandId}`
}
