const BYTES = 32

/** SHA-256 names of blobs in ascending order, 32 bytes each, so that a million of them take 32 MB. */
export class BlobNames {
  #bytes: Buffer = Buffer.alloc(1024 * BYTES)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** @returns false where it does not come after the last one */
  add(sha256: string): boolean {
    const name = Buffer.from(sha256, 'hex')
    if (this.#count > 0 && name.compare(this.#at(this.#count - 1)) <= 0) return false
    if (this.#count * BYTES === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)])
    }
    name.copy(this.#bytes, this.#count * BYTES)
    this.#count++
    return true
  }

  at(index: number): string {
    return this.#at(index).toString('hex')
  }

  has(sha256: string): boolean {
    const name = Buffer.from(sha256, 'hex')
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#at(middle).compare(name) < 0) low = middle + 1
      else high = middle
    }
    return low < this.#count && this.#at(low).equals(name)
  }

  #at(index: number): Buffer {
    return this.#bytes.subarray(index * BYTES, (index + 1) * BYTES)
  }
}
