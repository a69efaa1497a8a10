/** A blob's file is there and does not have the bytes of its name. */
export class BlobDamaged extends Error {
  override readonly name = 'BlobDamaged'
}
