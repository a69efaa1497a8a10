import Format from 'typebox/format'
import { Compile } from 'typebox/schema'
import { isMailbox } from './email.ts'
import { NewTicket } from './ticket.ts'

// TypeBox's own `email` takes CR, LF and NUL in a quoted local part, and knows no length.
Format.Set('email', isMailbox)

const newTicket = Compile(NewTicket)

/** What is wrong with one field: its path as a caller would write it, and what was expected there. */
export type Fault = { field: string; expected: string }

/**
 * Checks a parsed body against the schema of `POST /v1/support/tickets`. Nothing is coerced or trimmed, and
 * unknown fields are let be.
 * @returns the faults, of which none repeats a value; empty where the body is a {@link NewTicket}
 */
export function checkNewTicket(body: unknown): Fault[] {
  if (newTicket.Check(body)) return []
  return newTicket.Errors(body)[1].flatMap((error) => {
    const field = error.instancePath.slice(1).replaceAll('/', '.')
    if (error.keyword === 'required') {
      const missing = (error.params as { requiredProperties: string[] }).requiredProperties
      return missing.map((name) => ({
        field: field === '' ? name : `${field}.${name}`,
        expected: 'is required',
      }))
    }
    return [{ field: field === '' ? 'the body' : field, expected: expectation(error) }]
  })
}

function expectation(error: { keyword: string; params: object }): string {
  switch (error.keyword) {
    case 'type':
      return `must be ${'type' in error.params && error.params.type === 'object' ? 'an object' : 'a string'}`
    case 'minLength':
      return 'must not be empty'
    case 'format':
      return 'must be an e-mail address (a Mailbox of RFC 5321)'
    default:
      return 'is not as the schema says'
  }
}
