/** An attachment that is to be kept; its bytes lie in the blobs' folder already. */
export type NewAttachmentRow = {
  attachmentId: string
  filename: string
  declaredType: string | null
  detectedType: string | null
  sha256: Buffer
  /** Bytes. */
  size: number
}

/** An attachment as the statements that keep it read it from JSON. */
export function attachmentJson(file: NewAttachmentRow): object {
  return {
    id: file.attachmentId,
    filename: file.filename,
    declared_type: file.declaredType,
    detected_type: file.detectedType,
    digest: file.sha256.toString('hex'),
    size: file.size,
  }
}
