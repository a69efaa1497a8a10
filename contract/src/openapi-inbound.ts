import {
  common,
  error,
  json,
  ofBody,
  pathParameter,
  requiredHeader,
  signatureChallenge,
} from './openapi-parts.ts'
import { InboundReceipt } from './ticket.ts'

const bytes = { schema: { type: 'string', format: 'binary' } }

/** For who hands on mail. */
export const inboundPaths = {
  '/v1/inbound/{brand}': {
    post: {
      operationId: 'handOnMail',
      summary: 'Hand on a mail as it came',
      description:
        'The raw bytes of one mail (RFC 5322), at most 25 MiB. The answer comes when they are stored; what the mail is, is found out behind it. The same signed request again is answered with the same id.',
      tags: ['Mail'],
      security: [],
      parameters: [
        pathParameter('brand'),
        requiredHeader('Bellhop-Timestamp', 'Seconds since 1970, at most five minutes from now.', {
          type: 'string',
          pattern: '^[0-9]{1,12}$',
        }),
        requiredHeader(
          'Bellhop-Signature',
          '`v1=` and in hexadecimal HMAC-SHA-256, by the brand’s `inbound` secret, over the timestamp, a dot and the raw bytes.',
          { type: 'string', pattern: '^v1=[0-9a-f]{64}$' },
        ),
      ],
      requestBody: {
        required: true,
        content: { 'message/rfc822': bytes, 'application/octet-stream': bytes },
      },
      responses: {
        '200': { description: 'It was kept before', content: json(InboundReceipt) },
        '201': { description: 'It is kept', content: json(InboundReceipt) },
        '400': error('`validation_error`: the body is empty'),
        '401': error('`unauthorized`: no signature that holds, or no such brand', signatureChallenge),
        ...ofBody,
        '415': error('`unsupported_media_type`: neither message/rfc822 nor application/octet-stream'),
        '503': common['503'],
      },
    },
  },
}
